//! A webhook endpoint as people see it and fill it in, and what came of a test.

use delivery::{Trial, Trials};
use model::{EventFilter, EventType, Format, Redacted, TellingChange};
use store::{Endpoint, EndpointState, Waiting};

use crate::{call::Badge, extract::Form, fault::Fault, show};

/// What a person typed of an endpoint.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    pub(crate) url: String,
    pub(crate) description: String,
    pub(crate) events: Vec<String>,
    /// What it is not told, and the form of what it is told.
    pub(crate) redact: Vec<String>,
    pub(crate) format: String,
    /// Whether it is sent a platform's own messages: then it is told no events.
    pub(crate) is_forward: bool,
}

/// A draft that can be saved.
pub(crate) struct Checked {
    pub(crate) url: String,
    pub(crate) description: Option<String>,
    pub(crate) events: EventFilter,
    pub(crate) telling: TellingChange,
}

impl Draft {
    /// What a form begins with: the documented events are ticked.
    pub(crate) fn new() -> Self {
        Self { events: words(&EventFilter::Documented), ..Self::default() }
    }

    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self {
            url: endpoint.url.clone(),
            description: endpoint.description.clone().unwrap_or_default(),
            events: words(&EventFilter::from_stored(&endpoint.events.join(" "))),
            redact: endpoint.telling.redact.iter().map(|redacted| redacted.as_str().to_owned()).collect(),
            format: endpoint.telling.format.as_str().to_owned(),
            is_forward: endpoint.source.is_some(),
        }
    }

    pub(crate) fn read(fields: &Form) -> Self {
        Self {
            url: fields.text("url").to_owned(),
            description: fields.text("description").to_owned(),
            events: fields.all("event").map(str::to_owned).collect(),
            redact: fields.all("redact").map(str::to_owned).collect(),
            format: fields.text("format").to_owned(),
            is_forward: false,
        }
    }

    /// Looks whether it can be saved, as the API does.
    pub(crate) fn check(&self, trials: &Trials) -> Result<Checked, Fault> {
        let (url, description) = self.check_place(trials)?;
        Ok(Checked { url, description, events: self.filter()?, telling: self.telling()? })
    }

    /// What it is told of an event, and in which form. The rest of that is for the API and the command line, and stays.
    pub(crate) fn telling(&self) -> Result<TellingChange, Fault> {
        let redact = self.redact.iter().map(|word| Redacted::parse(word)).collect::<Option<Vec<_>>>();
        let redact = redact.ok_or(("redact", "Choose of what is listed.".to_owned()))?;
        let format = match self.format.as_str() {
            "" => Format::default(),
            word => Format::parse(word).ok_or(("format", "Choose one of the forms.".to_owned()))?,
        };
        Ok(TellingChange { redact: Some(redact), format: Some(format), ..TellingChange::default() })
    }

    pub(crate) fn redactions(&self) -> Vec<Choice> {
        let choice = |redacted: Redacted| {
            let (word, about) = (redacted.as_str(), about_redacted(redacted));
            Choice { word, about, is_chosen: self.redact.iter().any(|each| each == word) }
        };
        Redacted::ALL.into_iter().map(choice).collect()
    }

    pub(crate) fn formats(&self) -> Vec<Choice> {
        let choice = |format: Format| {
            let (word, about) = (format.as_str(), about_format(format));
            Choice { word, about, is_chosen: self.format == word }
        };
        Format::ALL.into_iter().map(choice).collect()
    }

    /// Whether it is told in a way of its own.
    pub(crate) fn is_shaped(&self) -> bool {
        !self.redact.is_empty() || !["", Format::default().as_str()].contains(&self.format.as_str())
    }

    /// The address and the description, where they can be saved.
    pub(crate) fn check_place(&self, trials: &Trials) -> Result<(String, Option<String>), Fault> {
        if self.url.is_empty() {
            return Err(("url", "Paste the address that webhooks are to go to.".into()));
        }
        trials.check(&self.url).map_err(|error| ("url", sentence(&error.to_string())))?;
        if self.description.chars().count() > Endpoint::DESCRIPTION_CHARS {
            return Err(("description", "Use at most 500 characters.".into()));
        }
        Ok((self.url.clone(), Some(self.description.clone()).filter(|text| !text.is_empty())))
    }

    /// The events that are asked for. The four documented ones together are what the API calls `all`.
    pub(crate) fn filter(&self) -> Result<EventFilter, Fault> {
        let none = |_| ("event", "Choose at least one event.".to_owned());
        let filter = EventFilter::parse(self.events.iter().map(String::as_str)).map_err(none)?;
        let is_documented = EventType::ALL.into_iter().all(|event| filter.wants(event) != event.is_opt_in());
        Ok(if is_documented { EventFilter::Documented } else { filter })
    }

    pub(crate) fn documented(&self) -> Vec<Choice> {
        self.choices(|event| !event.is_opt_in())
    }

    pub(crate) fn opt_in(&self) -> Vec<Choice> {
        let mut choices = self.choices(EventType::is_opt_in);
        let is_chosen = self.events.iter().any(|word| word == "*");
        choices.push(Choice { word: "*", about: "Every event, those to come too", is_chosen });
        choices
    }

    /// Whether any but the documented ones is ticked.
    pub(crate) fn has_more(&self) -> bool {
        self.opt_in().iter().any(|choice| choice.is_chosen)
    }

    fn choices(&self, is_one: impl Fn(EventType) -> bool) -> Vec<Choice> {
        let choice = |event: EventType| Choice {
            word: event.as_str(),
            about: about(event),
            is_chosen: self.events.iter().any(|word| word == event.as_str()),
        };
        EventType::ALL.into_iter().filter(|event| is_one(*event)).map(choice).collect()
    }
}

/// A filter as the boxes that are ticked for it.
fn words(filter: &EventFilter) -> Vec<String> {
    let named = EventType::ALL.into_iter().filter(|event| filter.wants(*event));
    let everything = (*filter == EventFilter::Everything).then_some("*");
    named.map(EventType::as_str).chain(everything).map(str::to_owned).collect()
}

/// An event that can be ticked.
pub(crate) struct Choice {
    pub(crate) word: &'static str,
    pub(crate) about: &'static str,
    pub(crate) is_chosen: bool,
}

/// When an event is told.
const fn about(event: EventType) -> &'static str {
    match event {
        EventType::CallCompleted => "A call is over",
        EventType::CallTransferred => "A caller is put through to somebody",
        EventType::AppointmentBooked => "An appointment is booked",
        EventType::LeadCreated => "A call brings a new lead",
        EventType::CallStarted => "A call begins",
        EventType::CallUpdated => "Something of a call changes after it is over",
        EventType::LeadUpdated => "Something of a lead changes",
        EventType::AppointmentUpdated => "Something of an appointment changes",
        EventType::AppointmentCancelled => "An appointment is called off",
        EventType::ContactCreated => "There is a new contact",
        EventType::ContactUpdated => "Something of a contact changes",
        EventType::EndpointFailing => "Another integration fails again and again",
        EventType::EndpointDisabled => "Another integration is turned off, because it failed for days",
        EventType::EndpointRecovered => "Another integration is well again",
    }
}

/// What is not told.
const fn about_redacted(redacted: Redacted) -> &'static str {
    match redacted {
        Redacted::Transcript => "The transcript",
        Redacted::Recording => "The address of the recording",
        Redacted::Phone => "Phone numbers, but their last two digits",
    }
}

/// What a form is good for.
const fn about_format(format: Format) -> &'static str {
    match format {
        Format::InboundFlow => "The usual form",
        Format::Standard => "The usual form, with the event’s name as `type` too",
        Format::Thin => "Only ids and the address where the API has the rest",
    }
}

/// What people call it: its description, else its host.
pub(crate) fn name(endpoint: &Endpoint) -> String {
    endpoint.description.clone().unwrap_or_else(|| host(&endpoint.url).to_owned())
}

/// The host of an address, which says where it leads without saying the secret that is often in the rest.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// What it is told, in a line.
pub(crate) fn told(endpoint: &Endpoint) -> String {
    if endpoint.source.is_some() {
        return "A voice platform’s own messages, as they come".to_owned();
    }
    match EventFilter::from_stored(&endpoint.events.join(" ")) {
        EventFilter::Documented => "The four usual events".to_owned(),
        EventFilter::Everything => "Every event".to_owned(),
        EventFilter::Only(_) => endpoint.events.join(", "),
    }
}

/// How it stands.
pub(crate) fn badge(endpoint: &Endpoint) -> Badge {
    match (endpoint.state, &endpoint.trouble) {
        (EndpointState::Paused, _) => Badge::new("Paused", "pause", "warn"),
        (EndpointState::Disabled, _) => Badge::new("Turned off", "ban", "bad"),
        (EndpointState::Gone, _) => Badge::new("Gone", "ban", "bad"),
        (EndpointState::Enabled, None) => Badge::new("Enabled", "check", "good"),
        (EndpointState::Enabled, Some(trouble)) if trouble.circuit.is_some() => {
            Badge::new("Failing", "cross", "bad")
        }
        (EndpointState::Enabled, Some(_)) => Badge::new("Last try failed", "retry", "warn"),
    }
}

/// Some of what an endpoint is owed, and the list of it.
pub(crate) struct Owed {
    pub(crate) words: String,
    pub(crate) href: String,
}

/// What it is owed, each number with the list that it counts.
pub(crate) fn owed(endpoint: &Endpoint, waiting: Waiting) -> Vec<Owed> {
    let id = endpoint.id.to_string();
    let list = |state: &str| show::address("/deliveries", &[("state", state), ("webhook", &id)]);
    if waiting.total() > Waiting::MOST {
        let words = format!("more than {} waiting", show::count(Waiting::MOST));
        return vec![Owed { words, href: list("") }];
    }
    let kinds = [
        (waiting.pending, "waiting", "pending"),
        (waiting.retrying, "to be tried again", "retrying"),
        (waiting.held, "held", "held"),
    ];
    let some = kinds.into_iter().filter(|(count, ..)| *count > 0);
    let owed =
        |(count, word, state)| Owed { words: format!("{} {word}", show::count(count)), href: list(state) };
    some.map(owed).collect()
}

/// A sentence of what the guard says.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// A test as it was sent and answered.
pub(crate) struct TestView {
    pub(crate) verdict: Badge,
    pub(crate) worked: bool,
    pub(crate) cause: Option<String>,
    pub(crate) hint: Option<&'static str>,
    pub(crate) event: &'static str,
    pub(crate) url: String,
    pub(crate) took: String,
    pub(crate) dialed: Option<String>,
    pub(crate) sent: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) received: Vec<(String, String)>,
    pub(crate) answer: Option<String>,
}

impl TestView {
    pub(crate) fn new(event: EventType, url: String, trial: Trial) -> Self {
        let worked = trial.error.is_none();
        let (icon, tone) = if worked { ("check", "good") } else { ("cross", "bad") };
        let word = trial.status.map_or_else(|| "No answer".to_owned(), |status| status.to_string());
        let sent = trial.request_headers.into_iter().map(|(name, value)| (name.into_owned(), value));
        Self {
            verdict: Badge::new(word, icon, tone),
            worked,
            hint: trial.error.as_ref().and_then(|_| hint(trial.status)),
            cause: trial.error.map(|error| sentence(&error)),
            event: event.as_str(),
            url,
            took: format!("{} ms", show::count(trial.duration_ms)),
            dialed: trial.address,
            sent: sent.collect(),
            body: show::pretty(trial.request_body.as_bytes()),
            received: trial.response_headers,
            answer: Some(show::pretty(&trial.response_body)).filter(|answer| !answer.is_empty()),
        }
    }
}

/// What a person can do about an answer.
fn hint(status: Option<u16>) -> Option<&'static str> {
    Some(match status? {
        300..=399 => "Paste the address that it leads to.",
        401 | 403 => {
            "The receiver wants to know who sends. See whether it can take webhooks without signing in."
        }
        404 => "Look whether the address was copied whole, and whether the workflow behind it is turned on.",
        405 => "The receiver does not take POST at this address.",
        410 => "The receiver says that this address is not used any more. Copy a new one.",
        429 => "The receiver has too much to do at the moment. Try again in a minute.",
        500..=599 => "The fault is on the receiver’s side: its own log says more.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_called_by_its_host() {
        let hosts =
            ["https://hooks.example.com/a/b?c", "http://127.0.0.1:5678/x", "https://example.com"].map(host);
        assert_eq!(hosts, ["hooks.example.com", "127.0.0.1:5678", "example.com"]);
        assert_eq!(sentence("the URL has no host"), "The URL has no host.");
    }

    #[test]
    fn the_boxes_say_which_events_and_no_box_is_a_fault() {
        let draft = |words: &[&str]| Draft {
            events: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Draft::default()
        };
        assert_eq!(Draft::new().filter(), Ok(EventFilter::Documented));
        assert_eq!(draft(&["lead.created"]).filter(), Ok(EventFilter::Only(vec![EventType::LeadCreated])));
        assert_eq!(draft(&["lead.created", "*"]).filter(), Ok(EventFilter::Everything));
        assert!(draft(&[]).filter().is_err() && draft(&["lead.eaten"]).filter().is_err());
        let ticked = |draft: &Draft| draft.opt_in().iter().filter(|choice| choice.is_chosen).count();
        assert_eq!((ticked(&Draft::new()), ticked(&draft(&["*", "call.started"]))), (0, 2));
    }
}
