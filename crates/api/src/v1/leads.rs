//! `/v1/leads`

use axum::response::Response;
use model::{ContactId, Lead, LeadStatus, Urgency, id::kind};
use serde::Deserialize;
use store::Provenance;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{CursorParam, Json, Limit, PathId, PhoneParam, Query, TimeParam, page, search},
    openapi::{self, ListOf, OneOf},
    v1::{
        idempotency::IdempotencyKey,
        leads_body::{ChangedLead, NewLead},
        writes::{Asking, DeletedRecord, VersionHeader, answered},
    },
};

/// Which leads are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListLeads {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only leads created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only leads with this status.
    #[param(inline)]
    status: Option<LeadStatus>,
    /// Only leads as urgent as this.
    #[param(inline)]
    urgency: Option<Urgency>,
    /// Only leads of this contact.
    #[param(value_type = Option<String>, format = Uuid)]
    contact_id: Option<ContactId>,
    /// Only those with this number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
    /// Only leads with all these words in name, e-mail, intent or summary, each the beginning of one, or with these digits
    /// in the number.
    #[param(max_length = 500)]
    q: Option<String>,
}

/// List leads
#[utoipa::path(get, path = "/v1/leads", tag = "Leads", params(ListLeads),
    responses(
        (status = 200, description = "A page of leads, newest first.", body = ListOf<Lead>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_leads(
    caller: Caller,
    Query(query): Query<ListLeads>,
) -> Result<List<Lead>, ApiError> {
    let list = store::ListLeads {
        page: page(query.limit, query.cursor, query.since),
        status: query.status,
        urgency: query.urgency,
        contact: query.contact_id,
        phone: query.phone.map(|phone| phone.0),
        search: search(query.q)?,
    };
    Ok(List(caller.store.list_leads(list).await?))
}

/// Get where a lead comes from
///
/// The rule that made it, the call and its source, and the message that brought it about.
#[utoipa::path(get, path = "/v1/leads/{id}/provenance", tag = "Leads",
    params(("id" = String, Path, description = "The lead's id.", format = Uuid)),
    responses(
        (status = 200, description = "Where it comes from.", body = OneOf<Provenance>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_lead_provenance(
    caller: Caller,
    PathId(id): PathId<kind::Lead>,
) -> Result<One<Provenance>, ApiError> {
    let found = caller.store.lead_provenance(id).await?;
    found.map(One::new).ok_or_else(|| ApiError::not_found("lead"))
}

/// Get a lead
#[utoipa::path(get, path = "/v1/leads/{id}", tag = "Leads",
    params(("id" = String, Path, description = "The lead's id.", format = Uuid)),
    responses(
        (status = 200, description = "The lead.", body = OneOf<Lead>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_lead(caller: Caller, PathId(id): PathId<kind::Lead>) -> Result<One<Lead>, ApiError> {
    let lead = caller.store.get_lead(id).await?.ok_or_else(|| ApiError::not_found("lead"))?;
    let version = lead.updated_at;
    Ok(One::new(lead).versioned(version))
}

/// Create a lead
///
/// One that names a call with sufficient context is told as `lead.created`, as if the call had made it. A call has one lead
/// at most: where it has one already, the answer is 409.
#[utoipa::path(post, path = "/v1/leads", tag = "Leads", params(IdempotencyKey), request_body = NewLead,
    responses(
        (status = 201, description = "The lead.", body = OneOf<Lead>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_lead(
    caller: Caller,
    asking: Asking,
    body: Json<NewLead>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let call = body.value.call_id;
    let new = body.value.into_change()?;
    answered(caller.store.create_lead(call, new, asked).await?, "lead")
}

/// Change a lead
///
/// What is written here stays until the caller says something new.
#[utoipa::path(patch, path = "/v1/leads/{id}", tag = "Leads",
    params(("id" = String, Path, description = "The lead's id.", format = Uuid), IdempotencyKey, VersionHeader),
    request_body = ChangedLead,
    responses(
        (status = 200, description = "The lead, changed.", body = OneOf<Lead>),
        openapi::ChangeErrors,
    ))]
pub(crate) async fn update_lead(
    caller: Caller,
    PathId(id): PathId<kind::Lead>,
    asking: Asking,
    body: Json<ChangedLead>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let change = body.value.into_change()?;
    answered(caller.store.update_lead(id, change, asked).await?, "lead")
}

/// Delete a lead
///
/// Its appointments stay, and a later message of its call does not bring it back.
#[utoipa::path(delete, path = "/v1/leads/{id}", tag = "Leads",
    params(("id" = String, Path, description = "The lead's id.", format = Uuid), IdempotencyKey, VersionHeader),
    responses(
        (status = 200, description = "It is deleted.", body = OneOf<DeletedRecord>),
        openapi::DeleteErrors,
    ))]
pub(crate) async fn delete_lead(
    caller: Caller,
    PathId(id): PathId<kind::Lead>,
    asking: Asking,
) -> Result<Response, ApiError> {
    let asked = asking.of(&[])?;
    answered(caller.store.delete_lead(id, asked).await?, "lead")
}
