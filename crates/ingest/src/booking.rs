//! Reads a booking out of the use of a tool: whether it was one, whether it worked, and what was booked.
//!
//! Platforms give no flag that can be trusted. A booking counts as booked only where the answer says so, by a flag,
//! an id or a time; where it says neither yes nor no, a person has to look.

use model::{Message, Phone, Time, Tool};
use serde_json::{Map, Value};
use store::OrgSettings;

use crate::{booking_change, booking_time};

/// What was booked.
#[derive(Debug)]
pub(crate) struct Booking {
    pub(crate) verdict: Verdict,
    pub(crate) title: Option<String>,
    pub(crate) attendee_name: Option<String>,
    pub(crate) attendee_phone: Option<Phone>,
    pub(crate) attendee_email: Option<String>,
    pub(crate) starts_at: Option<Time>,
    pub(crate) ends_at: Option<Time>,
    pub(crate) time_zone: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) notes: Option<String>,
    pub(crate) external_id: Option<String>,
}

/// Whether a booking worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Booked,
    Failed,
    Unclear,
}

/// Names of booking tools that platforms and their users' templates have, normalised.
const TOOLS: [&str; 8] = [
    "bookappointment",
    "bookappointmentcal",
    "createbooking",
    "createappointment",
    "scheduleappointment",
    "appointmentbooking",
    "googlecalendareventcreate",
    "gohighlevelcalendareventcreate",
];

/// Whether a tool is one that books.
pub(crate) fn is_booking_tool(name: &str) -> bool {
    if booking_change::kind(name).is_some() {
        return false;
    }
    let name = normalized(name);
    let not = ["cancel", "check", "avail", "list", "find", "lookup", "reschedul", "confirm", "delete"];
    TOOLS.contains(&name.as_str())
        || name.starts_with("calendly")
        || (name.starts_with("googlecalendar") && name.contains("create"))
        // `book_appointment_v17`, `book_calendar_appointment_smiths`: people name their own.
        || (name.contains("book") && name.contains("appointment") && !not.iter().any(|word| name.contains(word)))
}

/// The uses of the tools with some names in a conversation, in their order, each with what it is known by: the platform's
/// id of it, or else the tool's name and its place among all uses of tools.
pub(crate) fn uses_of(
    messages: &[Message],
    is_one: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (String, &Tool)> {
    let tools = messages.iter().filter_map(|message| message.tool.as_ref()).enumerate();
    tools.filter(move |(_, tool)| is_one(&tool.name)).map(|(number, tool)| {
        (tool.call_id.clone().unwrap_or_else(|| format!("{}#{number}", tool.name)), tool)
    })
}

/// The uses of booking tools.
pub(crate) fn uses(messages: &[Message]) -> impl Iterator<Item = (String, &Tool)> {
    uses_of(messages, is_booking_tool)
}

/// The keys under which a calendar answers the id of a booking.
pub(crate) const IDS: [&str; 6] = ["bookingid", "appointmentid", "eventid", "uid", "id", "bookinguid"];

/// Reads the use of a booking tool.
pub(crate) fn read(tool: &Tool, org: &OrgSettings) -> Booking {
    let none = Map::new();
    let asked = tool.arguments.as_ref().and_then(Value::as_object).unwrap_or(&none);
    let answered = tool.result.as_ref().map(objects).unwrap_or_default();
    // What the calendar answered is what it holds; what the assistant asked for fills the rest.
    let both: Vec<&Map<String, Value>> = answered.iter().copied().chain(objects_of(asked)).collect();
    let external_id = text(&answered, &IDS);
    let zone = text(&both, &["timezone", "tz", "timezoneid"]).or_else(|| org.time_zone.clone());
    let starts_at = booking_time::start(&both, zone.as_deref());
    let verdict = verdict(tool, &answered, external_id.is_some());
    Booking {
        verdict,
        title: text(
            &both,
            &["title", "eventname", "service", "servicetype", "appointmenttype", "reason", "subject"],
        )
        .or_else(|| text(&both, &["summary"])),
        attendee_name: text(
            &both,
            &["attendeename", "fullname", "customername", "patientname", "clientname", "name"],
        ),
        attendee_phone: text(
            &both,
            &["attendeephone", "phone", "phonenumber", "customerphone", "callbacknumber"],
        )
        .and_then(|text| Phone::parse(&text, org.country.as_deref())),
        attendee_email: text(&both, &["attendeeemail", "email", "customeremail", "emailaddress"]),
        starts_at,
        ends_at: booking_time::end(&both, zone.as_deref(), starts_at),
        time_zone: zone,
        location: text(&both, &["location", "address", "place"]),
        notes: text(&both, &["notes", "note", "comments", "comment", "description"]),
        external_id,
    }
}

fn verdict(tool: &Tool, answered: &[&Map<String, Value>], has_id: bool) -> Verdict {
    // A platform's flag can mean that the tool could be called, whatever it then answered: so a no in the answer
    // wins over a yes of the platform.
    if tool.ok == Some(false) || answered.iter().any(|object| flag(object) == Some(false)) {
        return Verdict::Failed;
    }
    let said = tool.result.as_ref().and_then(Value::as_str).unwrap_or_default();
    if says_no(said) || answered.iter().any(|object| object.values().filter_map(Value::as_str).any(says_no)) {
        return Verdict::Failed;
    }
    let says_yes = answered.iter().any(|object| flag(object) == Some(true));
    let has_time = booking_time::start(answered, Some("UTC")).is_some() || booking_time::stands_in(said);
    if tool.ok == Some(true) || says_yes || has_id || has_time { Verdict::Booked } else { Verdict::Unclear }
}

/// An explicit yes or no in an answer.
pub(crate) fn flag(object: &Map<String, Value>) -> Option<bool> {
    for (key, value) in object {
        let key = normalized(key);
        match (key.as_str(), value) {
            ("success" | "successful" | "ok" | "booked" | "confirmed", Value::Bool(flag)) => {
                return Some(*flag);
            }
            ("iserror" | "failed", Value::Bool(flag)) => return Some(!*flag),
            ("error", Value::String(text)) if !text.is_empty() => return Some(false),
            ("error", Value::Object(_)) => return Some(false),
            ("status" | "result" | "outcome", Value::String(word)) => match normalized(word).as_str() {
                "success" | "ok" | "booked" | "confirmed" | "created" | "accepted" | "scheduled" => {
                    return Some(true);
                }
                "error" | "failed" | "failure" | "rejected" | "unavailable" | "conflict" => {
                    return Some(false);
                }
                _ => {}
            },
            _ => {}
        }
    }
    None
}

pub(crate) fn says_no(text: &str) -> bool {
    let text = text.to_lowercase();
    let words =
        ["error", "fail", "unavailable", "not available", "no longer", "could not", "couldn't", "unable"];
    words
        .iter()
        .chain(&["already booked", "already taken", "conflict", "no result", "not booked", "sorry"])
        .any(|word| text.contains(word))
}

/// An answer's object and those that answers are commonly wrapped in.
fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    value.as_object().map(|object| objects_of(object).collect()).unwrap_or_default()
}

fn objects_of(object: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let wraps = ["data", "booking", "event", "appointment", "result", "attendee", "customer"];
    let inner = object.iter().filter(move |(key, _)| wraps.contains(&normalized(key).as_str()));
    std::iter::once(object).chain(inner.filter_map(|(_, value)| value.as_object()))
}

/// The first of some keys that holds text, or a number as an id does.
pub(crate) fn text(objects: &[&Map<String, Value>], keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|wanted| objects.iter().find_map(|object| find(object, wanted)).and_then(word))
}

/// A text that says something, or a number.
pub(crate) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The value of a key, however it is spelled (`start_time`, `startTime`).
pub(crate) fn find<'a>(object: &'a Map<String, Value>, wanted: &str) -> Option<&'a Value> {
    object.iter().find(|(key, value)| normalized(key) == wanted && !value.is_null()).map(|(_, value)| value)
}

pub(crate) fn normalized(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn book(arguments: Value, result: Value, ok: Option<bool>) -> Booking {
        let tool = Tool {
            name: "book_appointment".into(),
            call_id: None,
            arguments: Some(arguments),
            result: Some(result),
            ok,
        };
        let org = OrgSettings { time_zone: Some("America/New_York".into()), country: Some("US".into()) };
        read(&tool, &org)
    }

    #[test]
    fn booking_tools_are_known_by_name() {
        for name in
            ["book_appointment_cal", "bookAppointment", "google.calendar.event.create", "APPOINTMENT_BOOKING"]
        {
            assert!(is_booking_tool(name), "{name}");
        }
        assert!(
            is_booking_tool("book_appointment_v17") && is_booking_tool("book_calendar_appointment_smiths")
        );
        for name in
            ["check_availability_cal", "cancel_appointment", "end_call", "reschedule_booked_appointment"]
        {
            assert!(!is_booking_tool(name), "{name}");
        }
    }

    #[test]
    fn success_is_read_and_never_guessed() {
        let cases = [
            (json!({"success": true}), None, Verdict::Booked),
            (json!({"success": false}), Some(true), Verdict::Failed),
            (json!({"status": "confirmed", "id": 7}), None, Verdict::Booked),
            (json!({"error": "slot taken"}), Some(true), Verdict::Failed),
            (json!({"booking": {"uid": "b1"}}), None, Verdict::Booked),
            (json!("Booked for 2026-03-04T10:00:00Z."), None, Verdict::Booked),
            (json!("Sorry, 2026-03-04T10:00:00Z is not available."), None, Verdict::Failed),
            (json!("No result returned."), None, Verdict::Failed),
            (json!("Thanks!"), None, Verdict::Unclear),
            (json!("Thanks!"), Some(true), Verdict::Booked),
            (Value::Null, None, Verdict::Unclear),
        ];
        for (result, ok, verdict) in cases {
            assert_eq!(book(json!({}), result.clone(), ok).verdict, verdict, "{result} {ok:?}");
        }
    }

    #[test]
    fn what_was_booked_is_read_from_answer_and_question() {
        let arguments = json!({"fullName": "Ada Reyes", "phone": "(415) 555-0123", "email": "ada@example.com",
            "date": "2026-03-04", "time": "3:30 PM", "service": "Boiler check", "durationMinutes": 45});
        let booking = book(arguments, json!({"success": true, "booking_id": "bk_9"}), None);
        assert_eq!(booking.title.as_deref(), Some("Boiler check"));
        assert_eq!(booking.attendee_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550123"));
        assert_eq!(
            booking.starts_at.map(|time| time.to_string()).as_deref(),
            Some("2026-03-04T20:30:00.000Z")
        );
        assert_eq!(booking.ends_at.map(|time| time.to_string()).as_deref(), Some("2026-03-04T21:15:00.000Z"));
        assert_eq!(booking.external_id.as_deref(), Some("bk_9"));
    }

    #[test]
    fn a_time_that_is_not_one_is_not_made_up() {
        let booking = book(json!({"date": "tomorrow", "time": "2 PM"}), json!({"ok": true}), None);
        assert_eq!((booking.verdict, booking.starts_at), (Verdict::Booked, None));
    }
}
