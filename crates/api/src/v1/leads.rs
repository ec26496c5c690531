//! `/v1/leads`

use model::{Lead, LeadStatus, Urgency, id::kind};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{CursorParam, Limit, PathId, PhoneParam, Query, TimeParam, page},
    openapi::{self, ListOf, OneOf},
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
    /// Only those with this number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
}

/// List leads
#[utoipa::path(get, path = "/v1/leads", tag = "Leads", params(ListLeads),
    responses(
        (status = 200, description = "A page of leads, newest first.", body = ListOf<Lead>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn list_leads(
    caller: Caller,
    Query(query): Query<ListLeads>,
) -> Result<List<Lead>, ApiError> {
    let list = store::ListLeads {
        page: page(query.limit, query.cursor, query.since),
        status: query.status,
        urgency: query.urgency,
        phone: query.phone.map(|phone| phone.0),
    };
    Ok(List(caller.store.list_leads(list).await?))
}

/// Get a lead
#[utoipa::path(get, path = "/v1/leads/{id}", tag = "Leads",
    params(("id" = String, Path, description = "The lead's id.", format = Uuid)),
    responses(
        (status = 200, description = "The lead.", body = OneOf<Lead>),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_lead(caller: Caller, PathId(id): PathId<kind::Lead>) -> Result<One<Lead>, ApiError> {
    let lead = caller.store.get_lead(id).await?.ok_or_else(|| ApiError::not_found("lead"))?;
    let version = lead.updated_at;
    Ok(One::new(lead).versioned(version))
}
