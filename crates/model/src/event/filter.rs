//! Which events an endpoint is told.

use std::fmt;

use crate::EventType;

/// Which events an endpoint is told. As words: `all` for the documented ones, `*` for every event there is or will be,
/// or names, among which `all` stands for the documented ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EventFilter {
    /// The documented events, as an endpoint of the original is told them: `all`.
    #[default]
    Documented,
    /// Every event, those to come included: `*`.
    Everything,
    /// These.
    Only(Vec<EventType>),
}

/// A word that is no event's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEvent(pub String);

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = EventType::ALL.map(EventType::as_str).join(", ");
        write!(f, "`{}` is none of all, *, {names}", self.0)
    }
}

impl std::error::Error for UnknownEvent {}

impl EventFilter {
    /// Reads words. None at all is like `all`.
    ///
    /// # Errors
    /// The first word that is no event's name.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownEvent> {
        let (mut all, mut everything, mut named) = (false, false, Vec::new());
        for word in words {
            match (word, EventType::parse(word)) {
                ("all", _) => all = true,
                ("*", _) => everything = true,
                (_, Some(event)) => named.push(event),
                (_, None) => return Err(UnknownEvent(word.to_owned())),
            }
        }
        if everything {
            return Ok(Self::Everything);
        }
        if named.is_empty() {
            return Ok(Self::Documented);
        }
        let is_asked = |event: &EventType| named.contains(event) || (all && event.is_documented());
        Ok(Self::Only(EventType::ALL.into_iter().filter(is_asked).collect()))
    }

    /// The words by which it is shown.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Self::Documented => vec!["all"],
            Self::Everything => vec!["*"],
            Self::Only(events) => events.iter().map(|event| event.as_str()).collect(),
        }
    }

    /// As it is stored: the words with one space between them; nothing for `all`.
    pub fn stored(&self) -> String {
        match self {
            Self::Documented => String::new(),
            Self::Everything | Self::Only(_) => self.words().join(" "),
        }
    }

    /// Reads what [`stored`](Self::stored) wrote. A name that this version does not know asks for nothing.
    pub fn from_stored(text: &str) -> Self {
        match text {
            "" => Self::Documented,
            "*" => Self::Everything,
            names => Self::Only(names.split(' ').filter_map(EventType::parse).collect()),
        }
    }

    /// Whether it asks for an event.
    pub fn wants(&self, event: EventType) -> bool {
        match self {
            Self::Documented => event.is_documented(),
            Self::Everything => true,
            Self::Only(events) => events.contains(&event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_means_the_documented_four_whatever_else_there_is() {
        let all = EventFilter::parse(["all"]);
        assert_eq!(all, Ok(EventFilter::Documented));
        let told: Vec<_> =
            EventType::ALL.into_iter().filter(|event| EventFilter::Documented.wants(*event)).collect();
        assert_eq!(told, EventType::ALL[..4]);
        assert!(EventType::ALL.into_iter().all(|event| EventFilter::Everything.wants(event)));
    }

    #[test]
    fn what_is_stored_is_read_back() {
        for words in
            [&["all"][..], &["*"], &["lead.created"], &["all", "call.updated"], &["*", "call.updated"]]
        {
            let filter = EventFilter::parse(words.iter().copied()).expect("known words");
            assert_eq!(EventFilter::from_stored(&filter.stored()), filter, "{words:?}");
        }
        let more = EventFilter::parse(["call.updated", "all"]).expect("known words");
        assert_eq!(
            more.words(),
            ["call.completed", "call.transferred", "appointment.booked", "lead.created", "call.updated"]
        );
    }

    #[test]
    fn a_word_that_is_no_event_is_named() {
        let error =
            EventFilter::parse(["lead.created", "lead.eaten"]).expect_err("no such event").to_string();
        assert!(error.starts_with("`lead.eaten` is none of all, *, call.completed, "), "{error}");
        assert_eq!(EventFilter::from_stored("lead.created lead.to_come").words(), ["lead.created"]);
    }
}
