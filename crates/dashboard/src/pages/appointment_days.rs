//! Days with what takes place on them: those of an agenda, of a week, and of a month by weeks.

use jiff::civil::Date;
use model::{Appointment, AppointmentStatus, Time};

use super::appointments::{Asked, plus};
use crate::{appointment, call::Badge, show::Zone};

/// How many a day of a month names; the day itself has the others.
const OF_DAY: usize = 3;

/// An appointment in a line.
pub(super) struct AppointmentRow {
    pub(super) href: String,
    pub(super) time: String,
    pub(super) until: Option<String>,
    pub(super) title: String,
    pub(super) who: Option<String>,
    pub(super) place: Option<String>,
    pub(super) status: Badge,
    pub(super) is_off: bool,
}

impl AppointmentRow {
    pub(super) fn new(it: &Appointment, zone: &Zone) -> Self {
        let ends_same_day = |end: &Time| it.starts_at.is_some_and(|start| zone.day(start) == zone.day(*end));
        Self {
            href: appointment::address(it.id),
            time: it.starts_at.map_or_else(|| "–".to_owned(), |at| zone.time(at)),
            until: it
                .ends_at
                .map(|end| if ends_same_day(&end) { zone.time(end) } else { zone.day_and_time(end) }),
            title: appointment::title(it),
            who: appointment::who(it),
            place: it.location.clone(),
            status: appointment::badge(it.status),
            is_off: it.status == AppointmentStatus::Cancelled,
        }
    }
}

/// A day with what takes place on it.
pub(super) struct Day {
    pub(super) label: String,
    pub(super) number: i8,
    pub(super) weekday: String,
    pub(super) iso: String,
    pub(super) href: String,
    pub(super) is_today: bool,
    /// Whether it belongs to the month that is shown.
    pub(super) is_inside: bool,
    pub(super) rows: Vec<AppointmentRow>,
    pub(super) more: usize,
}

/// The days on which something takes place, one after the other.
pub(super) fn agenda(asked: &Asked, found: &[Appointment], zone: &Zone) -> Vec<Day> {
    let mut days: Vec<(Date, Vec<AppointmentRow>)> = Vec::new();
    for it in found {
        let Some(day) = it.starts_at.map(|at| zone.day(at)) else { continue };
        let row = AppointmentRow::new(it, zone);
        match days.last_mut() {
            Some((last, rows)) if *last == day => rows.push(row),
            _ => days.push((day, vec![row])),
        }
    }
    days.into_iter().map(|(day, rows)| of(asked, day, rows, zone)).collect()
}

/// Each of some days, with what takes place on it.
pub(super) fn every_day(
    asked: &Asked,
    from: Date,
    count: i64,
    found: &[Appointment],
    zone: &Zone,
) -> Vec<Day> {
    let day = |ahead| {
        let day = plus(from, ahead)?;
        let on = found.iter().filter(|it| it.starts_at.is_some_and(|at| zone.day(at) == day));
        Some(of(asked, day, on.map(|it| AppointmentRow::new(it, zone)).collect(), zone))
    };
    (0..count).filter_map(day).collect()
}

pub(super) fn month(
    asked: &Asked,
    from: Date,
    to: Option<Date>,
    found: &[Appointment],
    zone: &Zone,
) -> Vec<Vec<Day>> {
    let month = asked.day(zone).month();
    let mut weeks = Vec::new();
    let mut first = from;
    while to.is_some_and(|to| first < to) {
        let mut days = every_day(asked, first, 7, found, zone);
        for day in &mut days {
            day.more = day.rows.len().saturating_sub(OF_DAY);
            day.rows.truncate(OF_DAY);
            day.is_inside = day.iso.parse::<Date>().is_ok_and(|it| it.month() == month);
        }
        weeks.push(days);
        let Some(next) = plus(first, 7) else { break };
        first = next;
    }
    weeks
}

fn of(asked: &Asked, day: Date, rows: Vec<AppointmentRow>, zone: &Zone) -> Day {
    let relative = match day.since(zone.today()).map(|span| span.get_days()) {
        Ok(0) => "Today, ",
        Ok(1) => "Tomorrow, ",
        Ok(-1) => "Yesterday, ",
        _ => "",
    };
    Day {
        label: format!("{relative}{}", day.strftime("%A, %-d %B %Y")),
        number: day.day(),
        weekday: day.strftime("%a").to_string(),
        iso: day.to_string(),
        href: asked.on(day).as_agenda().href(),
        is_today: day == zone.today(),
        is_inside: true,
        rows,
        more: 0,
    }
}
