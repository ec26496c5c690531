//! `/v1/events`: the log of what happened, and `/v1/webhooks/{id}/missed`: what an endpoint may have missed of it.

use axum::extract::State;
use model::{DeliveryId, EventId, EventType, OrgId, Sending, Shape, Stamp, Time, id::kind};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use store::{Listed, LoggedEvent, Missed};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    AppState,
    auth::Caller,
    envelope::List,
    error::{ApiError, Code},
    extract::{CursorParam, Limit, PathId, Query, TimeParam},
    openapi::{self, ListOf},
    v1::{deliveries::ShownState, webhooks::find},
};

/// Something that happened: what its webhooks say, without `delivery_id`, because it is not delivered to anybody, and
/// with an `id` of its own.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct ShownEvent {
    /// The event; always the same.
    id: EventId,
    /// What happened.
    event: String,
    /// When.
    timestamp: Time,
    /// Whose event it is.
    organization_id: OrgId,
    /// `data` of its webhooks.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

impl ShownEvent {
    pub(crate) fn new(logged: LoggedEvent, org: OrgId) -> Result<Self, ApiError> {
        Ok(Self {
            id: logged.id,
            event: logged.event,
            timestamp: logged.created_at.time(),
            organization_id: org,
            data: raw(logged.data)?,
        })
    }
}

/// Stored JSON, which goes out as it is.
pub(crate) fn raw(json: String) -> Result<Box<RawValue>, ApiError> {
    RawValue::from_string(json)
        .map_err(|error| ApiError::from(store::Error::Stored { what: "event", why: error.to_string() }))
}

/// Names of events, separated by commas.
#[derive(Clone, Default)]
pub(crate) struct EventNames(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for EventNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let names = text.split(',').map(|name| {
            EventType::parse(name.trim()).map(|event| event.as_str().to_owned()).ok_or_else(|| {
                let all = EventType::ALL.map(EventType::as_str).join(", ");
                de::Error::custom(format!("`{name}` is no event: there are {all}"))
            })
        });
        names.collect::<Result<_, _>>().map(Self)
    }
}

/// Which events are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListEvents {
    /// How many events a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only what happened after this: the `id` of the last event that you have, or the `delivery_id` of a webhook.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Uuid>,
    /// Only events told after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only events of these types, separated by commas.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>, format = "event-names", example = "call.completed,lead.created")]
    types: Option<EventNames>,
}

/// List events
///
/// Everything that happened, oldest first. To find out whether you missed something, send the last id that you have as
/// `after`: what comes is what you missed.
#[utoipa::path(get, path = "/v1/events", tag = "Events", params(ListEvents),
    responses(
        (status = 200, description = "A page of events, oldest first.", body = ListOf<ShownEvent>),
        openapi::SubListErrors,
    ))]
pub(crate) async fn list_events(
    caller: Caller,
    Query(query): Query<ListEvents>,
) -> Result<List<ShownEvent>, ApiError> {
    let cursor = query.cursor.map(|cursor| cursor.place().0);
    let after = match query.after {
        Some(id) => Some(place_of(&caller, id).await?),
        None => None,
    };
    let list = store::ListEvents {
        limit: query.limit.map_or(50, Limit::get),
        after: cursor.max(after),
        since: query.since.map(|since| since.0),
        types: query.types.unwrap_or_default().0,
    };
    let Listed { records, next } = caller.store.find_events(list).await?;
    let records = records.into_iter().map(|event| ShownEvent::new(event, caller.org));
    Ok(List(Listed { records: records.collect::<Result<_, _>>()?, next }))
}

/// The place in the log of an event that a client names.
pub(crate) async fn place_of(caller: &Caller, id: Uuid) -> Result<Stamp, ApiError> {
    caller.store.place_of_event(id).await?.ok_or_else(|| {
        let message =
            "There is no event or delivery with this id; it may be older than what is kept: use `since`";
        ApiError::new(Code::NotFound, message)
    })
}

/// Which deliveries are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMissed {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before; send the same `after` beside it.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// The `delivery_id` of the last webhook that you have. Without it, everything that is kept.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Uuid>,
}

/// A webhook that an endpoint may have missed.
#[derive(Serialize, ToSchema)]
pub(crate) struct MissedWebhook {
    delivery_id: DeliveryId,
    state: ShownState,
    /// Its body, byte for byte as the endpoint is told now.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

impl MissedWebhook {
    fn new(missed: Missed, org: OrgId, shape: &Shape) -> Result<Self, ApiError> {
        let Missed { delivery, state, event: LoggedEvent { event, created_at, data, .. }, .. } = missed;
        let sending = Sending { event: &event, at: created_at.time(), org, delivery, data: &data };
        Ok(Self { delivery_id: delivery, state: state.into(), body: raw(shape.body(&sending).body)? })
    }
}

/// List what an endpoint may have missed
///
/// For a receiver that was down: send the last `delivery_id` that it has, and get every webhook that was made after it,
/// oldest first, preceded by those before it that failed, were held or were called off. What it has already, it knows
/// by the `delivery_id`.
#[utoipa::path(get, path = "/v1/webhooks/{id}/missed", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid), ListMissed),
    responses(
        (status = 200, description = "A page of webhooks, oldest first.", body = ListOf<MissedWebhook>),
        openapi::SubListErrors,
    ))]
pub(crate) async fn list_missed_webhooks(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
    Query(query): Query<ListMissed>,
) -> Result<List<MissedWebhook>, ApiError> {
    let shape = find(&caller, id).await?.telling.shape(state.store.api_url());
    let after = match query.after {
        Some(delivery) => caller.store.place_of_delivery(id, delivery).await?.ok_or_else(|| {
            let message = "This endpoint was sent no delivery with this id, or it is older than what is kept";
            ApiError::new(Code::NotFound, message)
        })?,
        None => Stamp::from_micros(0),
    };
    let (from, limit) = (query.cursor.map(|cursor| cursor.place().0), query.limit.map_or(50, Limit::get));
    let Listed { records, next } = caller.store.find_missed(id, after, from, limit).await?;
    let records = records.into_iter().map(|missed| MissedWebhook::new(missed, caller.org, &shape));
    Ok(List(Listed { records: records.collect::<Result<_, _>>()?, next }))
}
