//! Who called and what they wanted, found in what a platform's analysis filled in. Everybody names those fields for
//! themselves, so they are found by the names that people commonly give them.

use model::Urgency;
use serde_json::{Map, Value};

use crate::read;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Captured {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) intent: Option<String>,
    pub(crate) urgency: Option<Urgency>,
}

type Fields = Map<String, Value>;

// Names without capitals and punctuation, the more telling ones first.
const NAMES: [&str; 5] = ["callername", "customername", "fullname", "patientname", "clientname"];
const FIRST_NAMES: [&str; 4] = ["firstname", "callerfirstname", "customerfirstname", "givenname"];
const LAST_NAMES: [&str; 5] = ["lastname", "callerlastname", "customerlastname", "surname", "familyname"];
/// These name the caller in an analysis of the call; elsewhere they may well name the company.
const PLAIN_NAMES: [&str; 2] = ["name", "username"];
const EMAILS: [&str; 4] = ["calleremail", "customeremail", "email", "emailaddress"];
const INTENTS: [&str; 13] = [
    "intent",
    "callintent",
    "callerintent",
    "reason",
    "reasonforcall",
    "callreason",
    "purpose",
    "service",
    "serviceneeded",
    "servicetype",
    "requestedservice",
    "inquiry",
    "topic",
];
const URGENCIES: [&str; 2] = ["urgency", "priority"];
const URGENT_FLAGS: [&str; 3] = ["urgent", "isurgent", "isemergency"];

/// What language models write where they found nothing.
const NOTHING: [&str; 12] = [
    "na",
    "none",
    "null",
    "nil",
    "unknown",
    "undefined",
    "unspecified",
    "notprovided",
    "notspecified",
    "notmentioned",
    "notavailable",
    "notapplicable",
];

/// Looks through what an analysis of the call filled in.
pub(crate) fn find(fields: &Fields) -> Captured {
    let found = find_telling(fields);
    let name = found.name.or_else(|| Normalized::new(fields).first(&PLAIN_NAMES, words));
    Captured { name, ..found }
}

/// Looks through values that may be about others than the caller, where a plain `name` may be the company's.
pub(crate) fn find_telling(fields: &Fields) -> Captured {
    let fields = Normalized::new(fields);
    Captured {
        name: fields.person(),
        email: fields.first(&EMAILS, email),
        intent: fields.first(&INTENTS, words),
        urgency: fields.urgency(),
    }
}

impl Captured {
    /// This, with what is missing taken from another.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            email: self.email.or(other.email),
            intent: self.intent.or(other.intent),
            urgency: self.urgency.or(other.urgency),
        }
    }
}

/// An e-mail address: one `@` with something on both sides, and no white space.
pub(crate) fn email(value: &Value) -> Option<String> {
    read::text(value).filter(|text| {
        let sides = text.split_once('@');
        let complete =
            |(before, after): (&str, &str)| !(before.is_empty() || after.is_empty() || after.contains('@'));
        sides.is_some_and(complete) && !text.contains(char::is_whitespace)
    })
}

/// Fields by their names without capitals and punctuation.
struct Normalized<'a>(Vec<(String, &'a Value)>);

impl<'a> Normalized<'a> {
    fn new(fields: &'a Fields) -> Self {
        Self(fields.iter().map(|(name, value)| (normalized(name), value)).collect())
    }

    /// The first of the names under which there is something that can be read.
    fn first<T>(&self, names: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let under = |name: &str| {
            let named = self.0.iter().filter(|(known, _)| known == name);
            named.map(|(_, value)| *value).find_map(&read)
        };
        names.iter().find_map(|name| under(name))
    }

    fn person(&self) -> Option<String> {
        self.first(&NAMES, words).or_else(|| {
            let first = self.first(&FIRST_NAMES, words)?;
            Some(match self.first(&LAST_NAMES, words) {
                Some(last) => format!("{first} {last}"),
                None => first,
            })
        })
    }

    fn urgency(&self) -> Option<Urgency> {
        // That something is not urgent does not tell whether it is usual or can wait.
        let flagged = |value: &Value| read::flag(value).filter(|urgent| *urgent).map(|_| Urgency::High);
        self.first(&URGENCIES, urgency)
            .or_else(|| self.first(&URGENT_FLAGS, |value| flagged(value).or_else(|| urgency(value))))
    }
}

fn normalized(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Text that says something, or a list of such texts.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(said).collect();
            (!items.is_empty()).then(|| items.join(", "))
        }
        _ => said(value),
    }
}

fn said(value: &Value) -> Option<String> {
    read::text(value).filter(|text| {
        let word = normalized(text);
        !word.is_empty() && !NOTHING.contains(&word.as_str())
    })
}

/// The first word counts, as in `High - water is coming through the ceiling`.
fn urgency(value: &Value) -> Option<Urgency> {
    let text = said(value)?.to_lowercase();
    match text.split(|letter: char| !letter.is_alphanumeric()).find(|word| !word.is_empty())? {
        "low" => Some(Urgency::Low),
        "medium" | "normal" => Some(Urgency::Medium),
        "high" | "urgent" | "emergency" | "critical" => Some(Urgency::High),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(fields: Value) -> Captured {
        find(&read::object(&fields).expect("an object"))
    }

    #[test]
    fn fields_are_found_under_the_names_people_give_them() {
        let expected = Captured {
            name: Some("Dana Okafor".into()),
            email: Some("dana@example.com".into()),
            intent: Some("Roof repair".into()),
            urgency: Some(Urgency::High),
        };
        for fields in [
            json!({"caller_name": "Dana Okafor", "email": "dana@example.com", "intent": "Roof repair", "urgency": "high"}),
            json!({"Full Name": "Dana Okafor", "E-mail": "dana@example.com", "Service Type": "Roof repair", "Priority": "Urgent!"}),
            json!({"firstName": "Dana", "lastName": "Okafor", "Email Address": " dana@example.com ", "reason_for_call": "Roof repair", "urgent": true}),
            json!({"name": "Dana Okafor", "customerEmail": "dana@example.com", "topic": ["Roof repair"], "is_urgent": "true"}),
        ] {
            assert_eq!(found(fields.clone()), expected, "{fields}");
        }
    }

    #[test]
    fn what_stands_for_nothing_is_nothing() {
        let fields = json!({
            "name": "N/A", "caller_name": "Unknown", "email": "not provided", "intent": "None", "reason": "",
            "urgency": "unknown", "urgent": false, "service": 7, "topic": [null, "n/a"], "purpose": {"a": 1}
        });
        assert_eq!(found(fields), Captured::default());
    }

    #[test]
    fn an_address_has_one_at_sign_with_something_on_both_sides() {
        for text in ["@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "dana at example dot com", ""] {
            assert_eq!(email(&json!(text)), None, "{text}");
        }
    }

    #[test]
    fn urgency_is_the_first_word() {
        let of = |text: &str| urgency(&json!(text));
        assert_eq!(of("High - the cellar is under water"), Some(Urgency::High));
        assert_eq!(
            [of("LOW"), of("normal"), of("not urgent")],
            [Some(Urgency::Low), Some(Urgency::Medium), None]
        );
    }

    #[test]
    fn the_more_telling_name_and_the_earlier_set_win() {
        let found_first = found(json!({"name": "Roofing Ltd", "customer_name": "Dana"}));
        let both = found_first.or(found(json!({"caller_name": "Sam", "email": "sam@example.com"})));
        assert_eq!((both.name.as_deref(), both.email.as_deref()), (Some("Dana"), Some("sam@example.com")));
        let variables = read::object(&json!({"name": "Roofing Ltd", "user": "Sam"})).expect("an object");
        assert_eq!(find_telling(&variables).name, None);
    }
}
