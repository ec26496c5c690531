//! `/v1/sources/{id}/imports`: a platform's calls from before it sent its webhooks here.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::{SourceId, Stamp, SyncId, Time, id::kind};
use serde::{Deserialize, Serialize};
use store::{Placed, Sync, SyncStatus};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{One, PlacedList},
    error::{ApiError, Code},
    extract::{Json, Limit, PathId, PathIds, PlaceParam, Query, TimeParam, placed_page},
    openapi::{self, ListOf, OneOf},
    v1::{
        bodies::wrong,
        idempotency::{IdempotencyKey, answered, idempotency},
        sources::find,
    },
};

/// How an import stands.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportStatus {
    /// It goes on by itself; `error` says what it waits for, if anything.
    Running,
    /// It goes on when it is resumed.
    Paused,
    /// `error` says why; it goes on where it was when it is resumed.
    Failed,
    /// Everything was listed.
    Done,
}

impl From<SyncStatus> for ImportStatus {
    fn from(status: SyncStatus) -> Self {
        match status {
            SyncStatus::Running | SyncStatus::Waiting => Self::Running,
            SyncStatus::Paused => Self::Paused,
            SyncStatus::Failed => Self::Failed,
            SyncStatus::Done => Self::Done,
        }
    }
}

/// An import of a platform's calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct Import {
    id: SyncId,
    source_id: SourceId,
    status: ImportStatus,
    /// Calls that began from then on.
    since: Time,
    /// Calls that began until then.
    #[schema(required)]
    until: Option<Time>,
    /// How many pages of the platform's list were read.
    pages: i64,
    /// How many calls were in them. A platform without cursors lists the call between two pages twice.
    found: i64,
    /// How many of those were not known here, or not known to be over.
    missing: i64,
    /// How many of the missing ones are here now.
    imported: i64,
    /// What went wrong last; null where nothing is.
    #[schema(required)]
    error: Option<String>,
    created_at: Stamp,
    updated_at: Time,
    /// When it was done.
    #[schema(required)]
    ended_at: Option<Time>,
}

impl From<&Sync> for Import {
    fn from(sync: &Sync) -> Self {
        Self {
            id: sync.id,
            source_id: sync.source,
            status: sync.status.into(),
            since: sync.since,
            until: sync.until,
            pages: sync.pages,
            found: sync.found,
            missing: sync.missing,
            imported: sync.healed,
            error: sync.error.clone(),
            created_at: Stamp::from_micros(sync.created_at.micros()),
            updated_at: sync.updated_at,
            ended_at: sync.ended_at,
        }
    }
}

/// Which imports are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListImports {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "place-cursor")]
    cursor: Option<PlaceParam>,
    /// Only imports created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

/// List a source's imports
#[utoipa::path(get, path = "/v1/sources/{id}/imports", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid), ListImports),
    responses(
        (status = 200, description = "A page of imports, newest first.", body = ListOf<Import>),
        openapi::SubListErrors,
    ))]
pub(crate) async fn list_imports(
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    Query(query): Query<ListImports>,
) -> Result<PlacedList<Import>, ApiError> {
    find(&caller, id).await?;
    let page = placed_page(query.limit, query.cursor, query.since);
    let Placed { records, next } = caller.store.list_imports(id, page).await?;
    Ok(PlacedList(Placed { records: records.iter().map(Import::from).collect(), next }))
}

/// Which calls are to be imported.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewImport {
    /// Calls that began from then on: all that the platform still has where nothing is said.
    since: Option<Time>,
    /// Calls that began until then: until now where nothing is said.
    until: Option<Time>,
}

/// Import a source's history
///
/// Lists the calls that the platform has of a time, page by page, in the background, and takes those that are not known
/// here. The source needs a `platform_api_key`, else the answer is 409. What follows from the calls is made: contacts,
/// leads, appointments. But nobody is told of a call that was over before the import was asked for and not known here:
/// history fires no webhooks.
#[utoipa::path(post, path = "/v1/sources/{id}/imports", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        IdempotencyKey),
    request_body = NewImport,
    responses(
        (status = 201, description = "The import, which has begun.", body = OneOf<Import>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn create_import(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    headers: HeaderMap,
    body: Json<NewImport>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, &format!("POST /v1/sources/{id}/imports"), &body.raw)?;
    if find(&caller, id).await?.platform_key.is_none() {
        let message =
            "The source has no `platform_api_key`, with which its platform could be asked for its calls";
        return Err(ApiError::new(Code::Conflict, message));
    }
    let since = body.value.since.unwrap_or(Time::from_micros(0));
    let until = body.value.until.unwrap_or_else(|| state.clock.now());
    if since >= until {
        return Err(wrong("since", "must be before `until`"));
    }
    let answer = |sync: &Sync| serde_json::to_string(&Import::from(sync)).unwrap_or_else(|_| "null".into());
    let written = caller.store.start_import(id, (since, until), idempotency, answer).await?;
    state.reconciler.wake();
    answered(written)
}

/// Get an import with its progress
#[utoipa::path(get, path = "/v1/sources/{id}/imports/{import_id}", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("import_id" = String, Path, description = "The import's id.", format = Uuid)),
    responses(
        (status = 200, description = "The import.", body = OneOf<Import>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_import(
    caller: Caller,
    PathIds(id, import): PathIds<kind::Source, kind::Sync>,
) -> Result<One<Import>, ApiError> {
    find(&caller, id).await?;
    shown(caller.store.get_import(id, import).await?)
}

/// Pause an import
///
/// It stops after the page that it is at, and goes on from there when it is resumed. One that is done or has failed stays
/// as it is.
#[utoipa::path(post, path = "/v1/sources/{id}/imports/{import_id}/pause", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("import_id" = String, Path, description = "The import's id.", format = Uuid)),
    responses(
        (status = 200, description = "The import.", body = OneOf<Import>),
        openapi::GetErrors,
    ))]
pub(crate) async fn pause_import(
    caller: Caller,
    PathIds(id, import): PathIds<kind::Source, kind::Sync>,
) -> Result<One<Import>, ApiError> {
    find(&caller, id).await?;
    shown(caller.store.pause_import(id, import).await?)
}

/// Resume an import
///
/// One that was paused or has failed goes on where it was. One that is done stays done.
#[utoipa::path(post, path = "/v1/sources/{id}/imports/{import_id}/resume", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("import_id" = String, Path, description = "The import's id.", format = Uuid)),
    responses(
        (status = 200, description = "The import.", body = OneOf<Import>),
        openapi::GetErrors,
    ))]
pub(crate) async fn resume_import(
    State(state): State<AppState>,
    caller: Caller,
    PathIds(id, import): PathIds<kind::Source, kind::Sync>,
) -> Result<One<Import>, ApiError> {
    find(&caller, id).await?;
    let resumed = shown(caller.store.resume_import(id, import).await?)?;
    state.reconciler.wake();
    Ok(resumed)
}

fn shown(sync: Option<Sync>) -> Result<One<Import>, ApiError> {
    sync.as_ref().map(|sync| One::new(sync.into())).ok_or_else(|| ApiError::not_found("import"))
}
