//! `/v1/sources`

use axum::{extract::State, http::HeaderMap, response::Response};
use model::{SourceId, id::kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ListedSource, NewSource, Placed, Rotation};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    AppState,
    auth::Caller,
    envelope::{One, PlacedList},
    error::{ApiError, Code},
    extract::{BaseUrl, Json, Limit, PathId, PlaceParam, Query, TimeParam, placed_page},
    openapi::{self, ListOf, OneOf},
    v1::{
        bodies::{check_secret, overlap},
        idempotency::{IdempotencyKey, answered, idempotency},
        sources_body::{
            ChangedSource, NewSourceBody, RotateSecret, ShownSource, SourceWithSecret, check_name,
            check_settings, seal,
        },
    },
};

/// Which sources are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSources {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "place-cursor")]
    cursor: Option<PlaceParam>,
    /// Only sources created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

/// List sources
#[utoipa::path(get, path = "/v1/sources", tag = "Sources", params(ListSources),
    responses(
        (status = 200, description = "A page of sources, newest first.", body = ListOf<ShownSource>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_sources(
    State(state): State<AppState>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    Query(query): Query<ListSources>,
) -> Result<PlacedList<ShownSource>, ApiError> {
    let page = placed_page(query.limit, query.cursor, query.since);
    let Placed { records, next } = caller.store.find_sources(page).await?;
    let now = state.clock.now();
    let records = records.into_iter().map(|listed| ShownSource::new(listed, &base, now)).collect();
    Ok(PlacedList(Placed { records, next }))
}

/// Create a source
///
/// Makes an address that a voice platform sends its webhooks to. The secret is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/sources", tag = "Sources",
    params(IdempotencyKey),
    request_body = NewSourceBody,
    responses(
        (status = 201, description = "The source, with its secret.", body = OneOf<SourceWithSecret>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_source(
    State(state): State<AppState>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    headers: HeaderMap,
    body: Json<NewSourceBody>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, "POST /v1/sources", &body.raw)?;
    let NewSourceBody { platform, name, secret, settings, platform_api_key, platform_api_url } = body.value;
    let (platform, settings) = (platform.0, settings.unwrap_or(Value::Null));
    name.as_deref().map_or(Ok(()), check_name)?;
    check_secret(secret.as_deref())?;
    check_settings(platform, &settings)?;
    let name = name.unwrap_or_else(|| platform.as_str().to_owned());
    let secret = secret.unwrap_or_else(|| store::generate_secret(&*state.ids));
    // It is sealed for the source, so that has its id before it is made.
    let id = if platform_api_key.is_some() { state.ids.id() } else { SourceId::new(Uuid::nil()) };
    let key = seal(state.reconciler.keys(), (platform, id), platform_api_key, platform_api_url)?;
    let key = key.map(|key| (id, key));
    let new = NewSource { platform, name, secret, settings };
    let now = state.clock.now();
    let answer = move |listed: &ListedSource| SourceWithSecret::json(listed.clone(), &base, now);
    let written = caller.store.create_source_once(new, key, idempotency, answer).await?;
    state.reconciler.wake();
    answered(written)
}

/// Get a source
#[utoipa::path(get, path = "/v1/sources/{id}", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid)),
    responses(
        (status = 200, description = "The source.", body = OneOf<ShownSource>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_source(
    State(state): State<AppState>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathId(id): PathId<kind::Source>,
) -> Result<One<ShownSource>, ApiError> {
    let source = ShownSource::new(find(&caller, id).await?, &base, state.clock.now());
    let version = source.version();
    Ok(One::new(source).versioned(version))
}

/// Change a source
///
/// Its name, its settings, its secret or the key of its platform's API. Messages that could not be read before can then be reprocessed.
#[utoipa::path(patch, path = "/v1/sources/{id}", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid)),
    request_body = ChangedSource,
    responses(
        (status = 200, description = "The source, changed.", body = OneOf<ShownSource>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn update_source(
    State(state): State<AppState>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathId(id): PathId<kind::Source>,
    body: Json<ChangedSource>,
) -> Result<One<ShownSource>, ApiError> {
    let found = find(&caller, id).await?.source;
    if let Some(settings) = &body.value.settings {
        check_settings(found.platform, settings)?;
    }
    let change = body.value.into_change(&found, state.reconciler.keys())?;
    let changed = caller.store.update_source(id, change).await?.ok_or_else(unknown)?;
    state.reconciler.wake();
    let source = ShownSource::new(changed, &base, state.clock.now());
    let version = source.version();
    Ok(One::new(source).versioned(version))
}

/// That a source was deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedSource {
    id: SourceId,
    /// Always true.
    deleted: bool,
}

/// Delete a source
///
/// Its address answers 404 from now on. Its calls stay, and all that came of them.
#[utoipa::path(delete, path = "/v1/sources/{id}", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid)),
    responses(
        (status = 200, description = "It is deleted.", body = OneOf<DeletedSource>),
        openapi::GetErrors,
    ))]
pub(crate) async fn delete_source(
    caller: Caller,
    PathId(id): PathId<kind::Source>,
) -> Result<One<DeletedSource>, ApiError> {
    if !caller.store.delete_source(id).await? {
        return Err(unknown());
    }
    Ok(One::new(DeletedSource { id, deleted: true }))
}

/// Rotate a source's secret
///
/// The new secret is accepted at once and the one before for a while, so that the platform can be changed over without
/// losing a message. The secret is shown in this answer and never again. For platforms that give out the secret
/// themselves (`signs_with`), it has to be told.
#[utoipa::path(post, path = "/v1/sources/{id}/rotate-secret", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        IdempotencyKey),
    request_body = RotateSecret,
    responses(
        (status = 200, description = "The source, with its new secret.", body = OneOf<SourceWithSecret>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn rotate_source_secret(
    State(state): State<AppState>,
    caller: Caller,
    BaseUrl(base): BaseUrl,
    PathId(id): PathId<kind::Source>,
    headers: HeaderMap,
    body: Json<RotateSecret>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /v1/sources/{id}/rotate-secret");
    let idempotency = idempotency(&headers, &operation, &body.raw)?;
    let overlap = overlap(body.value.overlap_seconds)?;
    check_secret(body.value.secret.as_deref())?;
    let platform = find(&caller, id).await?.source.platform;
    let own = connectors::connector(platform).and_then(|connector| connector.own_secret());
    let secret = match (body.value.secret, own) {
        (Some(secret), _) => secret,
        (None, None) => store::generate_secret(&*state.ids),
        (None, Some(own)) => {
            let message = format!("{} signs with {own}: send it as `secret`", platform.as_str());
            return Err(ApiError::new(Code::Conflict, message));
        }
    };
    let now = state.clock.now();
    let answer = move |listed: &ListedSource| SourceWithSecret::json(listed.clone(), &base, now);
    let rotation = Rotation { secret, overlap };
    let written = caller.store.rotate_source_secret(id, rotation, idempotency, answer).await?;
    answered(written.ok_or_else(unknown)?)
}

/// The source with an id, if the caller's organization has it.
pub(crate) async fn find(caller: &Caller, id: SourceId) -> Result<ListedSource, ApiError> {
    caller.store.get_source(id).await?.ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("source")
}
