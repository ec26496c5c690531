//! How fast an endpoint is sent what it is owed, and in which order.

/// Which deliveries of an endpoint wait for which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordering {
    /// None for any other.
    #[default]
    None,
    /// For the one before of the same call, or where there is none of the same contact.
    PerKey,
    /// For the one before.
    Strict,
}

impl Ordering {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::None, Self::PerKey, Self::Strict];

    /// The word in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PerKey => "per_key",
            Self::Strict => "strict",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ordering| ordering.as_str() == word)
    }
}

/// How fast and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pacing {
    /// At most so many deliveries in a second; as many as it copes with without.
    pub rate: Option<u32>,
    /// Which wait for which.
    pub ordering: Ordering,
}

/// What is to change of it; `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacingChange {
    /// The rate, or that there is none.
    pub rate: Option<Option<u32>>,
    /// The order.
    pub ordering: Option<Ordering>,
}

/// Receivers that refuse more, as their makers say, and how many deliveries a second they take.
const PRESETS: [(&str, u32); 1] = [("hooks.zapier.com", 25)];

impl Pacing {
    /// The highest rate, in deliveries a second.
    pub const MAX_RATE: u32 = 1000;

    /// What an address has where nothing is said.
    pub fn preset(url: &str) -> Self {
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
        let preset = PRESETS.into_iter().find(|(known, _)| host.eq_ignore_ascii_case(known));
        Self { rate: preset.map(|(_, rate)| rate), ..Self::default() }
    }

    /// Makes a change.
    pub fn apply(&mut self, change: PacingChange) {
        self.rate = change.rate.unwrap_or(self.rate);
        self.ordering = change.ordering.unwrap_or(self.ordering);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zapier_is_sent_no_more_than_it_takes() {
        for (url, rate) in [
            ("https://hooks.zapier.com/hooks/catch/1/2/", Some(25)),
            ("https://Hooks.Zapier.com", Some(25)),
            ("https://hooks.zapier.com:443/x", Some(25)),
            ("https://hooks.zapier.com.example.com/", None),
            ("https://example.com/?to=https://hooks.zapier.com/", None),
        ] {
            assert_eq!(Pacing::preset(url).rate, rate, "{url}");
        }
    }
}
