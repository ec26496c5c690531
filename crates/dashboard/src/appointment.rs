//! An appointment as people see it and fill it in.

use model::{Appointment, AppointmentId, AppointmentStatus, Patch, Time};
use store::AppointmentChange;

use crate::{
    call::Badge,
    contact,
    extract::Form,
    fault::Fault,
    fields::{self, NAME, NOTES, PLACE},
    show::Zone,
};

/// Where an appointment's page is.
pub(crate) fn address(id: AppointmentId) -> String {
    format!("/appointments/{id}")
}

/// What people call a status.
pub(crate) const fn word(status: AppointmentStatus) -> &'static str {
    match status {
        AppointmentStatus::Booked => "Booked",
        AppointmentStatus::Unconfirmed => "To be confirmed",
        AppointmentStatus::Rescheduled => "Moved",
        AppointmentStatus::Cancelled => "Cancelled",
        AppointmentStatus::Completed => "Took place",
        AppointmentStatus::NoShow => "Did not show up",
    }
}

pub(crate) fn badge(status: AppointmentStatus) -> Badge {
    let (icon, tone) = match status {
        AppointmentStatus::Booked => ("check", "good"),
        AppointmentStatus::Unconfirmed => ("clock", "warn"),
        AppointmentStatus::Rescheduled => ("forward", "info"),
        AppointmentStatus::Cancelled => ("cross", "quiet"),
        AppointmentStatus::Completed => ("check", "quiet"),
        AppointmentStatus::NoShow => ("ban", "warn"),
    };
    Badge::new(word(status), icon, tone)
}

/// What it is for.
pub(crate) fn title(appointment: &Appointment) -> String {
    appointment.title.clone().unwrap_or_else(|| "Appointment".to_owned())
}

/// Who comes, where anything is known of them.
pub(crate) fn who(it: &Appointment) -> Option<String> {
    let is_known = it.attendee_name.is_some() || it.attendee_phone.is_some() || it.attendee_email.is_some();
    let who = || {
        contact::who(it.attendee_name.as_deref(), it.attendee_phone.as_ref(), it.attendee_email.as_deref())
    };
    is_known.then(who)
}

/// When it takes place.
pub(crate) fn when(it: &Appointment, zone: &Zone) -> String {
    match (it.starts_at, it.ends_at) {
        (None, _) => "Time not known".to_owned(),
        (Some(start), None) => zone.day_and_time(start),
        (Some(start), Some(end)) if zone.day(start) == zone.day(end) => {
            format!("{} – {}", zone.day_and_time(start), zone.time(end))
        }
        (Some(start), Some(end)) => format!("{} – {}", zone.day_and_time(start), zone.day_and_time(end)),
    }
}

/// What a person typed of an appointment.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    pub(crate) title: String,
    /// Times of day in the organization's zone, as fields of a form have them.
    pub(crate) starts: String,
    pub(crate) ends: String,
    pub(crate) location: String,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) status: String,
    pub(crate) notes: String,
}

impl Draft {
    /// What a form begins with.
    pub(crate) fn new() -> Self {
        Self { status: AppointmentStatus::Booked.as_str().to_owned(), ..Self::default() }
    }

    pub(crate) fn of(it: &Appointment, zone: &Zone) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            title: text(&it.title),
            starts: it.starts_at.map(|at| zone.local(at)).unwrap_or_default(),
            ends: it.ends_at.map(|at| zone.local(at)).unwrap_or_default(),
            location: text(&it.location),
            name: text(&it.attendee_name),
            phone: it.attendee_phone.as_ref().map(model::Phone::international).unwrap_or_default(),
            email: text(&it.attendee_email),
            status: it.status.as_str().to_owned(),
            notes: text(&it.notes),
        }
    }

    pub(crate) fn read(form: &Form) -> Self {
        let text = |field| form.text(field).to_owned();
        Self {
            title: text("title"),
            starts: text("starts_at"),
            ends: text("ends_at"),
            location: text("location"),
            name: text("attendee_name"),
            phone: text("attendee_phone"),
            email: text("attendee_email"),
            status: text("status"),
            notes: fields::lines(form, "notes"),
        }
    }

    /// Looks whether it can be saved, as the API does. A time that is as it was stays, with the seconds that no field shows.
    pub(crate) fn check(&self, was: Option<&Draft>, zone: &Zone) -> Result<AppointmentChange, Fault> {
        let status = AppointmentStatus::parse(&self.status);
        let status = status.ok_or(("status", "Choose one of these.".to_owned()))?;
        Ok(AppointmentChange {
            title: fields::text("title", &self.title, NAME)?,
            starts_at: time("starts_at", &self.starts, was.map(|was| was.starts.as_str()), zone)?,
            ends_at: time("ends_at", &self.ends, was.map(|was| was.ends.as_str()), zone)?,
            location: fields::text("location", &self.location, PLACE)?,
            attendee_name: fields::text("attendee_name", &self.name, NAME)?,
            attendee_phone: fields::phone("attendee_phone", &self.phone)?,
            attendee_email: fields::email("attendee_email", &self.email)?,
            notes: fields::text("notes", &self.notes, NOTES)?,
            status: Some(status),
            ..AppointmentChange::default()
        })
    }

    pub(crate) fn statuses(&self) -> Vec<(&'static str, &'static str, bool)> {
        AppointmentStatus::ALL.map(|it| (it.as_str(), word(it), it.as_str() == self.status)).to_vec()
    }
}

fn time(field: &'static str, typed: &str, was: Option<&str>, zone: &Zone) -> Result<Patch<Time>, Fault> {
    if was == Some(typed) {
        return Ok(Patch::Leave);
    }
    if typed.is_empty() {
        return Ok(Patch::Clear);
    }
    let at = zone.read_local(typed);
    at.map(Patch::Set).ok_or_else(|| (field, "Say the day and the time of day.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_nobody_touched_stays_and_another_is_of_the_organization_s_zone() {
        let zone = Zone::new(Some("Europe/Berlin"), "2026-02-24T12:00:00Z".parse().expect("a time"));
        let was = Draft { starts: "2026-03-02T10:00".into(), ..Draft::new() };
        let same = Draft { ends: "2026-07-02T11:00".into(), ..was.clone() };
        let change = same.check(Some(&was), &zone).expect("an appointment");
        assert_eq!(change.starts_at, Patch::Leave);
        assert_eq!(change.ends_at, Patch::Set("2026-07-02T09:00:00Z".parse().expect("a time")));
        let cleared = Draft { starts: String::new(), ..was.clone() };
        assert_eq!(cleared.check(Some(&was), &zone).expect("an appointment").starts_at, Patch::Clear);
        let wrong = Draft { starts: "tomorrow".into(), ..was.clone() };
        assert_eq!(wrong.check(Some(&was), &zone).err().map(|(field, _)| field), Some("starts_at"));
    }
}
