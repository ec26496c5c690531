//! `/v1/webhooks/{id}/backlog`: what an endpoint is still owed, and what is becoming of it.

use model::{EndpointId, Time, id::kind};
use serde::Serialize;
use store::{Backlog, BacklogChange, Turning, Waiting};
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    envelope::One,
    error::ApiError,
    extract::PathId,
    openapi::{self, OneOf},
    v1::webhooks,
};

/// What becomes of what an endpoint is owed.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BacklogTurning)]
pub(crate) enum ShownTurning {
    /// It was paused: what is due is held.
    Hold,
    /// It was enabled: what was held is delivered.
    Deliver,
    /// It was enabled: what was held is discarded.
    Discard,
    /// It answered 410 (Gone): everything is called off.
    CallOff,
    /// It is well again: what would be tried again later is tried now.
    Hasten,
}

impl From<Turning> for ShownTurning {
    fn from(turning: Turning) -> Self {
        match turning {
            Turning::Hold => Self::Hold,
            Turning::Deliver => Self::Deliver,
            Turning::Discard => Self::Discard,
            Turning::CallOff => Self::CallOff,
            Turning::Hasten => Self::Hasten,
        }
    }
}

/// Something that is becoming of what an endpoint is owed, a few deliveries at a time.
#[derive(Serialize, ToSchema)]
#[schema(as = BacklogChange)]
pub(crate) struct ShownChange {
    change: ShownTurning,
    /// How many deliveries were changed so far.
    done: i64,
    /// When it began.
    began_at: Time,
}

impl From<BacklogChange> for ShownChange {
    fn from(change: BacklogChange) -> Self {
        Self { change: change.turning.into(), done: change.done, began_at: change.created_at }
    }
}

/// What an endpoint is still owed.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookBacklog)]
pub(crate) struct ShownBacklog {
    webhook_id: EndpointId,
    /// Deliveries that were not tried yet. Counting ends at 1,001, for `pending` and `retrying` together.
    pending: i64,
    /// Deliveries of which a try failed and another is due.
    retrying: i64,
    /// Deliveries that wait until the endpoint is enabled, or to be released since it was. Counting ends at 1,001.
    held: i64,
    /// What is becoming of them; nothing where all of that is done.
    changes: Vec<ShownChange>,
}

/// Get what an endpoint is still owed
///
/// Pausing, enabling and the like take effect at once. Where much is waiting, each delivery is changed a little later, in the
/// background: what is under way stands in `changes`.
#[utoipa::path(get, path = "/v1/webhooks/{id}/backlog", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid)),
    responses(
        (status = 200, description = "What it is owed.", body = OneOf<ShownBacklog>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_webhook_backlog(
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
) -> Result<One<ShownBacklog>, ApiError> {
    let Backlog { waiting, changes } = caller.store.backlog(id).await?.ok_or_else(webhooks::unknown)?;
    let Waiting { pending, retrying, held } = waiting;
    let changes = changes.into_iter().map(ShownChange::from).collect();
    Ok(One::new(ShownBacklog { webhook_id: id, pending, retrying, held, changes }))
}
