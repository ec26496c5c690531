//! `/v1/calls`

use axum::{extract::State, http::HeaderMap, response::Response};
use model::{CallStatus, ContactId, id::kind};
use serde::Deserialize;
use store::{CallDetail, CallView, ListedCall};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{RawList, RawOne},
    error::ApiError,
    extract::{CursorParam, Json, Limit, PathId, PhoneParam, Query, TimeParam, page, search},
    openapi::{self, ListOf, OneOf},
    v1::{
        calls_body::{NewCall, ReviewCall},
        idempotency::{self, IdempotencyKey, idempotency},
        writes::{Asking, VersionHeader, answered},
    },
};

/// A way to look at calls.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum View {
    /// Over, not blocked, not spam, and nobody said yet that they looked at it.
    NeedsReview,
    /// Ringing, being talked or being handed to a person.
    InProgress,
    /// Failed.
    Failed,
    /// Spam, or blocked.
    SetAside,
}

impl From<View> for CallView {
    fn from(view: View) -> Self {
        match view {
            View::NeedsReview => Self::NeedsReview,
            View::InProgress => Self::InProgress,
            View::Failed => Self::Failed,
            View::SetAside => Self::SetAside,
        }
    }
}

/// Which calls are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListCalls {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only calls created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only calls created before this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<TimeParam>,
    /// Only calls that belong in this view.
    #[param(inline)]
    view: Option<View>,
    /// Only calls with this status.
    #[param(inline)]
    status: Option<CallStatus>,
    /// Only calls of this contact.
    #[param(value_type = Option<String>, format = Uuid)]
    contact_id: Option<ContactId>,
    /// Only calls of this caller, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
    /// Only calls with all these words in transcript, summary, intent, name, e-mail or number; the last word may be
    /// the beginning of one. Each call then tells its `hits`.
    #[param(max_length = 500)]
    q: Option<String>,
}

/// List calls
#[utoipa::path(get, path = "/v1/calls", tag = "Calls", params(ListCalls),
    responses(
        (status = 200, description = "A page of calls, newest first.", body = ListOf<ListedCall>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_calls(caller: Caller, Query(query): Query<ListCalls>) -> Result<RawList, ApiError> {
    let list = store::ListCalls {
        page: page(query.limit, query.cursor, query.since),
        until: query.until.map(|until| until.0),
        view: query.view.map(CallView::from),
        status: query.status,
        contact: query.contact_id,
        phone: query.phone.map(|phone| phone.0),
        search: search(query.q)?,
    };
    Ok(RawList(caller.store.list_calls(list).await?))
}

/// Get a call with its conversation
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "Calls",
    params(("id" = String, Path, description = "The call's id.", format = Uuid)),
    responses(
        (status = 200, description = "The call.", body = OneOf<CallDetail>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_call(caller: Caller, PathId(id): PathId<kind::Call>) -> Result<RawOne, ApiError> {
    let call = caller.store.get_call(id).await?.ok_or_else(|| ApiError::not_found("call"))?;
    Ok(RawOne(call))
}

/// Review a call
///
/// What the organization says of a call: labels, notes, whether somebody has looked at it, whether it is spam. What the
/// platform said is not changed by this. Of a call that is spam no lead is made.
#[utoipa::path(patch, path = "/v1/calls/{id}", tag = "Calls",
    params(("id" = String, Path, description = "The call's id.", format = Uuid), IdempotencyKey, VersionHeader),
    request_body = ReviewCall,
    responses(
        (status = 200, description = "The call, changed.", body = OneOf<CallDetail>),
        openapi::ChangeErrors,
    ))]
pub(crate) async fn review_call(
    caller: Caller,
    PathId(id): PathId<kind::Call>,
    asking: Asking,
    body: Json<ReviewCall>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let review = body.value.into_review()?;
    answered(caller.store.review_call(id, review, asked).await?, "call")
}

/// Create or update a call
///
/// Creates a call, or updates the one that was written here with the same `external_id`. Fields that are null or
/// absent stay as they are, and a call that is over stays over.
#[utoipa::path(post, path = "/v1/calls", tag = "Calls",
    params(IdempotencyKey),
    request_body = NewCall,
    responses(
        (status = 200, description = "The call, updated.", body = OneOf<CallDetail>),
        (status = 201, description = "The call, created.", body = OneOf<CallDetail>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_call(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Json<NewCall>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, "POST /v1/calls", &body.raw)?;
    let external_id = body.value.external_id().map(str::to_owned);
    let change = body.value.into_change(state.clock.now())?;
    let written = caller.store.write_call(external_id, change, idempotency, state.ingest.rules()).await?;
    state.ingest.wake();
    idempotency::answered(written)
}
