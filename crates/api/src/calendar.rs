//! `/calendar/{token}.ics`: the appointments, for calendars that read an address (RFC 5545).

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};
use model::{Appointment, AppointmentStatus, CalendarToken, Time};
use store::{ListAgenda, OrgStore};

use crate::{
    AppState,
    error::ApiError,
    extract::{BaseUrl, CalendarFile},
    openapi,
};

/// What is shown: from three months ago on, two years ahead.
const BEFORE: Duration = Duration::from_secs(92 * 86_400);
const AHEAD: Duration = Duration::from_secs(730 * 86_400);

/// How many appointments are read at once, and how many are shown at most.
const PAGE: u32 = 500;
const MOST: usize = 5000;

/// Read the appointments as a calendar
///
/// The address that `POST /v1/calendar-feeds` gave out, for calendars that subscribe to one: the appointments that have a
/// time, from three months ago on. Whoever knows the address reads them; `DELETE /v1/calendar-feeds/{id}` ends it.
#[utoipa::path(get, path = "/calendar/{file}", tag = "Appointments", security(()),
    params(("file" = String, Path, description = "What is secret, with `.ics` behind it.")),
    responses(
        (status = 200, description = "The appointments.", body = String, content_type = "text/calendar"),
        (status = 404, response = openapi::NotFound),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_calendar(
    State(state): State<AppState>,
    CalendarFile(file): CalendarFile,
    BaseUrl(base): BaseUrl,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found("calendar");
    let token = CalendarToken::parse(&file).ok_or_else(missing)?;
    let (org, feed) = state.store.open_calendar_feed(token.hash()).await?.ok_or_else(missing)?;
    let appointments = agenda(&state.store.org(org), state.clock.now()).await?;
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0"));
    calendar.append_property(("PRODID", "-//InboundFlow//Appointments//EN"));
    calendar.append_property(("CALSCALE", "GREGORIAN"));
    calendar.append_property(("METHOD", "PUBLISH"));
    calendar.append_property(("X-WR-CALNAME", &*one_line(&feed.name)));
    // How often calendars should look again (RFC 7986, section 5.7).
    calendar.append_property(
        Property::new("REFRESH-INTERVAL", "PT15M").add_parameter("VALUE", "DURATION").done(),
    );
    calendar.append_property(("X-PUBLISHED-TTL", "PT15M"));
    calendar.extend(appointments.iter().map(|appointment| event(appointment, &base)));
    let mut response = calendar.to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("inline; filename=\"appointments.ics\""),
    );
    Ok(response)
}

async fn agenda(store: &OrgStore, now: Time) -> Result<Vec<Appointment>, ApiError> {
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(0);
    let (from, to) = (now.plus_micros(-micros(BEFORE)), now.plus_micros(micros(AHEAD)));
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let list = ListAgenda { limit: PAGE, after, status: None, from: Some(from), to: Some(to) };
        let found = store.list_agenda(list).await?;
        all.extend(found.records);
        after = found.next;
        if after.is_none() || all.len() >= MOST {
            return Ok(all);
        }
    }
}

fn event(it: &Appointment, base: &str) -> Event {
    let mut event = Event::with_uid(&format!("{}@inboundflow", it.id));
    let mut put = |name: &str, value: &str| {
        event.add_property(name, value);
    };
    put("DTSTAMP", &moment(it.updated_at.time()));
    put("LAST-MODIFIED", &moment(it.updated_at.time()));
    put("CREATED", &moment(it.created_at.time()));
    if let Some(start) = it.starts_at {
        put("DTSTART", &moment(start));
        // An end has to be later than the start (RFC 5545, section 3.8.2.2); where none is known, none is made up.
        if let Some(end) = it.ends_at.filter(|end| *end > start) {
            put("DTEND", &moment(end));
        }
    }
    put("URL", &format!("{base}/appointments/{}", it.id));
    let who = [&it.attendee_name, &it.attendee_email].into_iter().flatten().next();
    let title = it.title.as_deref().unwrap_or("Appointment");
    let summary = who.map_or_else(|| title.to_owned(), |who| format!("{title}: {who}"));
    event.summary(&text(&summary));
    if let Some(place) = &it.location {
        event.location(&text(place));
    }
    let about = about(it);
    if !about.is_empty() {
        event.description(&text(&about));
    }
    event.status(match it.status {
        AppointmentStatus::Cancelled => EventStatus::Cancelled,
        AppointmentStatus::Unconfirmed => EventStatus::Tentative,
        _ => EventStatus::Confirmed,
    });
    event
}

/// Who comes, how to reach them, and what was noted.
fn about(it: &Appointment) -> String {
    let phone = it.attendee_phone.as_ref().map(model::Phone::international);
    let lines = [it.attendee_name.clone(), phone, it.attendee_email.clone(), it.notes.clone()];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A time in UTC, as calendars write it.
fn moment(time: Time) -> String {
    time.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text for a property that the library does not know to be one, and so does not escape.
fn one_line(name: &str) -> String {
    let plain = text(name).replace('\n', " ");
    plain.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;")
}

/// A text of somebody's without what could end a line: only line feeds stay, which are escaped.
fn text(text: &str) -> String {
    let plain = text.replace("\r\n", "\n").replace('\r', "\n");
    plain.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}
