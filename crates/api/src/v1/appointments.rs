//! `/v1/appointments`

use axum::response::Response;
use model::{Appointment, AppointmentStatus, ContactId, LeadId, id::kind};
use serde::Deserialize;
use store::AppointmentProvenance;
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    envelope::{List, One},
    error::ApiError,
    extract::{CursorParam, Json, Limit, PathId, PhoneParam, Query, TimeParam, page},
    openapi::{self, ListOf, OneOf},
    v1::{
        appointments_body::{ChangedAppointment, NewAppointment},
        idempotency::IdempotencyKey,
        writes::{Asking, DeletedRecord, VersionHeader, answered},
    },
};

/// Which appointments are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAppointments {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "cursor")]
    cursor: Option<CursorParam>,
    /// Only appointments created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only appointments with this status.
    #[param(inline)]
    status: Option<AppointmentStatus>,
    /// Only appointments that begin at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<TimeParam>,
    /// Only appointments that begin before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<TimeParam>,
    /// Only appointments of this contact.
    #[param(value_type = Option<String>, format = Uuid)]
    contact_id: Option<ContactId>,
    /// Only appointments of this lead.
    #[param(value_type = Option<String>, format = Uuid)]
    lead_id: Option<LeadId>,
    /// Only those with this number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
}

/// List appointments
#[utoipa::path(get, path = "/v1/appointments", tag = "Appointments", params(ListAppointments),
    responses(
        (status = 200, description = "A page of appointments, newest first.", body = ListOf<Appointment>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_appointments(
    caller: Caller,
    Query(query): Query<ListAppointments>,
) -> Result<List<Appointment>, ApiError> {
    let list = store::ListAppointments {
        page: page(query.limit, query.cursor, query.since),
        status: query.status,
        from: query.from.map(|from| from.0),
        to: query.to.map(|to| to.0),
        contact: query.contact_id,
        lead: query.lead_id,
        phone: query.phone.map(|phone| phone.0),
    };
    Ok(List(caller.store.list_appointments(list).await?))
}

/// Get where an appointment comes from
///
/// The rule that made it, the call and its source, the message that brought it about, and the use of a tool that booked
/// it; and the uses of tools that moved it or called it off since.
#[utoipa::path(get, path = "/v1/appointments/{id}/provenance", tag = "Appointments",
    params(("id" = String, Path, description = "The appointment's id.", format = Uuid)),
    responses(
        (status = 200, description = "Where it comes from.", body = OneOf<AppointmentProvenance>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_appointment_provenance(
    caller: Caller,
    PathId(id): PathId<kind::Appointment>,
) -> Result<One<AppointmentProvenance>, ApiError> {
    let found = caller.store.appointment_provenance(id).await?;
    found.map(One::new).ok_or_else(|| ApiError::not_found("appointment"))
}

/// Get an appointment
#[utoipa::path(get, path = "/v1/appointments/{id}", tag = "Appointments",
    params(("id" = String, Path, description = "The appointment's id.", format = Uuid)),
    responses(
        (status = 200, description = "The appointment.", body = OneOf<Appointment>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_appointment(
    caller: Caller,
    PathId(id): PathId<kind::Appointment>,
) -> Result<One<Appointment>, ApiError> {
    let appointment =
        caller.store.get_appointment(id).await?.ok_or_else(|| ApiError::not_found("appointment"))?;
    let version = appointment.updated_at;
    Ok(One::new(appointment).versioned(version))
}

/// Create an appointment
///
/// One that is booked and names a call is told as `appointment.booked`, as if the assistant had booked it in the call.
#[utoipa::path(post, path = "/v1/appointments", tag = "Appointments", params(IdempotencyKey), request_body = NewAppointment,
    responses(
        (status = 201, description = "The appointment.", body = OneOf<Appointment>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_appointment(
    caller: Caller,
    asking: Asking,
    body: Json<NewAppointment>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let call = body.value.call_id;
    let new = body.value.into_change()?;
    answered(caller.store.create_appointment(call, new, asked).await?, "appointment")
}

/// Change an appointment
///
/// What is written here stays; a later message of its call only fills in what is empty. An `unconfirmed` booking that is
/// set to `booked` is confirmed by this, and told as `appointment.booked`.
#[utoipa::path(patch, path = "/v1/appointments/{id}", tag = "Appointments",
    params(("id" = String, Path, description = "The appointment's id.", format = Uuid), IdempotencyKey, VersionHeader),
    request_body = ChangedAppointment,
    responses(
        (status = 200, description = "The appointment, changed.", body = OneOf<Appointment>),
        openapi::ChangeErrors,
    ))]
pub(crate) async fn update_appointment(
    caller: Caller,
    PathId(id): PathId<kind::Appointment>,
    asking: Asking,
    body: Json<ChangedAppointment>,
) -> Result<Response, ApiError> {
    let asked = asking.of(&body.raw)?;
    let change = body.value.into_change()?;
    answered(caller.store.update_appointment(id, change, asked).await?, "appointment")
}

/// Delete an appointment
///
/// A later message of its call does not bring it back.
#[utoipa::path(delete, path = "/v1/appointments/{id}", tag = "Appointments",
    params(("id" = String, Path, description = "The appointment's id.", format = Uuid), IdempotencyKey, VersionHeader),
    responses(
        (status = 200, description = "It is deleted.", body = OneOf<DeletedRecord>),
        openapi::DeleteErrors,
    ))]
pub(crate) async fn delete_appointment(
    caller: Caller,
    PathId(id): PathId<kind::Appointment>,
    asking: Asking,
) -> Result<Response, ApiError> {
    let asked = asking.of(&[])?;
    answered(caller.store.delete_appointment(id, asked).await?, "appointment")
}
