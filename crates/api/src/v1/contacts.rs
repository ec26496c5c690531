//! `/v1/contacts`

use axum::response::Response;
use model::{Contact, id::kind};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{CursorParam, Json, Limit, PathId, PhoneParam, Query, TimeParam, page, search},
    openapi::{self, ListOf, OneOf},
    v1::{
        contacts_body::{ContactFields, MergeContacts},
        idempotency::IdempotencyKey,
        writes::{Asking, DeletedRecord, VersionHeader, answered},
    },
};

/// Which contacts are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListContacts {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only contacts created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only those with this number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
    /// Only contacts with all these words in name, e-mail, company or labels, each the beginning of one, or with these
    /// digits in a number.
    #[param(max_length = 500)]
    q: Option<String>,
}

/// List contacts
#[utoipa::path(get, path = "/v1/contacts", tag = "Contacts", params(ListContacts),
    responses(
        (status = 200, description = "A page of contacts, newest first.", body = ListOf<Contact>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_contacts(
    caller: Caller,
    Query(query): Query<ListContacts>,
) -> Result<List<Contact>, ApiError> {
    let list = store::ListContacts {
        page: page(query.limit, query.cursor, query.since),
        phone: query.phone.map(|phone| phone.0),
        search: search(query.q)?,
    };
    Ok(List(caller.store.list_contacts(list).await?))
}

/// Get a contact
#[utoipa::path(get, path = "/v1/contacts/{id}", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid)),
    responses(
        (status = 200, description = "The contact.", body = OneOf<Contact>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_contact(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
) -> Result<One<Contact>, ApiError> {
    let contact = caller.store.get_contact(id).await?.ok_or_else(|| ApiError::not_found("contact"))?;
    let version = contact.updated_at;
    Ok(One::new(contact).versioned(version))
}

/// Create a contact
///
/// A call from one of its numbers is this contact's from then on. A number has one contact at most: where it has one
/// already, the answer is 409.
#[utoipa::path(post, path = "/v1/contacts", tag = "Contacts", params(IdempotencyKey), request_body = ContactFields,
    responses(
        (status = 201, description = "The contact.", body = OneOf<Contact>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_contact(
    caller: Caller,
    asking: Asking,
    body: Json<ContactFields>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let new = body.value.into_change()?;
    answered(caller.store.create_contact(new, asked).await?, "contact")
}

/// Change a contact
///
/// What is written here stays, whatever later calls say. The id of a contact that was merged into this one names it too.
#[utoipa::path(patch, path = "/v1/contacts/{id}", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid), IdempotencyKey, VersionHeader),
    request_body = ContactFields,
    responses(
        (status = 200, description = "The contact, changed.", body = OneOf<Contact>),
        openapi::ChangeErrors,
    ))]
pub(crate) async fn update_contact(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
    asking: Asking,
    body: Json<ContactFields>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let change = body.value.into_change()?;
    answered(caller.store.update_contact(id, change, asked).await?, "contact")
}

/// Delete a contact
///
/// Its calls, leads and appointments stay, without a contact. A new call from its number makes a new contact.
#[utoipa::path(delete, path = "/v1/contacts/{id}", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid), IdempotencyKey, VersionHeader),
    responses(
        (status = 200, description = "It is deleted.", body = OneOf<DeletedRecord>),
        openapi::DeleteErrors,
    ))]
pub(crate) async fn delete_contact(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
    asking: Asking,
) -> Result<Response, ApiError> {
    let asked = asking.of(&[])?;
    answered(caller.store.delete_contact(id, asked).await?, "contact")
}

/// Merge two contacts
///
/// Two contacts turn out to be one person: the one that `from` names is merged into the one in the path. Its calls, leads
/// and appointments move, all its numbers go on leading to the person, and what the other lacks is filled in. Its
/// id names the other one from now on. Neither may be being erased (409).
#[utoipa::path(post, path = "/v1/contacts/{id}/merge", tag = "Contacts",
    params(("id" = String, Path, description = "The id of the contact that stays.", format = Uuid), IdempotencyKey, VersionHeader),
    request_body = MergeContacts,
    responses(
        (status = 200, description = "The contact that both are now.", body = OneOf<Contact>),
        openapi::ChangeErrors,
    ))]
pub(crate) async fn merge_contacts(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
    asking: Asking,
    body: Json<MergeContacts>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    answered(caller.store.merge_contacts(id, body.value.from, asked).await?, "contact")
}
