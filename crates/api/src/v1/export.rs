//! `/v1/export`: all records of a kind in one answer, streamed while they are read.

use axum::response::Response;
use model::{AppointmentStatus, CallStatus, ContactId, LeadStatus, Urgency};
use serde::Deserialize;
use store::{CallView, ExportFilter, ExportKind};
use utoipa::IntoParams;

use crate::{
    auth::Caller,
    error::ApiError,
    export::CsvMode,
    extract::{PhoneParam, Query, TimeParam, search},
    openapi,
    v1::{
        calls::View,
        export_answer::{FormatParam, answer, format},
        source_events_body::MessageOutcome,
    },
};

/// Which calls are exported, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportCalls {
    /// How they are written.
    #[param(inline)]
    format: Option<FormatParam>,
    /// Of CSV: `safe` for spreadsheets, `raw` for programs.
    #[param(inline)]
    mode: Option<CsvMode>,
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
    /// Only calls with these words, as the list finds them.
    #[param(max_length = 500)]
    q: Option<String>,
}

/// Export calls
///
/// All calls with their conversations, oldest first: those that are there when the export begins, each as it stands
/// when it is read. If the answer breaks off, it is not whole; begin again with the last `created_at` as `since`.
#[utoipa::path(get, path = "/v1/export/calls", tag = "Export", params(ExportCalls),
    responses(
        (status = 200, description = "The calls.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_calls(
    caller: Caller,
    Query(query): Query<ExportCalls>,
) -> Result<Response, ApiError> {
    let filter = ExportFilter {
        since: query.since.map(|since| since.0),
        until: query.until.map(|until| until.0),
        view: query.view.map(CallView::from),
        call_status: query.status,
        contact: query.contact_id,
        search: search(query.q)?,
        phone: query.phone.map(|phone| phone.0),
        ..ExportFilter::default()
    };
    answer(&caller, ExportKind::Calls, filter, format(query.format, query.mode)).await
}

/// Which contacts are exported, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportContacts {
    /// How they are written.
    #[param(inline)]
    format: Option<FormatParam>,
    /// Of CSV: `safe` for spreadsheets, `raw` for programs.
    #[param(inline)]
    mode: Option<CsvMode>,
    /// Only contacts created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only those with this number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
    /// Only contacts with these words, as the list finds them.
    #[param(max_length = 500)]
    q: Option<String>,
}

/// Export contacts
///
/// All contacts, oldest first.
#[utoipa::path(get, path = "/v1/export/contacts", tag = "Export", params(ExportContacts),
    responses(
        (status = 200, description = "The contacts.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_contacts(
    caller: Caller,
    Query(query): Query<ExportContacts>,
) -> Result<Response, ApiError> {
    let filter = ExportFilter {
        since: query.since.map(|since| since.0),
        search: search(query.q)?,
        phone: query.phone.map(|phone| phone.0),
        ..ExportFilter::default()
    };
    answer(&caller, ExportKind::Contacts, filter, format(query.format, query.mode)).await
}

/// Which leads are exported, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportLeads {
    /// How they are written.
    #[param(inline)]
    format: Option<FormatParam>,
    /// Of CSV: `safe` for spreadsheets, `raw` for programs.
    #[param(inline)]
    mode: Option<CsvMode>,
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
    /// Only leads with these words, as the list finds them.
    #[param(max_length = 500)]
    q: Option<String>,
}

/// Export leads
///
/// All leads, oldest first.
#[utoipa::path(get, path = "/v1/export/leads", tag = "Export", params(ExportLeads),
    responses(
        (status = 200, description = "The leads.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_leads(
    caller: Caller,
    Query(query): Query<ExportLeads>,
) -> Result<Response, ApiError> {
    let filter = ExportFilter {
        since: query.since.map(|since| since.0),
        lead_status: query.status,
        urgency: query.urgency,
        search: search(query.q)?,
        phone: query.phone.map(|phone| phone.0),
        ..ExportFilter::default()
    };
    answer(&caller, ExportKind::Leads, filter, format(query.format, query.mode)).await
}

/// Which appointments are exported, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportAppointments {
    /// How they are written.
    #[param(inline)]
    format: Option<FormatParam>,
    /// Of CSV: `safe` for spreadsheets, `raw` for programs.
    #[param(inline)]
    mode: Option<CsvMode>,
    /// Only appointments created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only appointments with this status.
    #[param(inline)]
    status: Option<AppointmentStatus>,
    /// Only those with this attendee's number, in E.164.
    #[param(value_type = Option<String>, format = "e164")]
    phone: Option<PhoneParam>,
    /// Only those that begin at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<TimeParam>,
    /// Only those that begin before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<TimeParam>,
}

/// Export appointments
///
/// All appointments, oldest first by when they were made.
#[utoipa::path(get, path = "/v1/export/appointments", tag = "Export", params(ExportAppointments),
    responses(
        (status = 200, description = "The appointments.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_appointments(
    caller: Caller,
    Query(query): Query<ExportAppointments>,
) -> Result<Response, ApiError> {
    let filter = ExportFilter {
        since: query.since.map(|since| since.0),
        appointment_status: query.status,
        phone: query.phone.map(|phone| phone.0),
        from: query.from.map(|from| from.0),
        to: query.to.map(|to| to.0),
        ..ExportFilter::default()
    };
    answer(&caller, ExportKind::Appointments, filter, format(query.format, query.mode)).await
}

/// Which records of a kind without filters of its own are exported, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportRecords {
    /// How they are written.
    #[param(inline)]
    format: Option<FormatParam>,
    /// Of CSV: `safe` for spreadsheets, `raw` for programs.
    #[param(inline)]
    mode: Option<CsvMode>,
    /// Only records created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

impl ExportRecords {
    async fn answer(self, caller: &Caller, kind: ExportKind) -> Result<Response, ApiError> {
        let filter = ExportFilter { since: self.since.map(|since| since.0), ..ExportFilter::default() };
        answer(caller, kind, filter, format(self.format, self.mode)).await
    }
}

/// Export assistants
///
/// All assistants, oldest first.
#[utoipa::path(get, path = "/v1/export/assistants", tag = "Export", params(ExportRecords),
    responses(
        (status = 200, description = "The assistants.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_assistants(
    caller: Caller,
    Query(query): Query<ExportRecords>,
) -> Result<Response, ApiError> {
    query.answer(&caller, ExportKind::Assistants).await
}

/// Export events
///
/// Everything that was told, oldest first; `data` is that of the webhooks.
#[utoipa::path(get, path = "/v1/export/events", tag = "Export", params(ExportRecords),
    responses(
        (status = 200, description = "The events.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_events(
    caller: Caller,
    Query(query): Query<ExportRecords>,
) -> Result<Response, ApiError> {
    query.answer(&caller, ExportKind::Events).await
}

/// Export sources
///
/// All sources, oldest first, without their secrets.
#[utoipa::path(get, path = "/v1/export/sources", tag = "Export", params(ExportRecords),
    responses(
        (status = 200, description = "The sources.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_sources(
    caller: Caller,
    Query(query): Query<ExportRecords>,
) -> Result<Response, ApiError> {
    query.answer(&caller, ExportKind::Sources).await
}

/// Export blocked numbers
///
/// The block list, oldest first.
#[utoipa::path(get, path = "/v1/export/blocked-numbers", tag = "Export", params(ExportRecords),
    responses(
        (status = 200, description = "The blocked numbers.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_blocked_numbers(
    caller: Caller,
    Query(query): Query<ExportRecords>,
) -> Result<Response, ApiError> {
    query.answer(&caller, ExportKind::BlockedNumbers).await
}

/// Export webhooks
///
/// All webhook endpoints, forwards among them, oldest first, without their secrets.
#[utoipa::path(get, path = "/v1/export/webhooks", tag = "Export", params(ExportRecords),
    responses(
        (status = 200, description = "The webhook endpoints.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_webhooks(
    caller: Caller,
    Query(query): Query<ExportRecords>,
) -> Result<Response, ApiError> {
    query.answer(&caller, ExportKind::Webhooks).await
}

/// Export gaps
///
/// What platforms did not tell of and their lists did, source after source and oldest first; `since` is when it was
/// found.
#[utoipa::path(get, path = "/v1/export/gaps", tag = "Export", params(ExportRecords),
    responses(
        (status = 200, description = "The gaps.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_gaps(
    caller: Caller,
    Query(query): Query<ExportRecords>,
) -> Result<Response, ApiError> {
    query.answer(&caller, ExportKind::Gaps).await
}

/// Which messages are exported, and how.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportMessages {
    /// How they are written.
    #[param(inline)]
    format: Option<FormatParam>,
    /// Of CSV: `safe` for spreadsheets, `raw` for programs.
    #[param(inline)]
    mode: Option<CsvMode>,
    /// Only messages that arrived after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only those that became this.
    #[param(inline)]
    outcome: Option<MessageOutcome>,
}

/// Export sources' messages
///
/// Every message as it arrived from a platform, source after source and oldest first, without the headers that prove
/// its sender.
#[utoipa::path(get, path = "/v1/export/messages", tag = "Export", params(ExportMessages),
    responses(
        (status = 200, description = "The messages.",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_messages(
    caller: Caller,
    Query(query): Query<ExportMessages>,
) -> Result<Response, ApiError> {
    let filter = ExportFilter {
        since: query.since.map(|since| since.0),
        outcome: query.outcome.map(Into::into),
        ..ExportFilter::default()
    };
    answer(&caller, ExportKind::Messages, filter, format(query.format, query.mode)).await
}
