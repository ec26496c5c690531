//! `/v1/webhooks/{id}/recoverable`, `/v1/webhooks/{id}/recover` and `/v1/recoveries`: what failed is sent again.

use axum::{http::HeaderMap, response::Response};
use model::{EndpointId, RecoveryId, Time, id::kind};
use serde::{Deserialize, Serialize};
use store::{DeliveryState, NewRecovery, Recovering, Recovery};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Caller,
    envelope::One,
    error::{ApiError, Code},
    extract::{Json, PathId, Query, TimeParam},
    openapi::{self, OneOf},
    v1::{
        bodies::wrong,
        idempotency::{IdempotencyKey, answered, idempotency},
        webhooks,
    },
};

/// How a delivery stands that can be sent again with others.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecoverableState {
    /// The last try failed.
    Exhausted,
    /// Its endpoint was gone, or it was discarded.
    Cancelled,
}

impl From<RecoverableState> for DeliveryState {
    fn from(state: RecoverableState) -> Self {
        match state {
            RecoverableState::Exhausted => Self::Exhausted,
            RecoverableState::Cancelled => Self::Cancelled,
        }
    }
}

/// What is to be sent again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecoverDeliveries {
    /// Which deliveries: `exhausted` where nothing is said.
    #[schema(min_items = 1)]
    states: Option<Vec<RecoverableState>>,
    /// Only those made after this.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Time>,
    /// Only those made up to this.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
}

/// Which deliveries are counted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CountRecoverable {
    /// Only those that stand like this: `exhausted` where nothing is said.
    #[param(inline)]
    state: Option<RecoverableState>,
    /// Only those made after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only those made up to this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<TimeParam>,
}

/// How many deliveries a recovery would send again.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoverableCount {
    webhook_id: EndpointId,
    count: i64,
    /// How many more there are that cannot be sent again: what they told is no longer kept.
    not_kept: i64,
}

/// The sending again of what failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Recovery)]
pub(crate) struct ShownRecovery {
    id: RecoveryId,
    webhook_id: EndpointId,
    state: RecoveryState,
    /// How the deliveries stood.
    states: Vec<RecoverableState>,
    /// Of those made after this; null for all.
    #[schema(required)]
    since: Option<Time>,
    /// Of those made up to this.
    until: Time,
    /// How many there were when it began.
    total: i64,
    /// How many of them are due again.
    done: i64,
    /// How many more there were that cannot be sent again: what they told is too old to be kept, or told of a person who was
    /// erased.
    not_kept: i64,
    /// When it was asked for.
    created_at: Time,
    /// When the last was made due.
    #[schema(required)]
    finished_at: Option<Time>,
}

/// How a recovery stands.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecoveryState {
    /// More are made due in the background.
    Running,
    /// All of them are due, or were sent already.
    Done,
}

impl From<&Recovery> for ShownRecovery {
    fn from(recovery: &Recovery) -> Self {
        let shown = |state: &DeliveryState| match state {
            DeliveryState::Cancelled => RecoverableState::Cancelled,
            _ => RecoverableState::Exhausted,
        };
        Self {
            id: recovery.id,
            webhook_id: recovery.endpoint,
            state: if recovery.finished_at.is_some() { RecoveryState::Done } else { RecoveryState::Running },
            states: recovery.states.iter().map(shown).collect(),
            since: recovery.since,
            until: recovery.until,
            total: recovery.total,
            done: recovery.done,
            not_kept: recovery.not_kept,
            created_at: recovery.created_at,
            finished_at: recovery.finished_at,
        }
    }
}

/// Count what a recovery would send again
#[utoipa::path(get, path = "/v1/webhooks/{id}/recoverable", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid), CountRecoverable),
    responses(
        (status = 200, description = "How many deliveries.", body = OneOf<RecoverableCount>),
        openapi::SubListErrors,
    ))]
pub(crate) async fn count_recoverable(
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
    Query(query): Query<CountRecoverable>,
) -> Result<One<RecoverableCount>, ApiError> {
    let CountRecoverable { state, since, until } = query;
    let states = vec![state.unwrap_or(RecoverableState::Exhausted).into()];
    let new = NewRecovery { endpoint: id, states, since: since.map(|at| at.0), until: until.map(|at| at.0) };
    let counted = caller.store.count_recoverable_and_lost(new, i64::MAX).await?;
    let (count, not_kept) = counted.ok_or_else(webhooks::unknown)?;
    Ok(One::new(RecoverableCount { webhook_id: id, count, not_kept }))
}

/// Recover failed deliveries
///
/// Sends again everything that an endpoint was owed of a time and did not get, without a limit, the oldest first, but
/// what is no longer kept (`not_kept`): each with the same body and `delivery_id` as before, so a receiver that had it
/// after all knows it again. Its schedule begins anew. While the endpoint is paused or disabled, what is recovered is
/// held.
///
/// Many are made due in the background: `GET /v1/recoveries/{id}` tells how far that is. 409 where the endpoint is gone:
/// enable it first.
#[utoipa::path(post, path = "/v1/webhooks/{id}/recover", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid), IdempotencyKey),
    request_body = RecoverDeliveries,
    responses(
        (status = 201, description = "The recovery, done where there were few.", body = OneOf<ShownRecovery>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn recover_deliveries(
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
    headers: HeaderMap,
    body: Json<RecoverDeliveries>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, &format!("POST /v1/webhooks/{id}/recover"), &body.raw)?;
    let RecoverDeliveries { states, since, until } = body.value;
    let states = states.unwrap_or_else(|| vec![RecoverableState::Exhausted]);
    if states.is_empty() {
        return Err(wrong("states", "must name at least one"));
    }
    let states = states.into_iter().map(DeliveryState::from).collect();
    let new = NewRecovery { endpoint: id, states, since, until };
    let answer = |recovery: &Recovery| {
        // Plain texts and times: there is nothing in them that JSON could not hold.
        serde_json::to_string(&ShownRecovery::from(recovery)).unwrap_or_else(|_| "null".into())
    };
    match caller.store.recover_deliveries(new, idempotency, answer).await?.ok_or_else(webhooks::unknown)? {
        Recovering::Begun(written) => answered(written),
        Recovering::EndpointGone => {
            let message = "The endpoint answered 410 (Gone) and is told nothing: enable it first";
            Err(ApiError::new(Code::Conflict, message))
        }
    }
}

/// Get a recovery
#[utoipa::path(get, path = "/v1/recoveries/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "The recovery's id.", format = Uuid)),
    responses(
        (status = 200, description = "The recovery.", body = OneOf<ShownRecovery>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_recovery(
    caller: Caller,
    PathId(id): PathId<kind::Recovery>,
) -> Result<One<ShownRecovery>, ApiError> {
    let recovery = caller.store.get_recovery(id).await?.ok_or_else(|| ApiError::not_found("recovery"))?;
    Ok(One::new(ShownRecovery::from(&recovery)))
}
