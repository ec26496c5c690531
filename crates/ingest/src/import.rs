//! Reads records as another server shows them, which are an export's lines too. Pure.
//!
//! What is missing or null is not known, and fields that we don't have are not looked at: the other server may be older
//! or newer than this one. A number that is none, and a word that we don't know, is left out rather than the record.

use std::str::FromStr;

use model::{
    Appointment, AppointmentStatus, CallStatus, Change, Completion, Contact, Direction, Facts, Id, Lead,
    LeadStatus, Message, Phone, Platform, Stage, Stamp, Time, Transfer, Urgency,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{ImportAssistant, ImportCall, ImportKind, ImportRecord, ImportReview};

use crate::booking;

/// Stands in a stamp's place until the store gives one.
const UNSTAMPED: Stamp = Stamp::from_micros(0);

/// Reads a record of a kind. The error says what is wrong with it, without a word of what is in it.
pub fn read_record(kind: ImportKind, record: &Value) -> Result<ImportRecord, String> {
    let fields = Fields(record);
    match kind {
        ImportKind::Assistants => assistant(&fields),
        ImportKind::Contacts => contact(&fields),
        ImportKind::Calls => call(&fields),
        ImportKind::Leads => lead(&fields),
        ImportKind::Appointments => appointment(&fields),
    }
}

/// By what the uses of booking tools in a conversation are known, in their order: what an appointment was made by.
pub fn booking_keys(messages: &[Message]) -> Vec<String> {
    booking::uses(messages).map(|(key, _)| key).collect()
}

/// The fields of a record, read as whoever asks wants them.
struct Fields<'a>(&'a Value);

impl Fields<'_> {
    fn value<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.0.get(name)?).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value::<String>(name).filter(|text| !text.trim().is_empty())
    }

    /// The word of an enumeration, an id, a time or a number: whatever reads itself from text.
    fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    fn word<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        parse(&self.text(name)?)
    }

    fn id<K>(&self) -> Result<Id<K>, String> {
        self.parsed("id").ok_or_else(|| "it has no `id` that is a UUID".into())
    }

    /// Where it has a platform that we don't know, it is as if the organization had written it itself.
    fn source(&self) -> Platform {
        self.word("source", Platform::parse).unwrap_or(Platform::Api)
    }
}

fn assistant(fields: &Fields<'_>) -> Result<ImportRecord, String> {
    let external_id = fields.text("external_id").ok_or("it has no `external_id`")?;
    let (id, name) = (fields.id()?, fields.text("name"));
    Ok(ImportRecord::Assistant(ImportAssistant { id, name, source: fields.source(), external_id }))
}

fn contact(fields: &Fields<'_>) -> Result<ImportRecord, String> {
    Ok(ImportRecord::Contact(Box::new(Contact {
        id: fields.id()?,
        name: fields.text("name"),
        phone: fields.parsed("phone"),
        other_phones: fields.value("other_phones").unwrap_or_default(),
        email: fields.text("email"),
        company: fields.text("company"),
        notes: fields.text("notes"),
        tags: fields.value("tags").unwrap_or_default(),
        call_count: 0,
        last_call_at: None,
        created_at: UNSTAMPED,
        updated_at: UNSTAMPED,
    })))
}

fn call(fields: &Fields<'_>) -> Result<ImportRecord, String> {
    let external_id = fields.text("external_id");
    // What is over is what a history is of.
    let status = fields.word("status", CallStatus::parse).unwrap_or(CallStatus::Completed);
    let completion = if status == CallStatus::Completed { Completion::Now } else { Completion::No };
    let phone: Option<Phone> = fields.parsed("caller_phone");
    let caller_address = if phone.is_none() { fields.text("caller_phone") } else { None };
    let facts = Facts {
        status: Some(status),
        ended_reason: fields.text("ended_reason"),
        caller_phone: phone,
        caller_address,
        caller_name: fields.text("caller_name"),
        caller_email: fields.text("caller_email"),
        direction: fields.word("direction", Direction::parse),
        started_at: fields.parsed("started_at"),
        ended_at: fields.parsed("ended_at"),
        duration_seconds: fields.value("duration_seconds").filter(|seconds| *seconds >= 0),
        summary: fields.text("summary"),
        transcript: fields.text("transcript"),
        messages: fields.value("messages"),
        recording_url: fields.text("recording_url"),
        transfer_status: fields.text("transfer_status"),
        intent: fields.text("intent"),
        urgency: fields.word("urgency", Urgency::parse),
        ..Facts::default()
    };
    let change = Change {
        external_id: external_id.clone().unwrap_or_default(),
        // Any message of the platform itself outranks what another server made of it.
        stage: Stage::Started,
        at: None,
        completion,
        facts,
        transfer: Transfer::None,
    };
    Ok(ImportRecord::Call(Box::new(ImportCall {
        id: fields.id()?,
        source: fields.source(),
        external_id,
        change,
        assistant_id: fields.parsed("assistant_id"),
        contact_id: fields.parsed("contact_id"),
        review: ImportReview {
            tags: fields.value("tags").unwrap_or_default(),
            notes: fields.text("notes"),
            reviewed: fields.value("reviewed").unwrap_or_default(),
            spam: fields.value("spam").unwrap_or_default(),
        },
    })))
}

fn lead(fields: &Fields<'_>) -> Result<ImportRecord, String> {
    Ok(ImportRecord::Lead(Box::new(Lead {
        id: fields.id()?,
        call_id: fields.parsed("call_id"),
        contact_id: fields.parsed("contact_id"),
        name: fields.text("name"),
        phone: fields.parsed("phone"),
        email: fields.text("email"),
        intent: fields.text("intent"),
        urgency: fields.word("urgency", Urgency::parse),
        summary: fields.text("summary"),
        status: fields.word("status", LeadStatus::parse).unwrap_or(LeadStatus::New),
        notes: fields.text("notes"),
        created_at: UNSTAMPED,
        updated_at: UNSTAMPED,
    })))
}

fn appointment(fields: &Fields<'_>) -> Result<ImportRecord, String> {
    let status = fields.word("status", AppointmentStatus::parse);
    let (starts_at, ends_at): (Option<Time>, Option<Time>) =
        (fields.parsed("starts_at"), fields.parsed("ends_at"));
    Ok(ImportRecord::Appointment(Box::new(Appointment {
        id: fields.id()?,
        call_id: fields.parsed("call_id"),
        contact_id: fields.parsed("contact_id"),
        lead_id: fields.parsed("lead_id"),
        assistant_id: fields.parsed("assistant_id"),
        title: fields.text("title"),
        attendee_name: fields.text("attendee_name"),
        attendee_phone: fields.parsed("attendee_phone"),
        attendee_email: fields.text("attendee_email"),
        starts_at,
        ends_at,
        time_zone: fields.text("time_zone"),
        location: fields.text("location"),
        notes: fields.text("notes"),
        status: status.unwrap_or(AppointmentStatus::Unconfirmed),
        source: fields.source(),
        external_id: fields.text("external_id"),
        created_at: UNSTAMPED,
        updated_at: UNSTAMPED,
    })))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_of_any_shape_is_read_or_refused_and_never_loses_more_than_what_is_wrong() {
        let odd = json!({"id": "0197a3c4-0000-7000-8000-00000000000a", "caller_phone": "sip:robin@example.com",
            "status": "voicemail", "duration_seconds": "12", "messages": [{"role": "alien"}], "summary": "  ",
            "started_at": "2026-02-24T21:00:00Z", "source": "somewhere", "future": {"a": 1}});
        let Ok(ImportRecord::Call(call)) = read_record(ImportKind::Calls, &odd) else { panic!("a call") };
        let facts = &call.change.facts;
        assert_eq!(facts.caller_address.as_deref(), Some("sip:robin@example.com"));
        assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), None));
        assert_eq!((&facts.messages, &facts.summary, call.source), (&None, &None, Platform::Api));
        assert!(facts.started_at.is_some());
        for kind in ImportKind::ALL {
            for nothing in [json!(null), json!([]), json!({"id": 7}), json!("text")] {
                assert!(read_record(kind, &nothing).is_err(), "{kind:?} {nothing}");
            }
        }
    }
}
