//! `/v1/sources/{id}/gaps`: what a platform did not tell of and its list did; and how the source's reconciler stands.

use axum::extract::State;
use model::{CallId, GapId, Stamp, Time, id::kind};
use serde::{Deserialize, Serialize};
use store::{Missing, Placed, SyncStatus};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{One, PlacedList},
    error::ApiError,
    extract::{Limit, PathId, PlaceParam, Query, TimeParam, placed_page},
    openapi::{self, ListOf, OneOf},
    v1::sources::find,
};

/// What of a call had not come.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MissingPart {
    /// All of it.
    Call,
    /// That it is over, and how.
    FinalEvent,
}

/// A call that the platform did not tell of, or not to its end.
#[derive(Serialize, ToSchema)]
pub(crate) struct Gap {
    id: GapId,
    /// The platform's id of the call.
    external_id: String,
    /// The call; null where it could not be made.
    #[schema(required)]
    call_id: Option<CallId>,
    missing: MissingPart,
    /// When the call began.
    #[schema(required)]
    began_at: Option<Time>,
    /// When it was seen to be missing.
    found_at: Stamp,
    /// When it was there; null while it is not.
    #[schema(required)]
    healed_at: Option<Time>,
}

impl From<store::Gap> for Gap {
    fn from(gap: store::Gap) -> Self {
        let missing = match gap.missing {
            Missing::Call => MissingPart::Call,
            Missing::FinalEvent => MissingPart::FinalEvent,
        };
        Self {
            id: gap.id,
            external_id: gap.external_id,
            call_id: gap.call_id,
            missing,
            began_at: gap.began_at,
            found_at: Stamp::from_micros(gap.found_at.micros()),
            healed_at: gap.healed_at,
        }
    }
}

/// Which gaps are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListGaps {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "place-cursor")]
    cursor: Option<PlaceParam>,
    /// Only gaps found after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

/// List a source's gaps
///
/// Calls of which the platform's list knew and its webhooks did not tell, or not to the end, with when each was found and
/// when it was healed. What is healed is told of like any other call.
#[utoipa::path(get, path = "/v1/sources/{id}/gaps", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid), ListGaps),
    responses(
        (status = 200, description = "A page of gaps, the last found first.", body = ListOf<Gap>),
        openapi::SubListErrors,
    ))]
pub(crate) async fn list_gaps(
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    Query(query): Query<ListGaps>,
) -> Result<PlacedList<Gap>, ApiError> {
    find(&caller, id).await?;
    let page = placed_page(query.limit, query.cursor, query.since);
    let Placed { records, next } = caller.store.list_gaps(id, page).await?;
    Ok(PlacedList(Placed { records: records.into_iter().map(Gap::from).collect(), next }))
}

/// How a source's reconciler stands.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReconcilerStatus {
    /// The source has no `platform_api_key`, or the operator has switched the reconciler off.
    Off,
    /// It lists calls now.
    Running,
    /// It is between two runs.
    Waiting,
    /// The last run came to nothing; `error` says why, and `next_run_at` when it tries again.
    Failed,
}

/// A source's reconciler: what finds the calls that webhooks missed.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownReconciler {
    status: ReconcilerStatus,
    /// Every call that began before is here; null where it never ran.
    #[schema(required)]
    complete_until: Option<Time>,
    /// When its last run ended well.
    #[schema(required)]
    last_run_at: Option<Time>,
    /// When it goes on.
    #[schema(required)]
    next_run_at: Option<Time>,
    /// How many times it has failed since.
    failures: i64,
    /// What went wrong last; null where nothing is.
    #[schema(required)]
    error: Option<String>,
    /// How many calls it has seen in the platform's lists, those of overlapping runs again.
    found: i64,
    /// How many gaps it has found.
    missing: i64,
    /// How many of them it has healed.
    healed: i64,
}

/// Get the state of a source's reconciler
#[utoipa::path(get, path = "/v1/sources/{id}/reconciler", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid)),
    responses(
        (status = 200, description = "The reconciler.", body = OneOf<ShownReconciler>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_reconciler(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Source>,
) -> Result<One<ShownReconciler>, ApiError> {
    find(&caller, id).await?;
    let sync = caller.store.get_reconciler(id).await?;
    let is_on = state.reconciler.runs_by_itself();
    let status = match sync.as_ref().map(|sync| sync.status).filter(|_| is_on) {
        None | Some(SyncStatus::Paused | SyncStatus::Done) => ReconcilerStatus::Off,
        Some(SyncStatus::Running) => ReconcilerStatus::Running,
        Some(SyncStatus::Waiting) => ReconcilerStatus::Waiting,
        Some(SyncStatus::Failed) => ReconcilerStatus::Failed,
    };
    let sync = sync.as_ref();
    Ok(One::new(ShownReconciler {
        status,
        complete_until: sync.filter(|sync| sync.ended_at.is_some()).map(|sync| sync.since),
        last_run_at: sync.and_then(|sync| sync.ended_at),
        next_run_at: sync.and_then(|sync| sync.due_at).filter(|_| is_on),
        failures: sync.map_or(0, |sync| sync.failures),
        error: sync.and_then(|sync| sync.error.clone()),
        found: sync.map_or(0, |sync| sync.found),
        missing: sync.map_or(0, |sync| sync.missing),
        healed: sync.map_or(0, |sync| sync.healed),
    }))
}
