//! `/v1/calendar-feeds`: addresses at which calendars read the appointments.

use axum::response::Response;
use model::{CalendarFeed, CalendarToken, id::kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Written;
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{BaseUrl, CursorParam, Json, Limit, PathId, Query, TimeParam, page},
    openapi::{self, ListOf, OneOf},
    v1::{
        bodies::wrong,
        idempotency::IdempotencyKey,
        writes::{Asking, DeletedRecord, VersionHeader, answered},
    },
};

/// Which addresses are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListCalendarFeeds {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only addresses made after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

/// List calendar feeds
///
/// The addresses at which calendars read the appointments, without what is secret in them.
#[utoipa::path(get, path = "/v1/calendar-feeds", tag = "Appointments", params(ListCalendarFeeds),
    responses(
        (status = 200, description = "A page of calendar feeds, newest first.", body = ListOf<CalendarFeed>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_calendar_feeds(
    caller: Caller,
    Query(query): Query<ListCalendarFeeds>,
) -> Result<List<CalendarFeed>, ApiError> {
    let list = store::ListCalendarFeeds { page: page(query.limit, query.cursor, query.since) };
    Ok(List(caller.store.list_calendar_feeds(list).await?))
}

/// A new address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCalendarFeed {
    /// Whose calendar it is for, in your words.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// An address that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownCalendarFeed {
    #[serde(flatten)]
    feed: CalendarFeed,
    /// The address, shown this once. Whoever knows it reads the appointments.
    url: String,
}

/// Create a calendar feed
///
/// An address at which calendars read the appointments, without a key: to be pasted where a calendar subscribes to others.
/// It is shown once.
#[utoipa::path(post, path = "/v1/calendar-feeds", tag = "Appointments", params(IdempotencyKey),
    request_body = NewCalendarFeed,
    responses(
        (status = 201, description = "The calendar feed, with its address.", body = OneOf<ShownCalendarFeed>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_calendar_feed(
    caller: Caller,
    BaseUrl(base): BaseUrl,
    asking: Asking,
    body: Json<NewCalendarFeed>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let name = body.value.name.trim().to_owned();
    if !(1..=200).contains(&name.chars().count()) {
        return Err(wrong("name", "must have 1 to 200 characters, not all of them blank"));
    }
    let answer = caller.store.create_calendar_feed(name, asked).await?;
    answered(answer.map(|written| with_url(written, &base)), "calendar feed")
}

/// What was kept of a new address, with the address in place of the token.
fn with_url(written: Written, base: &str) -> Written {
    let shown = |data: String| {
        let Ok(mut record) = serde_json::from_str::<Value>(&data) else { return data };
        if let Some(record) = record.as_object_mut()
            && let Some(Value::String(token)) = record.shift_remove("token")
        {
            record.insert("url".to_owned(), format!("{base}{}", CalendarToken::path(&token)).into());
        }
        record.to_string()
    };
    match written {
        Written::Done { created, data } => Written::Done { created, data: shown(data) },
        Written::Replayed { status, data } => Written::Replayed { status, data: shown(data) },
        Written::Conflict => Written::Conflict,
    }
}

/// Get a calendar feed
#[utoipa::path(get, path = "/v1/calendar-feeds/{id}", tag = "Appointments",
    params(("id" = String, Path, description = "The calendar feed's id.", format = Uuid)),
    responses(
        (status = 200, description = "The calendar feed.", body = OneOf<CalendarFeed>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_calendar_feed(
    caller: Caller,
    PathId(id): PathId<kind::CalendarFeed>,
) -> Result<One<CalendarFeed>, ApiError> {
    let feed = caller.store.get_calendar_feed(id).await?;
    let feed = feed.ok_or_else(|| ApiError::not_found("calendar feed"))?;
    let version = feed.created_at;
    Ok(One::new(feed).versioned(version))
}

/// Revoke a calendar feed
///
/// Its address answers 404 from then on. Calendars may show for a while what they read before.
#[utoipa::path(delete, path = "/v1/calendar-feeds/{id}", tag = "Appointments",
    params(("id" = String, Path, description = "The calendar feed's id.", format = Uuid), IdempotencyKey, VersionHeader),
    responses(
        (status = 200, description = "It is revoked.", body = OneOf<DeletedRecord>),
        openapi::DeleteErrors,
    ))]
pub(crate) async fn delete_calendar_feed(
    caller: Caller,
    PathId(id): PathId<kind::CalendarFeed>,
    asking: Asking,
) -> Result<Response, ApiError> {
    let asked = asking.of(&[])?;
    answered(caller.store.delete_calendar_feed(id, asked).await?, "calendar feed")
}
