//! `data` of the events that tell of a whole record.

use model::{
    EventType, Id, OrgId,
    event::{AppointmentUpdated, ContactCreated, ContactUpdated, LeadUpdated},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{Error, Result, appointments, calls, contacts, leads, tx::Tx};

/// `data` of an event about a record, as the record stands in this transaction.
pub(super) async fn render(
    tx: &mut Tx<'_>,
    org: OrgId,
    event: EventType,
    id: Uuid,
    changed_fields: &[&'static str],
) -> Result<String> {
    match event {
        EventType::CallStarted | EventType::CallUpdated => {
            let changed = (event == EventType::CallUpdated).then_some(changed_fields);
            calls::told(tx, org, Id::new(id), changed).await?.ok_or(gone("call"))
        }
        EventType::LeadUpdated => {
            let lead = leads::by_id(tx, org, Id::new(id)).await?.ok_or(gone("lead"))?;
            json(&LeadUpdated { lead_id: lead.id, lead: &lead, changed_fields })
        }
        EventType::AppointmentUpdated | EventType::AppointmentCancelled => {
            let appointment = appointments::by_id(tx, org, Id::new(id)).await?.ok_or(gone("appointment"))?;
            json(&AppointmentUpdated {
                appointment_id: appointment.id,
                appointment: &appointment,
                changed_fields,
            })
        }
        EventType::ContactCreated => {
            let contact = contacts::by_id(tx, org, Id::new(id)).await?.ok_or(gone("contact"))?;
            json(&ContactCreated { contact_id: contact.id, contact: &contact })
        }
        EventType::ContactUpdated => {
            let contact = contacts::by_id(tx, org, Id::new(id)).await?.ok_or(gone("contact"))?;
            json(&ContactUpdated { contact_id: contact.id, contact: &contact, changed_fields })
        }
        EventType::CallCompleted
        | EventType::CallTransferred
        | EventType::AppointmentBooked
        | EventType::LeadCreated => Err(Error::Stored { what: "event", why: "has data of its own".into() }),
    }
}

fn gone(what: &'static str) -> Error {
    Error::Stored { what, why: "is not there".into() }
}

fn json(data: &impl Serialize) -> Result<String> {
    serde_json::to_string(data).map_err(|error| Error::Stored { what: "event", why: error.to_string() })
}
