//! Addresses at which calendars read the appointments: made, shown once, and revoked.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{CalendarFeed, CalendarToken, Page, Permission, id::kind};
use store::{ListCalendarFeeds, MadeCalendarFeed, OrgStore};

use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, Origin, PathIds},
    fault::{Fault, Faults},
    fields, once,
    person::Person,
    shell::{Shell, Tab, page_with},
    show::{Moment, Zone},
};

/// How many are listed.
const LIMIT: u32 = 100;

struct FeedRow {
    id: String,
    name: String,
    last4: String,
    made: Moment,
    read: Option<Moment>,
}

#[derive(Template)]
#[template(path = "calendar_feeds.html")]
struct FeedsPage {
    shell: Shell,
    rows: Vec<FeedRow>,
    name: String,
    /// An address that was just made, and the same for calendars that are opened by a click.
    made: Option<(String, Option<String>)>,
    once: String,
    fault: Faults,
    zone: String,
}

/// What was just asked of the page.
#[derive(Default)]
struct Shown {
    name: String,
    made: Option<String>,
    fault: Option<Fault>,
}

pub(crate) async fn list_feeds(
    State(state): State<Dashboard>,
    person: Person,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ShareCalendar)?;
    show(&state, &person, &store, Shown::default()).await
}

async fn show(
    state: &Dashboard,
    person: &Person,
    store: &OrgStore,
    shown: Shown,
) -> Result<Response, PageError> {
    let zone = person.zone(state);
    let page = Page { limit: LIMIT, before: None, since: None };
    let feeds = store.list_calendar_feeds(ListCalendarFeeds { page }).await?;
    let status = if shown.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    // Calendars take `webcal` for an address to subscribe to, and go there by https.
    let by_click = |url: &str| url.strip_prefix("https://").map(|rest| format!("webcal://{rest}"));
    page_with(
        status,
        &FeedsPage {
            shell: person.shell(state, "Calendar feeds", Tab::Appointments),
            rows: feeds.records.iter().map(|feed| row(feed, &zone)).collect(),
            name: shown.name,
            made: shown.made.map(|url| (url.clone(), by_click(&url))),
            once: once::fresh(&*state.ids),
            fault: Faults(shown.fault),
            zone: zone.name,
        },
    )
}

fn row(feed: &CalendarFeed, zone: &Zone) -> FeedRow {
    FeedRow {
        id: feed.id.to_string(),
        name: feed.name.clone(),
        last4: feed.last4.clone(),
        made: zone.moment(feed.created_at.time()),
        read: feed.last_read_at.map(|at| zone.moment(at)),
    }
}

pub(crate) async fn create_feed(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    form: Form,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ShareCalendar)?;
    let name = form.text("name").to_owned();
    if !(1..=200).contains(&name.chars().count()) {
        let fault = ("name", "Say whose calendar it is for, in at most 200 characters.".to_owned());
        return show(&state, &person, &store, Shown { name, fault: Some(fault), ..Shown::default() }).await;
    }
    let asked = fields::asked(&state, &form, "POST /appointments/feeds");
    let answer = store.create_calendar_feed(name, asked).await?;
    let written = answer.map_err(|_| PageError::bad_request("The address could not be made."))?;
    let made: MadeCalendarFeed = serde_json::from_str(&once::kept(written)?)?;
    let url = format!("{origin}{}", CalendarToken::path(&made.token));
    show(&state, &person, &store, Shown { made: Some(url), ..Shown::default() }).await
}

/// Ends an address for good.
pub(crate) async fn revoke_feed(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::CalendarFeed>(0, "calendar feed")?;
    let store = person.door(Permission::ShareCalendar)?;
    let asked = fields::asked(&state, &form, &format!("POST /appointments/feeds/{id}/revoke"));
    match store.delete_calendar_feed(id, asked).await? {
        Ok(written) => {
            once::kept(written)?;
            Ok(Redirect::to("/appointments/feeds").into_response())
        }
        Err(_) => Err(PageError::not_found("calendar feed")),
    }
}
