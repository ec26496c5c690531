//! `/v1/event-types`: what can happen, described; samples of it; and a sample told on purpose.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{DeliveryId, EndpointId, EventId, EventType, OrgId, Time, event::webhook_body, sample};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};
use store::{EventData, Listed, NewEvent};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{List, One},
    error::{ApiError, Code},
    extract::{Json, PathText, Query},
    openapi::{self, ListOf, OneOf},
    v1::{bodies::wrong, events::raw, webhooks::find},
};

/// A type of event.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = EventTypeDescription)]
pub struct EventTypeRecord {
    /// Its name.
    name: &'static str,
    /// When it happens.
    description: String,
    /// Whether an endpoint is told of it only where it names it, or asks for `*`; `all` is the others. It is kept only
    /// where an endpoint asks for it.
    opt_in: bool,
    /// The JSON Schema (2020-12) of its webhooks' body.
    #[schema(value_type = Object)]
    schema: Value,
    /// A webhook's body.
    #[schema(value_type = Object)]
    example: Value,
}

/// Every type of event, from the description of the interface.
pub fn event_types() -> Arc<[EventTypeRecord]> {
    let document = openapi::document();
    EventType::ALL.iter().map(|event| record(&document, *event)).collect()
}

fn record(document: &Value, event: EventType) -> EventTypeRecord {
    let name = event.as_str();
    let operation = &document["webhooks"][name]["post"];
    let mut definitions = Map::new();
    let mut schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
    if let Some(named) = schema["$ref"].as_str().and_then(|path| component(document, path)) {
        schema = named.1;
    }
    resolve(&mut schema, document, &mut definitions);
    schema["properties"]["event"] = json!({"const": name});
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    if !definitions.is_empty() {
        schema["$defs"] = Value::Object(definitions);
    }
    EventTypeRecord {
        name,
        description: operation["summary"].as_str().unwrap_or_default().to_owned(),
        opt_in: event.is_opt_in(),
        schema,
        example: json!({
            "event": name,
            "timestamp": "2026-02-24T21:00:00.000Z",
            "organization_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f700",
            "delivery_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f7ff",
            "data": sample::data(event),
        }),
    }
}

/// A schema of the description, with its name.
fn component(document: &Value, path: &str) -> Option<(String, Value)> {
    let name = path.strip_prefix("#/components/schemas/")?;
    Some((name.to_owned(), document["components"]["schemas"].get(name)?.clone()))
}

/// Takes what a schema refers to along, so that it can stand alone.
fn resolve(schema: &mut Value, document: &Value, definitions: &mut Map<String, Value>) {
    if let Some((name, mut definition)) = schema["$ref"].as_str().and_then(|path| component(document, path)) {
        schema["$ref"] = json!(format!("#/$defs/{name}"));
        if !definitions.contains_key(&name) {
            definitions.insert(name.clone(), Value::Null);
            resolve(&mut definition, document, definitions);
            definitions.insert(name, definition);
        }
    }
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, document, definitions)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| resolve(field, document, definitions));
        }
        _ => {}
    }
}

/// Nothing is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// List event types
#[utoipa::path(get, path = "/v1/event-types", tag = "Events",
    responses(
        (status = 200, description = "Every type, on one page.", body = ListOf<EventTypeRecord>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_event_types(
    State(state): State<AppState>,
    _: Caller,
    Query(NoQuery {}): Query<NoQuery>,
) -> List<EventTypeRecord> {
    List(Listed { records: state.event_types.to_vec(), next: None })
}

/// Get an event type
#[utoipa::path(get, path = "/v1/event-types/{type}", tag = "Events",
    params(("type" = EventType, Path, description = "The event's name.")),
    responses(
        (status = 200, description = "The type.", body = OneOf<EventTypeRecord>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_event_type(
    State(state): State<AppState>,
    _: Caller,
    PathText(name): PathText,
) -> Result<One<EventTypeRecord>, ApiError> {
    let found = state.event_types.iter().find(|record| record.name == name);
    found.cloned().map(One::new).ok_or_else(unknown)
}

/// How samples are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSamples {
    /// `array` for the bare array, without the envelope: Zapier takes nothing else.
    #[param(inline)]
    format: Option<SampleFormat>,
}

/// What stands around samples.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SampleFormat {
    /// The envelope of lists.
    List,
    /// Nothing.
    Array,
}

/// A body as webhooks have it.
#[derive(Serialize, ToSchema)]
#[schema(as = EventSample)]
pub(crate) struct ShownSample {
    event: String,
    timestamp: Time,
    organization_id: OrgId,
    /// Of an event that happened, the event's id.
    delivery_id: DeliveryId,
    #[schema(value_type = Object)]
    data: Value,
}

/// Samples, in the envelope or without.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum Samples {
    List(ListOf<ShownSample>),
    Array(Vec<ShownSample>),
}

/// How many samples there are at most.
const SAMPLES: u32 = 3;

/// List samples of an event
///
/// The newest events of this type, in the shape that their webhooks have, or an invented one where none has happened:
/// the sample list of Zapier's REST hooks.
#[utoipa::path(get, path = "/v1/event-types/{type}/samples", tag = "Events",
    params(("type" = EventType, Path, description = "The event's name."), ListSamples),
    responses(
        (status = 200, description = "Samples, the newest first.", body = Samples),
        openapi::SubListErrors,
    ))]
pub(crate) async fn list_event_samples(
    State(state): State<AppState>,
    caller: Caller,
    PathText(name): PathText,
    Query(query): Query<ListSamples>,
) -> Result<Response, ApiError> {
    let event = EventType::parse(&name).ok_or_else(unknown)?;
    let newest = caller.store.newest_events(event.as_str(), SAMPLES).await?;
    let mut bodies = Vec::new();
    for logged in newest {
        let delivery = DeliveryId::new(logged.id.uuid());
        let at = logged.created_at.time();
        bodies.push(raw(webhook_body(&logged.event, at, caller.org, delivery, &logged.data))?);
    }
    if bodies.is_empty() {
        let (at, data) = (state.clock.now(), sample::data(event).to_string());
        let invented = DeliveryId::new(uuid::Uuid::nil());
        bodies.push(raw(webhook_body(event.as_str(), at, caller.org, invented, &data))?);
    }
    Ok(match query.format {
        Some(SampleFormat::Array) => bare(&bodies),
        Some(SampleFormat::List) | None => List(Listed { records: bodies, next: None }).into_response(),
    })
}

fn bare(bodies: &[Box<RawValue>]) -> Response {
    let json = serde_json::to_string(bodies).unwrap_or_else(|_| "[]".into());
    let headers = [
        (axum::http::header::CONTENT_TYPE, "application/json"),
        (axum::http::header::CACHE_CONTROL, "private, no-cache"),
    ];
    (headers, json).into_response()
}

/// What the sample is to say, and to whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerEvent {
    /// Fields of `data` to be said otherwise than in the sample.
    #[schema(value_type = Option<Object>)]
    set: Option<Map<String, Value>>,
    /// Only this endpoint is told; every one that asks for the event where nothing is said.
    #[schema(value_type = Option<String>, format = Uuid)]
    webhook_id: Option<EndpointId>,
}

/// A sample that was told.
#[derive(Serialize, ToSchema)]
pub(crate) struct TriggeredEvent {
    /// The event, as `/v1/events` has it.
    id: EventId,
    event: EventType,
    /// How many endpoints it is delivered to.
    deliveries: i64,
}

/// Trigger a sample event
///
/// Tells an event that did not happen, with sample data, as any other is told: it is in the log and in the streams, and
/// delivered to the endpoints that ask for it. For trying out what you build; real receivers cannot tell it from a
/// real one.
#[utoipa::path(post, path = "/v1/event-types/{type}/trigger", tag = "Events",
    params(("type" = EventType, Path, description = "The event's name.")),
    request_body = TriggerEvent,
    responses(
        (status = 201, description = "It is told.", body = OneOf<TriggeredEvent>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn trigger_event(
    State(state): State<AppState>,
    caller: Caller,
    PathText(name): PathText,
    body: Json<TriggerEvent>,
) -> Result<One<TriggeredEvent>, ApiError> {
    let event = EventType::parse(&name).ok_or_else(unknown)?;
    let TriggerEvent { set, webhook_id } = body.value;
    let data = sample::data_with(event, set.unwrap_or_default()).map_err(|why| wrong("set", &why))?;
    if let Some(id) = webhook_id {
        find(&caller, id).await?;
    }
    let sample = NewEvent { event, call_id: None, data: EventData::Json(data.to_string()) };
    let told = caller.store.tell_sample(sample, webhook_id, state.ingest.rules()).await?;
    let triggered = TriggeredEvent { id: told.id, event, deliveries: told.deliveries };
    Ok(One::new(triggered).status(StatusCode::CREATED))
}

fn unknown() -> ApiError {
    let message =
        format!("There is no such event: there are {}", EventType::ALL.map(EventType::as_str).join(", "));
    ApiError::new(Code::NotFound, message)
}
