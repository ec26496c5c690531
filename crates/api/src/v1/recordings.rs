//! `/v1/calls/{id}/recording`, and the same by a signed link without a key.

use axum::{extract::State, response::Response};
use http::{HeaderMap, Method};
use model::{LinkError, Variant, id::kind};
use serde::Deserialize;
use store::{CallDetail, Refetch};
use utoipa::IntoParams;

use crate::{
    AppState,
    auth::Caller,
    envelope::RawOne,
    error::{ApiError, Code},
    extract::{PathId, Query, RecordingPath},
    media,
    openapi::{self, OneOf},
    v1::calls::get_call,
};

/// Which of a call's recordings is asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetRecording {
    /// Only this variant; without it, the first that there is of `mono`, `stereo`, `caller` and `assistant`.
    #[param(inline)]
    variant: Option<Variant>,
}

/// Get a call's recording
///
/// The sound itself, in the format in which the platform had it. Parts of it are had with `Range`. While it is still
/// being fetched from the platform, the answer is 503 with `Retry-After`.
#[utoipa::path(get, path = "/v1/calls/{id}/recording", tag = "Calls",
    params(("id" = String, Path, description = "The call's id.", format = Uuid), GetRecording),
    responses(
        (status = 200, description = "The recording.", body = String, content_type = "audio/*"),
        (status = 206, description = "The part that was asked for.", body = String, content_type = "audio/*"),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = 503, response = openapi::Unavailable),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_recording(
    State(state): State<AppState>,
    caller: Caller,
    PathId(call): PathId<kind::Call>,
    Query(query): Query<GetRecording>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = caller.store.get_recording(call, query.variant).await?;
    media::answer(&state.vault, call, found, (&method, &headers)).await
}

/// Have a call's recordings fetched again
///
/// Those that could not be fetched from the platform: now, and with all tries anew, as after its API key was changed. What
/// is there stays, and what was deleted stays deleted. To ask twice does no harm. A blocked caller's recording is not
/// fetched by itself, and can be asked for once the number is unblocked.
#[utoipa::path(post, path = "/v1/calls/{id}/recording/fetch", tag = "Calls",
    params(("id" = String, Path, description = "The call's id.", format = Uuid)),
    responses(
        (status = 200, description = "The call, with how its recordings stand now.", body = OneOf<CallDetail>),
        (status = 409, response = openapi::Conflict),
        openapi::GetErrors,
    ))]
pub(crate) async fn fetch_recordings(
    caller: Caller,
    PathId(call): PathId<kind::Call>,
) -> Result<RawOne, ApiError> {
    if caller.store.refetch_recordings(call).await? == Refetch::Blocked {
        return Err(ApiError::new(Code::Conflict, "The caller's number is blocked: unblock it first"));
    }
    get_call(caller, PathId(call)).await
}

/// Delete a call's recordings
///
/// For good: they are served to nobody from now on, and not fetched again whatever the platform tells. The call stays.
/// To ask twice does no harm.
#[utoipa::path(delete, path = "/v1/calls/{id}/recording", tag = "Calls",
    params(("id" = String, Path, description = "The call's id.", format = Uuid)),
    responses(
        (status = 200, description = "The call, without its recordings.", body = OneOf<CallDetail>),
        openapi::GetErrors,
    ))]
pub(crate) async fn delete_recordings(
    caller: Caller,
    PathId(call): PathId<kind::Call>,
) -> Result<RawOne, ApiError> {
    caller.store.delete_recordings(call).await?;
    get_call(caller, PathId(call)).await
}

/// What makes a link good.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Signature {
    /// Until when it is good, in seconds since 1970.
    expires: i64,
    /// What proves that it is ours.
    signature: String,
}

/// Get a call's recording by a link
///
/// The links that webhooks carry as `recording_url`: whoever has one may fetch the recording until it expires, without
/// a key.
#[utoipa::path(get, path = "/recordings/{call_id}/{variant}", tag = "Calls", security(()),
    params(
        ("call_id" = String, Path, description = "The call's id.", format = Uuid),
        ("variant" = String, Path, description = "`mono`, `stereo`, `caller`, `assistant`, or `main` for the first of \
            these that there is."),
        Signature,
    ),
    responses(
        (status = 200, description = "The recording.", body = String, content_type = "audio/*"),
        (status = 206, description = "The part that was asked for.", body = String, content_type = "audio/*"),
        (status = 400, response = openapi::BadRequest),
        (status = 403, response = openapi::Forbidden),
        (status = 404, response = openapi::NotFound),
        (status = 503, response = openapi::Unavailable),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_recording_by_link(
    State(state): State<AppState>,
    path: RecordingPath,
    Query(query): Query<Signature>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let forbidden = |why: &str| ApiError::new(Code::Forbidden, why);
    let links = state.store.recording_links().ok_or_else(|| ApiError::not_found("recording"))?;
    let proof = (query.expires, query.signature.as_str());
    let variant =
        links.check(path.call, &path.which, proof, state.clock.now()).map_err(|error| match error {
            LinkError::Forged => forbidden("This link was not made here, or was changed"),
            LinkError::Expired => forbidden("This link has expired"),
        })?;
    let found = state.store.find_recording(path.call, variant).await?;
    media::answer(&state.vault, path.call, found, (&method, &headers)).await
}
