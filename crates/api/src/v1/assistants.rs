//! `/v1/assistants`

use model::Assistant;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::List,
    error::ApiError,
    extract::{CursorParam, Limit, Query, TimeParam, page},
    openapi::{self, ListOf},
};

/// Which assistants are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAssistants {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only assistants created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

/// List assistants
#[utoipa::path(get, path = "/v1/assistants", tag = "Assistants", params(ListAssistants),
    responses(
        (status = 200, description = "A page of assistants, newest first.", body = ListOf<Assistant>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_assistants(
    caller: Caller,
    Query(query): Query<ListAssistants>,
) -> Result<List<Assistant>, ApiError> {
    let list = store::ListAssistants { page: page(query.limit, query.cursor, query.since) };
    Ok(List(caller.store.list_assistants(list).await?))
}
