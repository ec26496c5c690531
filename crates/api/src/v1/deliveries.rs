//! `/v1/deliveries`

use axum::{http::HeaderMap, response::Response};
use model::{CallId, DeliveryId, EndpointId, EventId, EventType, OrgId, Stamp, Time, id::kind};
use serde::{Deserialize, Serialize};
use store::{DeliveryDetail, DeliveryState, Listed, ListedDelivery, Resent, StatusClass, StoredAttempt};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::{ApiError, Code},
    extract::{CursorParam, Limit, PathId, Query, TimeParam, page},
    openapi::{self, ListOf, OneOf},
    v1::{
        exchange::{HeaderLine, ReceivedResponse, SentRequest},
        idempotency::{answered, idempotency},
        webhook_tests::EventName,
    },
};

/// How a delivery stands.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
pub(crate) enum ShownState {
    /// Its first try is due.
    Pending,
    /// It is being tried.
    InFlight,
    /// It was answered with 2xx.
    Delivered,
    /// A try failed, another is due.
    Retrying,
    /// The last try failed.
    Exhausted,
    /// It waits for its endpoint to be enabled.
    Held,
    /// Its endpoint is gone, or was deleted.
    Cancelled,
}

impl From<DeliveryState> for ShownState {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::InFlight => Self::InFlight,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Retrying => Self::Retrying,
            DeliveryState::Exhausted => Self::Exhausted,
            DeliveryState::Held => Self::Held,
            DeliveryState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ShownState> for DeliveryState {
    fn from(state: ShownState) -> Self {
        match state {
            ShownState::Pending => Self::Pending,
            ShownState::InFlight => Self::InFlight,
            ShownState::Delivered => Self::Delivered,
            ShownState::Retrying => Self::Retrying,
            ShownState::Exhausted => Self::Exhausted,
            ShownState::Held => Self::Held,
            ShownState::Cancelled => Self::Cancelled,
        }
    }
}

/// What the last try was answered with.
#[derive(Clone, Copy, Deserialize, ToSchema)]
pub(crate) enum AnswerClass {
    #[serde(rename = "2xx")]
    Success,
    #[serde(rename = "3xx")]
    Redirect,
    #[serde(rename = "4xx")]
    ClientError,
    #[serde(rename = "5xx")]
    ServerError,
    /// There was no answer.
    #[serde(rename = "none")]
    NoAnswer,
}

impl From<AnswerClass> for StatusClass {
    fn from(class: AnswerClass) -> Self {
        match class {
            AnswerClass::Success => Self::Success,
            AnswerClass::Redirect => Self::Redirect,
            AnswerClass::ClientError => Self::ClientError,
            AnswerClass::ServerError => Self::ServerError,
            AnswerClass::NoAnswer => Self::None,
        }
    }
}

/// One event on its way to one endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct ShownDelivery {
    /// The same through every retry and resend; the `delivery_id` of its webhooks.
    id: DeliveryId,
    /// The endpoint.
    webhook_id: EndpointId,
    /// The endpoint's address, as it is now.
    url: String,
    event: String,
    /// The event, as `/v1/events` has it.
    event_id: EventId,
    /// The call that the event happened in.
    #[schema(required)]
    call_id: Option<CallId>,
    state: ShownState,
    /// How many tries there were.
    attempt_count: i64,
    /// When the next try is due; null where none is.
    #[schema(required)]
    next_attempt_at: Option<Time>,
    /// The status of the last answer; null where there was none.
    #[schema(required)]
    last_status: Option<i64>,
    /// Why the last try failed, in words; null where it did not.
    #[schema(required)]
    last_error: Option<String>,
    created_at: Stamp,
    updated_at: Stamp,
}

impl From<ListedDelivery> for ShownDelivery {
    fn from(listed: ListedDelivery) -> Self {
        Self {
            id: listed.id,
            webhook_id: listed.endpoint,
            url: listed.url,
            event: listed.event,
            event_id: listed.event_id,
            call_id: listed.call_id,
            state: listed.state.into(),
            attempt_count: listed.attempts,
            next_attempt_at: listed.due_at,
            last_status: listed.last_status,
            last_error: listed.last_error,
            created_at: listed.created_at,
            updated_at: Stamp::from_micros(listed.updated_at.micros()),
        }
    }
}

/// One try of a delivery.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownAttempt {
    /// Which try it is, from 1.
    number: i64,
    /// What caused it: `schedule`, `probe`, `manual` or `recover`.
    trigger: String,
    started_at: Stamp,
    /// How long it took, the answer's body included.
    duration_ms: i64,
    /// The address that was dialled, where it came to that.
    #[schema(required)]
    address: Option<String>,
    request: SentRequest,
    /// The answer, where there was one.
    #[schema(required)]
    response: Option<ReceivedResponse>,
    /// Why it failed, in words.
    #[schema(required)]
    error: Option<String>,
}

impl ShownAttempt {
    fn new(attempt: StoredAttempt, url: &str, body: String) -> Self {
        let StoredAttempt { response_headers, response_body, .. } = attempt;
        let response = attempt.status.map(|status| {
            let (headers, body) = (response_headers.unwrap_or_default(), response_body.unwrap_or_default());
            ReceivedResponse::new(status, headers, body)
        });
        let request = SentRequest {
            method: "POST",
            url: attempt.url.unwrap_or_else(|| url.to_owned()),
            headers: HeaderLine::all(attempt.request_headers),
            body,
        };
        Self {
            number: attempt.number,
            trigger: attempt.cause,
            started_at: Stamp::from_micros(attempt.started_at.micros()),
            duration_ms: attempt.duration_ms,
            address: attempt.address,
            request,
            response,
            error: attempt.error,
        }
    }
}

/// A delivery with every try as it was sent and answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownDeliveryDetail {
    #[serde(flatten)]
    delivery: ShownDelivery,
    /// Its tries, the first one first.
    attempts: Vec<ShownAttempt>,
}

impl ShownDeliveryDetail {
    pub(crate) fn new(detail: DeliveryDetail, org: OrgId) -> Self {
        let bodies = detail.attempts.iter().map(|attempt| detail.body(Some(attempt), org));
        let bodies: Vec<String> = bodies.collect();
        let DeliveryDetail { summary, attempts, .. } = detail;
        let each = attempts.into_iter().zip(bodies);
        let attempts = each.map(|(attempt, body)| ShownAttempt::new(attempt, &summary.url, body)).collect();
        Self { delivery: summary.into(), attempts }
    }
}

/// Which deliveries are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDeliveries {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only deliveries created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only deliveries created before this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<TimeParam>,
    /// Only those to this endpoint.
    #[param(value_type = Option<String>, format = Uuid)]
    webhook_id: Option<EndpointId>,
    /// Only those of this type of event.
    #[param(value_type = Option<EventType>, inline)]
    event: Option<EventName>,
    /// Only those of this event.
    #[param(value_type = Option<String>, format = Uuid)]
    event_id: Option<EventId>,
    /// Only those that stand like this.
    #[param(inline)]
    state: Option<ShownState>,
    /// Only those whose last try was answered like this.
    #[param(inline)]
    status: Option<AnswerClass>,
    /// Only those of this call's events.
    #[param(value_type = Option<String>, format = Uuid)]
    call_id: Option<CallId>,
}

/// List deliveries
#[utoipa::path(get, path = "/v1/deliveries", tag = "Webhooks", params(ListDeliveries),
    responses(
        (status = 200, description = "A page of deliveries, newest first.", body = ListOf<ShownDelivery>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_deliveries(
    caller: Caller,
    Query(query): Query<ListDeliveries>,
) -> Result<List<ShownDelivery>, ApiError> {
    let list = store::ListDeliveries {
        page: page(query.limit, query.cursor, query.since),
        until: query.until.map(|until| until.0),
        endpoint: query.webhook_id,
        event: query.event.map(|event| event.0.as_str().to_owned()),
        event_id: query.event_id,
        state: query.state.map(DeliveryState::from),
        status: query.status.map(StatusClass::from),
        call: query.call_id,
    };
    let Listed { records, next } = caller.store.find_deliveries(list).await?;
    Ok(List(Listed { records: records.into_iter().map(ShownDelivery::from).collect(), next }))
}

/// Get a delivery with every try
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id.", format = Uuid)),
    responses(
        (status = 200, description = "The delivery.", body = OneOf<ShownDeliveryDetail>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_delivery(
    caller: Caller,
    PathId(id): PathId<kind::Delivery>,
) -> Result<One<ShownDeliveryDetail>, ApiError> {
    let detail = caller.store.get_delivery(id).await?.ok_or_else(unknown)?;
    Ok(One::new(ShownDeliveryDetail::new(detail, caller.org)))
}

/// Resend a delivery
///
/// Makes one try at once, with the same body and `delivery_id`, whatever became of the delivery before. Where that
/// fails, it is tried again as the schedule has it, if the schedule has more. 409 where it is under way or about to be,
/// where its endpoint was deleted, and where the person that it tells of was erased.
#[utoipa::path(post, path = "/v1/deliveries/{id}/resend", tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id.", format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
        description = "Sent again within 24 hours, the first answer comes again and nothing is done twice.")),
    responses(
        (status = 200, description = "The delivery, which is due now.", body = OneOf<ShownDelivery>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 409, response = openapi::Conflict),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn resend_delivery(
    caller: Caller,
    PathId(id): PathId<kind::Delivery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, &format!("POST /v1/deliveries/{id}/resend"), &[])?;
    let answer = |delivery: &ListedDelivery| {
        let shown = ShownDelivery::from(delivery.clone());
        // Plain texts and times: there is nothing in them that JSON could not hold.
        serde_json::to_string(&shown).unwrap_or_else(|_| "null".into())
    };
    match caller.store.resend_delivery(id, idempotency, answer).await?.ok_or_else(unknown)? {
        Resent::Done(written) => answered(written),
        Resent::UnderWay => {
            let message = "This delivery is being sent, or is about to be";
            Err(ApiError::new(Code::Conflict, message))
        }
        Resent::NoEndpoint => {
            let message = "The endpoint of this delivery was deleted: there is nowhere to send it to";
            Err(ApiError::new(Code::Conflict, message))
        }
        Resent::Erased => {
            let message = "The person that this delivery tells of was erased: it is told no more";
            Err(ApiError::new(Code::Conflict, message))
        }
    }
}

fn unknown() -> ApiError {
    ApiError::not_found("delivery")
}
