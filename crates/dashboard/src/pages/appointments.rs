//! The appointments by when they take place: as an agenda, a week or a month in the organization's time zone.

use askama::Template;
use axum::{extract::State, response::Response};
use jiff::{ToSpan, civil::Date};
use model::{AppointmentStatus, Permission, Place};
use serde::Deserialize;
use store::{ExportFilter, ExportKind, ListAgenda};

use super::{
    appointment_days::{AppointmentRow, Day, agenda, every_day, month},
    export::{self, Links, Mode},
};
use crate::{
    Dashboard, appointment,
    error::PageError,
    extract::Query,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Zone},
};

/// How many a page of the agenda has, and how many a week or a month shows at most.
const LIMIT: u32 = 50;
const SHOWN: u32 = 1000;

/// How many without a time are shown above.
const WITHOUT_TIME: u32 = 5;

/// How far back “Earlier” goes from the agenda.
const BACK_DAYS: i64 = 14;

/// How days are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Agenda,
    Week,
    Month,
}

/// What the address asks for. It is the whole state of the page.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    view: String,
    #[serde(default)]
    day: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    cursor: String,
}

/// From when to when something is shown: the first day, and the day behind the last.
struct Range {
    from: Date,
    to: Option<Date>,
}

impl Asked {
    fn view(&self) -> View {
        match self.view.as_str() {
            "week" => View::Week,
            "month" => View::Month,
            _ => View::Agenda,
        }
    }

    fn fields(&self) -> [(&'static str, &str); 4] {
        let view = if self.view() == View::Agenda { "" } else { &self.view };
        [("view", view), ("day", &self.day), ("status", &self.status), ("cursor", &self.cursor)]
    }

    pub(super) fn href(&self) -> String {
        show::address("/appointments", &self.fields())
    }

    pub(super) fn on(&self, day: Date) -> Self {
        Self { day: day.to_string(), cursor: String::new(), ..self.clone() }
    }

    /// The same as an agenda.
    pub(super) fn as_agenda(self) -> Self {
        Self { view: String::new(), ..self }
    }

    pub(super) fn day(&self, zone: &Zone) -> Date {
        // A calendar that is asked for the year 9999 has days that no time is on.
        let far = |day: &Date| (1900..=2200).contains(&day.year());
        self.day.parse().ok().filter(far).unwrap_or_else(|| zone.today())
    }

    fn status(&self) -> Option<AppointmentStatus> {
        AppointmentStatus::parse(&self.status)
    }

    fn range(&self, zone: &Zone) -> Range {
        let day = self.day(zone);
        match self.view() {
            View::Agenda => Range { from: day, to: None },
            View::Week => Range { from: monday(day), to: plus(monday(day), 7) },
            View::Month => {
                let last = plus(monday(day.last_of_month()), 7);
                Range { from: monday(day.first_of_month()), to: last }
            }
        }
    }

    /// All of what takes place on the days that are shown.
    fn export(&self, zone: &Zone) -> ExportFilter {
        let Range { from, to } = self.range(zone);
        ExportFilter {
            appointment_status: self.status(),
            from: zone.start_of(from),
            to: to.and_then(|to| zone.start_of(to)),
            ..ExportFilter::default()
        }
    }
}

fn monday(day: Date) -> Date {
    let ago = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(ago.days()).unwrap_or(day)
}

pub(super) fn plus(day: Date, days: i64) -> Option<Date> {
    day.checked_add(days.days()).ok()
}

#[derive(Template)]
#[template(path = "appointments.html")]
struct AppointmentsPage {
    shell: Shell,
    title: String,
    is_week: bool,
    is_month: bool,
    views: Vec<(String, &'static str, bool)>,
    days: Vec<Day>,
    weeks: Vec<Vec<Day>>,
    before: String,
    behind: Option<String>,
    today: String,
    is_now: bool,
    statuses: Vec<(&'static str, &'static str, bool)>,
    filter: Option<String>,
    clear: String,
    asked: Asked,
    without_time: Vec<AppointmentRow>,
    is_empty: bool,
    has_any: bool,
    is_cut: bool,
    export: Links,
    may_write: bool,
    may_share: bool,
    zone: String,
}

pub(crate) async fn list_appointments(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadRecords)?, person.zone(&state));
    let Range { from, to } = asked.range(&zone);
    let is_agenda = asked.view() == View::Agenda;
    let list = ListAgenda {
        limit: if is_agenda { LIMIT } else { SHOWN },
        after: Place::decode(&asked.cursor).filter(|_| is_agenda),
        status: asked.status(),
        from: zone.start_of(from),
        to: to.and_then(|to| zone.start_of(to)),
    };
    let found = store.list_agenda(list).await?;
    let later = found.next.filter(|_| is_agenda);
    let later = later.map(|next| Asked { cursor: next.encode(), ..asked.clone() }.href());
    let without_time = if is_agenda && asked.cursor.is_empty() && asked.status.is_empty() {
        store.appointments_without_time(WITHOUT_TIME).await?
    } else {
        Vec::new()
    };
    let (mut days, mut weeks) = (Vec::new(), Vec::new());
    match asked.view() {
        View::Agenda => days = agenda(&asked, &found.records, &zone),
        View::Week => days = every_day(&asked, from, 7, &found.records, &zone),
        View::Month => weeks = month(&asked, from, to, &found.records, &zone),
    }
    let (before, behind) = steps(&asked, &zone);
    let word = |it: AppointmentStatus| (it.as_str(), appointment::word(it), Some(it) == asked.status());
    page(&AppointmentsPage {
        shell: person.shell(&state, "Appointments", Tab::Appointments),
        title: title(&asked, &zone),
        is_week: asked.view() == View::Week,
        is_month: asked.view() == View::Month,
        views: views(&asked),
        before: before.href(),
        behind: if is_agenda { later } else { Some(behind.href()) },
        today: Asked { day: String::new(), cursor: String::new(), ..asked.clone() }.href(),
        is_now: asked.day(&zone) == zone.today() && asked.cursor.is_empty(),
        statuses: std::iter::once(("", "Any", asked.status().is_none()))
            .chain(AppointmentStatus::ALL.map(word))
            .collect(),
        filter: asked.status().map(|it| appointment::word(it).to_owned()),
        clear: Asked { status: String::new(), cursor: String::new(), ..asked.clone() }.href(),
        without_time: without_time.iter().map(|it| AppointmentRow::new(it, &zone)).collect(),
        is_empty: found.records.is_empty(),
        has_any: !found.records.is_empty() || store.count_appointments(None).await? > 0,
        is_cut: !is_agenda && found.next.is_some(),
        export: Links::new(
            "/appointments/export",
            &Asked { cursor: String::new(), ..asked.clone() }.fields(),
        ),
        may_write: person.may(Permission::WriteRecords),
        may_share: person.may(Permission::ShareCalendar),
        zone: zone.name,
        days,
        weeks,
        asked,
    })
}

fn title(asked: &Asked, zone: &Zone) -> String {
    let day = asked.day(zone);
    match asked.view() {
        View::Agenda if day == zone.today() => "From today on".to_owned(),
        View::Agenda => format!("From {} on", day.strftime("%-d %B %Y")),
        View::Week => {
            let (first, last) = (monday(day), plus(monday(day), 6).unwrap_or(day));
            format!("{} – {}", first.strftime("%-d %b"), last.strftime("%-d %b %Y"))
        }
        View::Month => day.strftime("%B %Y").to_string(),
    }
}

fn views(asked: &Asked) -> Vec<(String, &'static str, bool)> {
    let all = [("", "Agenda", View::Agenda), ("week", "Week", View::Week), ("month", "Month", View::Month)];
    let link = |(word, label, view): (&str, &'static str, View)| {
        let href = Asked { view: word.to_owned(), cursor: String::new(), ..asked.clone() }.href();
        (href, label, asked.view() == view)
    };
    all.map(link).to_vec()
}

/// The same view before and behind what is shown.
fn steps(asked: &Asked, zone: &Zone) -> (Asked, Asked) {
    let day = asked.day(zone);
    let (before, behind) = match asked.view() {
        View::Agenda => (plus(day, -BACK_DAYS), plus(day, BACK_DAYS)),
        View::Week => (plus(day, -7), plus(day, 7)),
        View::Month => {
            let first = day.first_of_month();
            (plus(first, -1).map(Date::first_of_month), plus(day.last_of_month(), 1))
        }
    };
    (asked.on(before.unwrap_or(day)), asked.on(behind.unwrap_or(day)))
}

pub(crate) async fn export_appointments(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
    Query(mode): Query<Mode>,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ReadRecords)?;
    export::csv(&store, ExportKind::Appointments, asked.export(&person.zone(&state)), &mode).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(view: &str, day: &str) -> Asked {
        Asked { view: view.to_owned(), day: day.to_owned(), ..Asked::default() }
    }

    fn zone() -> Zone {
        Zone::new(Some("Europe/Berlin"), "2026-03-29T12:00:00Z".parse().expect("a time"))
    }

    #[test]
    fn a_week_begins_on_monday_and_a_month_has_whole_weeks() {
        let range = |view, day| {
            let Range { from, to } = asked(view, day).range(&zone());
            (from.to_string(), to.map(|to| to.to_string()).unwrap_or_default())
        };
        assert_eq!(range("week", "2026-03-29"), ("2026-03-23".into(), "2026-03-30".into()));
        assert_eq!(range("week", "2026-03-30"), ("2026-03-30".into(), "2026-04-06".into()));
        assert_eq!(range("month", "2026-03-15"), ("2026-02-23".into(), "2026-04-06".into()));
        assert_eq!(range("", "nonsense"), ("2026-03-29".into(), String::new()), "else it is from today on");
        let weeks =
            month(&asked("month", "2026-02-10"), monday(Date::constant(2026, 2, 1)), None, &[], &zone());
        assert!(weeks.is_empty());
    }

    #[test]
    fn one_goes_from_month_to_month_whatever_their_lengths() {
        let (before, behind) = steps(&asked("month", "2026-03-31"), &zone());
        assert_eq!((before.day.as_str(), behind.day.as_str()), ("2026-02-01", "2026-04-01"));
        let (before, behind) = steps(&asked("week", "2026-03-31"), &zone());
        assert_eq!((before.day.as_str(), behind.day.as_str()), ("2026-03-24", "2026-04-07"));
        assert_eq!(title(&asked("week", "2026-03-31"), &zone()), "30 Mar – 5 Apr 2026");
    }
}
