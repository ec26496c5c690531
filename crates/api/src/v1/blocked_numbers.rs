//! `/v1/blocked-numbers`: the block list.

use axum::response::Response;
use model::{BlockedNumber, Patch, Phone, id::kind};
use serde::Deserialize;
use store::NewBlockedNumber;
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{CursorParam, Json, Limit, PathId, PhoneParam, Query, TimeParam, page},
    openapi::{self, ListOf, OneOf},
    v1::{
        fields::text,
        idempotency::IdempotencyKey,
        writes::{Asking, DeletedRecord, VersionHeader, answered},
    },
};

/// Which blocked numbers are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListBlockedNumbers {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only numbers blocked after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only this number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
}

/// List blocked numbers
#[utoipa::path(get, path = "/v1/blocked-numbers", tag = "Blocked numbers", params(ListBlockedNumbers),
    responses(
        (status = 200, description = "A page of blocked numbers, newest first.", body = ListOf<BlockedNumber>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_blocked_numbers(
    caller: Caller,
    Query(query): Query<ListBlockedNumbers>,
) -> Result<List<BlockedNumber>, ApiError> {
    let list = store::ListBlockedNumbers {
        page: page(query.limit, query.cursor, query.since),
        phone: query.phone.map(|phone| phone.0),
    };
    Ok(List(caller.store.list_blocked_numbers(list).await?))
}

/// A number to block.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBlockedNumberBody {
    /// The number, in E.164.
    #[schema(value_type = String, format = "e164")]
    phone: Phone,
    /// Why, in the organization's words.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Patch<String>,
}

/// Block a number
///
/// Calls of this number from now on, and those that are under way, get the status `blocked`: no event tells of them, and no
/// contact, lead or appointment is made of them. What was told of a call stays told. Where numbers are blocked, a call of
/// which no message has named the caller yet is told after a short wait for one that does.
#[utoipa::path(post, path = "/v1/blocked-numbers", tag = "Blocked numbers", params(IdempotencyKey),
    request_body = NewBlockedNumberBody,
    responses(
        (status = 201, description = "The number, blocked.", body = OneOf<BlockedNumber>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_blocked_number(
    caller: Caller,
    asking: Asking,
    body: Json<NewBlockedNumberBody>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let reason = text("reason", body.value.reason, 1000)?.value().cloned();
    let new = NewBlockedNumber { phone: body.value.phone, reason };
    answered(caller.store.block_number(new, asked).await?, "blocked number")
}

/// Get a blocked number
#[utoipa::path(get, path = "/v1/blocked-numbers/{id}", tag = "Blocked numbers",
    params(("id" = String, Path, description = "The id of the entry in the block list.", format = Uuid)),
    responses(
        (status = 200, description = "The blocked number.", body = OneOf<BlockedNumber>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_blocked_number(
    caller: Caller,
    PathId(id): PathId<kind::BlockedNumber>,
) -> Result<One<BlockedNumber>, ApiError> {
    let number = caller.store.get_blocked_number(id).await?;
    let number = number.ok_or_else(|| ApiError::not_found("blocked number"))?;
    let version = number.created_at;
    Ok(One::new(number).versioned(version))
}

/// Unblock a number
///
/// Calls of this number from now on are calls like any other. Those that were blocked stay so.
#[utoipa::path(delete, path = "/v1/blocked-numbers/{id}", tag = "Blocked numbers",
    params(("id" = String, Path, description = "The id of the entry in the block list.", format = Uuid), IdempotencyKey, VersionHeader),
    responses(
        (status = 200, description = "It is deleted.", body = OneOf<DeletedRecord>),
        openapi::DeleteErrors,
    ))]
pub(crate) async fn delete_blocked_number(
    caller: Caller,
    PathId(id): PathId<kind::BlockedNumber>,
    asking: Asking,
) -> Result<Response, ApiError> {
    let asked = asking.of(&[])?;
    answered(caller.store.unblock_number(id, asked).await?, "blocked number")
}
