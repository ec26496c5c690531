//! `data` of the events that tell of a whole record.

use model::{
    Contact, EventType, Lead,
    event::{AppointmentUpdated, ContactCreated, ContactUpdated, LeadUpdated},
};
use serde::Serialize;

use super::{Subject, Teller};
use crate::{Error, Result, appointments, calls, contacts, erase, leads, recordings::Served, tx::Tx};

/// `data` of an event about a record, as the record stands in this transaction; `None` where there is none.
pub(super) async fn render(
    tx: &mut Tx<'_>,
    teller: &Teller,
    (event, subject): (EventType, Subject),
    changed: &[String],
) -> Result<Option<String>> {
    let org = teller.org;
    match subject {
        Subject::Call(id) => {
            // Who is told has no key for the recording.
            let links = teller.links.as_deref().map(|links| Served { links, signed_at: Some(teller.now) });
            let changed = (event == EventType::CallUpdated).then_some(changed);
            calls::told(tx, (org, id), changed, links).await
        }
        Subject::Contact(id) => {
            // Its erasure has looked through the events, or is about to: another one would stay.
            if erase::is_under_way(tx, org, id).await? {
                return Ok(None);
            }
            let contact = contacts::by_id(tx, org, id).await?;
            contact.map(|contact| of_contact(event, &contact, changed)).transpose()
        }
        Subject::Lead(id) => {
            let lead = leads::by_id(tx, org, id).await?;
            lead.map(|lead| of_lead(&lead, changed)).transpose()
        }
        Subject::Appointment(id) => {
            let found = appointments::by_id(tx, org, id).await?;
            let told = |appointment| {
                json(&AppointmentUpdated { appointment_id: id, appointment: &appointment, changed })
            };
            found.map(told).transpose()
        }
    }
}

fn of_contact(event: EventType, contact: &Contact, changed: &[String]) -> Result<String> {
    let contact_id = contact.id;
    match event {
        EventType::ContactCreated => json(&ContactCreated { contact_id, contact }),
        _ => json(&ContactUpdated { contact_id, contact, changed }),
    }
}

fn of_lead(lead: &Lead, changed: &[String]) -> Result<String> {
    json(&LeadUpdated { lead_id: lead.id, lead, changed })
}

fn json(data: &impl Serialize) -> Result<String> {
    serde_json::to_string(data).map_err(|error| Error::Stored { what: "event", why: error.to_string() })
}
