//! `/v1/contacts`

use model::{Contact, id::kind};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{CursorParam, Limit, PathId, PhoneParam, Query, TimeParam, page},
    openapi::{self, ListOf, OneOf},
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
}

/// List contacts
#[utoipa::path(get, path = "/v1/contacts", tag = "Contacts", params(ListContacts),
    responses(
        (status = 200, description = "A page of contacts, newest first.", body = ListOf<Contact>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn list_contacts(
    caller: Caller,
    Query(query): Query<ListContacts>,
) -> Result<List<Contact>, ApiError> {
    let list = store::ListContacts {
        page: page(query.limit, query.cursor, query.since),
        phone: query.phone.map(|phone| phone.0),
    };
    Ok(List(caller.store.list_contacts(list).await?))
}

/// Get a contact
#[utoipa::path(get, path = "/v1/contacts/{id}", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid)),
    responses(
        (status = 200, description = "The contact.", body = OneOf<Contact>),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_contact(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
) -> Result<One<Contact>, ApiError> {
    let contact = caller.store.get_contact(id).await?.ok_or_else(|| ApiError::not_found("contact"))?;
    let version = contact.updated_at;
    Ok(One::new(contact).versioned(version))
}
