//! `/v1/agenda`: appointments by when they take place.

use model::{Appointment, AppointmentStatus};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::PlacedList,
    error::ApiError,
    extract::{Limit, PlaceParam, Query, TimeParam},
    openapi::{self, ListOf},
};

/// Which appointments are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAgenda {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<PlaceParam>,
    /// Only appointments with this status.
    #[param(inline)]
    status: Option<AppointmentStatus>,
    /// Only appointments that begin at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<TimeParam>,
    /// Only appointments that begin before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<TimeParam>,
}

/// List appointments by when they take place
///
/// The earliest first. Those of which no time is known are not in it.
#[utoipa::path(get, path = "/v1/agenda", tag = "Appointments", params(ListAgenda),
    responses(
        (status = 200, description = "A page of appointments, the earliest first.", body = ListOf<Appointment>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_agenda(
    caller: Caller,
    Query(query): Query<ListAgenda>,
) -> Result<PlacedList<Appointment>, ApiError> {
    let list = store::ListAgenda {
        limit: query.limit.map_or(50, Limit::get),
        after: query.cursor.map(|cursor| cursor.0),
        status: query.status,
        from: query.from.map(|from| from.0),
        to: query.to.map(|to| to.0),
    };
    Ok(PlacedList(caller.store.list_agenda(list).await?))
}
