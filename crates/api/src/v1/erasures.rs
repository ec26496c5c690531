//! `/v1/contacts/{id}/erase` and `/v1/erasures`: a person is forgotten.

use axum::extract::State;
use http::StatusCode;
use model::{ContactId, ErasureId, Time, id::kind};
use serde::Serialize;
use store::{Erasable, Erased, Erasure, ErasureState};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Caller,
    envelope::One,
    error::ApiError,
    extract::PathId,
    openapi::{self, OneOf},
};

/// The erasure of a person.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureBody {
    id: ErasureId,
    contact_id: ContactId,
    /// Done only when nothing is left.
    state: ErasureState,
    /// How many records of each kind were erased so far.
    erased: Erased,
    /// What is to be known beside that.
    #[schema(required)]
    note: Option<String>,
    /// When it was asked for.
    created_at: Time,
    /// When it was done.
    #[schema(required)]
    finished_at: Option<Time>,
}

impl From<Erasure> for ErasureBody {
    fn from(erasure: Erasure) -> Self {
        let Erasure { id, contact_id, state, erased, note, created_at, finished_at } = erasure;
        Self { id, contact_id, state, erased, note, created_at, finished_at }
    }
}

/// Erase a person
///
/// Erases the contact and, of all their calls, what is personal: numbers, names, e-mail addresses, summaries,
/// transcripts, conversations, notes; their leads' and appointments' fields; the messages of platforms, events and tries
/// of webhooks that tell of them. Webhooks that still wait are cancelled. What stays of a record is its id, its times and
/// its status, so that counts and cursors hold. It cannot be undone.
///
/// Whatever is said later of an erased call, by its platform, by `POST /v1/calls` or by reading a message again, changes
/// nothing, and nothing of it is kept; a message about it is `ignored`, with the reason. Nothing is kept to know the
/// person by, so a new call of theirs is a new contact, and so is a call under way that had not told yet who calls. What
/// others said of them in their own calls is not looked for.
///
/// The answer is 202 where it goes on in the background: see `GET /v1/erasures/{id}`.
#[utoipa::path(post, path = "/v1/contacts/{id}/erase", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid)),
    responses(
        (status = 200, description = "The person is erased.", body = OneOf<ErasureBody>),
        (status = 202, description = "The person is being erased.", body = OneOf<ErasureBody>),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn erase_contact(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
) -> Result<One<ErasureBody>, ApiError> {
    let erasure = state.ingest.erase(&caller.store, id).await?;
    let erasure = erasure.ok_or_else(|| ApiError::not_found("contact"))?;
    let is_done = erasure.state == ErasureState::Done;
    let status = if is_done { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(One::new(erasure.into()).status(status))
}

/// Count what erasing a person would erase
///
/// What hangs on the contact or one of its numbers. What only the e-mail address leads to, events and tries of webhooks are
/// looked for when the person is erased.
#[utoipa::path(get, path = "/v1/contacts/{id}/erasable", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid)),
    responses(
        (status = 200, description = "How many records of each kind.", body = OneOf<Erasable>),
        openapi::GetErrors,
    ))]
pub(crate) async fn count_erasable(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
) -> Result<One<Erasable>, ApiError> {
    let counted = caller.store.count_erasable(id).await?;
    counted.map(One::new).ok_or_else(|| ApiError::not_found("contact"))
}

/// Get an erasure
#[utoipa::path(get, path = "/v1/erasures/{id}", tag = "Contacts",
    params(("id" = String, Path, description = "The erasure's id.", format = Uuid)),
    responses(
        (status = 200, description = "The erasure.", body = OneOf<ErasureBody>),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_erasure(
    caller: Caller,
    PathId(id): PathId<kind::Erasure>,
) -> Result<One<ErasureBody>, ApiError> {
    let erasure = caller.store.get_erasure(id).await?.ok_or_else(|| ApiError::not_found("erasure"))?;
    Ok(One::new(erasure.into()))
}
