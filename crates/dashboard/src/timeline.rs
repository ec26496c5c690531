//! What there was with a contact, the latest first: calls, leads and appointments in one line of time.
//!
//! All three have stamps of one record clock, so a stamp is a place in all of them.

use model::{Appointment, ContactId, Cursor, Lead, Page, Stamp, Time};
use store::{ListAppointments, ListCalls, ListLeads, OrgStore};

use crate::{
    appointment,
    call::{Badge, Call},
    error::PageError,
    lead,
    show::{self, Moment, Zone},
};

/// How much a page has.
const LIMIT: u32 = 30;

/// Something that there was.
pub(crate) struct Entry {
    place: Time,
    pub(crate) icon: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) href: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) badge: Badge,
    pub(crate) at: Moment,
}

/// A part of it, and where the next one begins.
pub(crate) struct Timeline {
    pub(crate) entries: Vec<Entry>,
    pub(crate) next: Option<Cursor>,
}

/// Reads a part of what there was with a contact.
pub(crate) async fn read(
    store: &OrgStore,
    contact: ContactId,
    before: Option<Cursor>,
    zone: &Zone,
) -> Result<Timeline, PageError> {
    let page = Page { limit: LIMIT, before, since: None };
    let contact = Some(contact);
    let calls = ListCalls { page, status: None, until: None, view: None, contact, phone: None, search: None };
    let calls = store.list_calls(calls).await?;
    let leads =
        store.list_leads(ListLeads { page, status: None, urgency: None, contact, phone: None, search: None });
    let leads = leads.await?;
    let booked =
        ListAppointments { page, status: None, contact, lead: None, phone: None, from: None, to: None };
    let booked = store.list_appointments(booked).await?;
    let mut more = calls.next.is_some() || leads.next.is_some() || booked.next.is_some();
    let calls: Vec<Call> = serde_json::from_slice(&calls.json)?;
    let mut entries: Vec<Entry> = calls.iter().map(|call| of_call(call, zone)).collect();
    entries.extend(leads.records.iter().map(|lead| of_lead(lead, zone)));
    entries.extend(booked.records.iter().map(|appointment| of_appointment(appointment, zone)));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.place));
    more |= entries.len() > LIMIT as usize;
    entries.truncate(LIMIT as usize);
    let last = entries.last().filter(|_| more).map(|entry| Cursor(Stamp::from_micros(entry.place.micros())));
    Ok(Timeline { entries, next: last })
}

fn of_call(call: &Call, zone: &Zone) -> Entry {
    let (gist, from) = call.gist();
    let gist: String = gist.into_iter().map(|part| part.text).collect();
    let length = call.duration_seconds.map_or_else(String::new, |it| format!(", {}", show::duration(it)));
    Entry {
        place: call.created_at,
        icon: "phone",
        kind: "Call",
        href: format!("/calls/{}", call.id),
        title: format!("{}{length}", call.intent.clone().unwrap_or_else(|| "Call".to_owned())),
        text: if from.is_empty() { gist } else { format!("{from}: {gist}") },
        badge: call.status_badge(),
        at: call.began(zone),
    }
}

fn of_lead(lead: &Lead, zone: &Zone) -> Entry {
    Entry {
        place: lead.created_at.time(),
        icon: "flag",
        kind: "Lead",
        href: lead::address(lead.id),
        title: lead::title(lead),
        text: lead.summary.as_deref().map(|text| show::excerpt(text, 200)).unwrap_or_default(),
        badge: lead::badge(lead.status),
        at: zone.moment(lead.created_at.time()),
    }
}

fn of_appointment(it: &Appointment, zone: &Zone) -> Entry {
    Entry {
        place: it.created_at.time(),
        icon: "calendar",
        kind: "Appointment",
        href: appointment::address(it.id),
        title: appointment::title(it),
        text: appointment::when(it, zone),
        badge: appointment::badge(it.status),
        at: zone.moment(it.created_at.time()),
    }
}
