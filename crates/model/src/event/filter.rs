//! Which events an endpoint asks for.

use std::fmt;

use crate::EventType;

/// Which events an endpoint asks for. As words: `all` for the documented ones, `*` for each there is or will be, or
/// names, among which `all` stands for the documented ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EventFilter {
    /// The documented events: `all`.
    #[default]
    Documented,
    /// Every event, those to come included: `*`.
    Everything,
    /// These.
    Only(Vec<EventType>),
}

/// What is wrong with words that were to name events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownEvent {
    /// There is no such event.
    Word(String),
    /// There was no word.
    Nothing,
}

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => {
                let words = EventFilter::words().collect::<Vec<_>>().join(", ");
                write!(f, "`{word}` is no event: there are {words}")
            }
            Self::Nothing => write!(f, "must name at least one event, or `{}`", EventFilter::ALL),
        }
    }
}

impl std::error::Error for UnknownEvent {}

impl EventFilter {
    const ALL: &'static str = "all";
    const EVERYTHING: &'static str = "*";

    /// Every word there is.
    pub fn words() -> impl Iterator<Item = &'static str> {
        [Self::ALL, Self::EVERYTHING].into_iter().chain(EventType::ALL.map(EventType::as_str))
    }

    /// Reads words.
    ///
    /// # Errors
    /// The first word that is none of [`EventFilter::words`], or that there is none.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownEvent> {
        let (mut all, mut everything, mut named) = (false, false, Vec::new());
        for word in words {
            match (word, EventType::parse(word)) {
                (Self::ALL, _) => all = true,
                (Self::EVERYTHING, _) => everything = true,
                (_, Some(event)) if named.contains(&event) => {}
                (_, Some(event)) => named.push(event),
                (_, None) => return Err(UnknownEvent::Word(word.to_owned())),
            }
        }
        if everything {
            return Ok(Self::Everything);
        }
        if all {
            let documented = EventType::ALL.into_iter().filter(|event| !event.is_opt_in());
            named.retain(|event| event.is_opt_in());
            return Ok(match named.is_empty() {
                true => Self::Documented,
                false => Self::Only(documented.chain(named).collect()),
            });
        }
        if named.is_empty() { Err(UnknownEvent::Nothing) } else { Ok(Self::Only(named)) }
    }

    /// As it is kept: words with one space between them; nothing at all for `all`.
    pub fn to_stored(&self) -> String {
        match self {
            Self::Documented => String::new(),
            Self::Everything => Self::EVERYTHING.to_owned(),
            Self::Only(events) => events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(" "),
        }
    }

    /// Reads what [`EventFilter::to_stored`] wrote. A name that this version does not know asks for nothing.
    pub fn from_stored(text: &str) -> Self {
        match text {
            "" => Self::Documented,
            Self::EVERYTHING => Self::Everything,
            names => Self::Only(names.split(' ').filter_map(EventType::parse).collect()),
        }
    }

    /// Whether it asks for an event.
    pub fn wants(&self, event: EventType) -> bool {
        match self {
            Self::Documented => !event.is_opt_in(),
            Self::Everything => true,
            Self::Only(events) => events.contains(&event),
        }
    }

    /// Whether it asks for any of the opt-in events.
    pub fn opts_in(&self) -> bool {
        match self {
            Self::Documented => false,
            Self::Everything => true,
            Self::Only(events) => events.iter().any(|event| event.is_opt_in()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> EventFilter {
        EventFilter::parse(words.iter().copied()).expect("known words")
    }

    #[test]
    fn all_is_the_documented_four_whatever_else_there_is() {
        for words in [&["all"][..], &["all", "lead.created"]] {
            assert_eq!(parse(words), EventFilter::Documented);
        }
        let told: Vec<_> =
            EventType::ALL.into_iter().filter(|event| EventFilter::Documented.wants(*event)).collect();
        assert_eq!(told, EventType::ALL[..4]);
        assert!(EventType::ALL.into_iter().all(|event| EventFilter::Everything.wants(event)));
    }

    #[test]
    fn what_is_kept_reads_back() {
        let lists =
            [&["all"][..], &["*"], &["lead.created"], &["all", "call.updated"], &["*", "call.updated"]];
        for (words, opts_in) in lists.into_iter().zip([false, true, false, true, true]) {
            let filter = parse(words);
            assert_eq!(EventFilter::from_stored(&filter.to_stored()), filter, "{words:?}");
            assert_eq!(filter.opts_in(), opts_in, "{words:?}");
        }
        let more = parse(&["call.updated", "all", "call.updated"]).to_stored();
        assert_eq!(more, "call.completed call.transferred appointment.booked lead.created call.updated");
    }

    #[test]
    fn a_word_that_is_no_event_is_named() {
        let error =
            EventFilter::parse(["lead.created", "lead.eaten"]).expect_err("no such event").to_string();
        assert!(error.starts_with("`lead.eaten` is no event: there are all, *, call.completed, "), "{error}");
        assert_eq!(EventFilter::parse([]), Err(UnknownEvent::Nothing));
        assert_eq!(EventFilter::from_stored("lead.created lead.to_come").to_stored(), "lead.created");
    }
}
