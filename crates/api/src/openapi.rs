//! The description of the whole interface: OpenAPI 3.1, made from the handlers and types themselves.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header;
use model::{
    DeliveryId, OrgId, Time,
    event::{
        AppointmentBooked, AppointmentUpdated, CallCompleted, CallStarted, CallTransferred, CallUpdated,
        ContactCreated, ContactUpdated, EndpointStanding, EventType, LeadCreated, LeadUpdated,
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    IntoResponses, Modify, OpenApi, ToResponse, ToSchema,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{envelope::Meta, error::Code, scopes};

/// The part of the description that no handler has.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "InboundFlow",
        description = "The data of an organization's AI voice assistants: calls, contacts, leads and appointments.\n\n\
            Lists are newest first. `created_at` is unique and increases within the organization, so that walking a \
            cursor or polling with `since` neither repeats nor skips a record.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "Calls"), (name = "Contacts"), (name = "Leads"), (name = "Appointments"),
        (name = "Blocked numbers", description = "The numbers whose calls are kept and come to nothing."),
        (name = "Assistants"),
        (name = "Sources", description = "The voice platforms that calls come from, and every message of theirs."),
        (name = "Webhooks", description = "The addresses that are told of events, and what became of each delivery."),
        (name = "Events", description = "Everything that happened, to be read, followed, and asked for again."),
        (name = "Export", description = "Everything of a kind in one answer."),
        (name = "Ingest", description = "Where voice platforms send their webhooks."),
        (name = "Health"),
    ),
    components(
        schemas(ErrorBody, Webhook<CallCompleted>, Webhook<CallTransferred>, Webhook<AppointmentBooked>,
            Webhook<LeadCreated>, Webhook<CallStarted>, Webhook<CallUpdated>, Webhook<LeadUpdated>,
            Webhook<AppointmentUpdated>, Webhook<ContactCreated>, Webhook<ContactUpdated>,
            Webhook<EndpointStanding>, EventType),
        responses(BadRequest, Unauthorized, Forbidden, NotFound, Conflict, PreconditionFailed, PayloadTooLarge,
            UnsupportedMediaType, RateLimited, Unavailable, Failed),
    ),
    security(("api_key" = [])),
    modifiers(&ApiKeyScheme),
)]
pub(crate) struct Document;

struct ApiKeyScheme;

impl Modify for ApiKeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("sk_live_…");
        let scheme = scheme.description(Some(scopes::description())).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// A single record in its envelope.
#[derive(Serialize, ToSchema)]
pub(crate) struct OneOf<T: ToSchema> {
    data: T,
    meta: Meta,
}

/// A new record in its envelope, with its id once more.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedOf<T: ToSchema> {
    data: T,
    /// The record's id, where subscribers of REST hooks look for it.
    #[schema(format = Uuid)]
    id: String,
    meta: Meta,
}

/// A page of records in its envelope.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListOf<T: ToSchema> {
    data: Vec<T>,
    /// Whether there is a next page.
    has_more: bool,
    /// What to send as `cursor` for the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
    meta: Meta,
}

/// An error in its envelope.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
    meta: Meta,
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// What to branch on.
    code: Code,
    /// A sentence for people.
    message: String,
    /// The HTTP status.
    status: u16,
}

/// The body of a webhook. What an endpoint is not told is null in `data`, or masked. In the form `standard` it has `type`
/// too; in the form `thin` `data` has ids only and `api_url` is where the rest is. Over 256 KiB the longest fields of
/// `data` are null and named in `truncated_fields`, beside `api_url`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Webhook<T: ToSchema> {
    /// What happened.
    event: EventType,
    /// When.
    timestamp: Time,
    /// Whose event it is.
    organization_id: OrgId,
    /// The delivery; the same through every retry and resend.
    delivery_id: DeliveryId,
    data: T,
}

/// Invalid parameters, or required fields are missing; the message names them.
#[derive(ToResponse)]
pub(crate) struct BadRequest(#[expect(dead_code, reason = "only described")] ErrorBody);
/// The API key is missing, invalid, revoked or expired.
#[derive(ToResponse)]
pub(crate) struct Unauthorized(#[expect(dead_code, reason = "only described")] ErrorBody);
/// The API key is restricted, and has not the scope that this needs.
#[derive(ToResponse)]
pub(crate) struct Forbidden(#[expect(dead_code, reason = "only described")] ErrorBody);
/// There is no such resource; another organization's looks the same.
#[derive(ToResponse)]
pub(crate) struct NotFound(#[expect(dead_code, reason = "only described")] ErrorBody);
/// The same idempotency key came with another request, or a record that is there stands against it; the message names it.
#[derive(ToResponse)]
pub(crate) struct Conflict(#[expect(dead_code, reason = "only described")] ErrorBody);
/// The record was changed since the version that `If-Match` names.
#[derive(ToResponse)]
pub(crate) struct PreconditionFailed(#[expect(dead_code, reason = "only described")] ErrorBody);
/// The body is longer than is taken.
#[derive(ToResponse)]
pub(crate) struct PayloadTooLarge(#[expect(dead_code, reason = "only described")] ErrorBody);
/// The body is not JSON by its `Content-Type`.
#[derive(ToResponse)]
pub(crate) struct UnsupportedMediaType(#[expect(dead_code, reason = "only described")] ErrorBody);
/// Too many requests: wait as long as `Retry-After` says.
#[derive(ToResponse)]
pub(crate) struct RateLimited(#[expect(dead_code, reason = "only described")] ErrorBody);
/// We cannot serve this now: try again after `Retry-After`.
#[derive(ToResponse)]
pub(crate) struct Unavailable(#[expect(dead_code, reason = "only described")] ErrorBody);
/// Any other error has the same form.
#[derive(ToResponse)]
pub(crate) struct Failed(#[expect(dead_code, reason = "only described")] ErrorBody);

// Which of them what kind of operation may answer with.

/// The errors of a list, and what else takes only a query.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum ListErrors {
    #[response(status = 400)]
    BadRequest(#[ref_response] BadRequest),
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The errors of what reads one record, or acts on it without a body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum GetErrors {
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 404)]
    NotFound(#[ref_response] NotFound),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The errors of a list within a record.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum SubListErrors {
    #[response(status = 400)]
    BadRequest(#[ref_response] BadRequest),
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 404)]
    NotFound(#[ref_response] NotFound),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The errors of what makes a record.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum CreateErrors {
    #[response(status = 400)]
    BadRequest(#[ref_response] BadRequest),
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 409)]
    Conflict(#[ref_response] Conflict),
    #[response(status = 413)]
    PayloadTooLarge(#[ref_response] PayloadTooLarge),
    #[response(status = 415)]
    UnsupportedMediaType(#[ref_response] UnsupportedMediaType),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The errors of a write with a body to what is there.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum WriteErrors {
    #[response(status = 400)]
    BadRequest(#[ref_response] BadRequest),
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 404)]
    NotFound(#[ref_response] NotFound),
    #[response(status = 409)]
    Conflict(#[ref_response] Conflict),
    #[response(status = 413)]
    PayloadTooLarge(#[ref_response] PayloadTooLarge),
    #[response(status = 415)]
    UnsupportedMediaType(#[ref_response] UnsupportedMediaType),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The errors of a change of the version that `If-Match` names.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum ChangeErrors {
    #[response(status = 400)]
    BadRequest(#[ref_response] BadRequest),
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 404)]
    NotFound(#[ref_response] NotFound),
    #[response(status = 409)]
    Conflict(#[ref_response] Conflict),
    #[response(status = 412)]
    PreconditionFailed(#[ref_response] PreconditionFailed),
    #[response(status = 413)]
    PayloadTooLarge(#[ref_response] PayloadTooLarge),
    #[response(status = 415)]
    UnsupportedMediaType(#[ref_response] UnsupportedMediaType),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The errors of a deletion of the version that `If-Match` names.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum DeleteErrors {
    #[response(status = 400)]
    BadRequest(#[ref_response] BadRequest),
    #[response(status = 401)]
    Unauthorized(#[ref_response] Unauthorized),
    #[response(status = 404)]
    NotFound(#[ref_response] NotFound),
    #[response(status = 409)]
    Conflict(#[ref_response] Conflict),
    #[response(status = 412)]
    PreconditionFailed(#[ref_response] PreconditionFailed),
    #[response(status = 429)]
    RateLimited(#[ref_response] RateLimited),
    #[response(status = "default")]
    Failed(#[ref_response] Failed),
}

/// The description as JSON, with the webhooks that we send.
pub fn document() -> Value {
    let (_, api) = crate::routes().split_for_parts();
    // The structure is made of text and numbers: there is nothing in it that JSON could not hold.
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["webhooks"] = webhooks();
    scopes::describe(&mut document);
    document
}

/// What an event is, and the schema of its webhook.
fn about(event: EventType) -> (&'static str, &'static str) {
    match event {
        EventType::CallCompleted => ("A call took place and is over.", "Webhook_CallCompleted"),
        EventType::CallTransferred => {
            ("The assistant handed the caller to a configured destination.", "Webhook_CallTransferred")
        }
        EventType::AppointmentBooked => {
            ("The assistant booked an appointment during a call.", "Webhook_AppointmentBooked")
        }
        EventType::LeadCreated => ("A new lead was made from a call.", "Webhook_LeadCreated"),
        EventType::CallStarted => ("A call is under way.", "Webhook_CallStarted"),
        EventType::CallUpdated => {
            ("Something of a call changed after it was told as completed.", "Webhook_CallUpdated")
        }
        EventType::LeadUpdated => ("Something of a lead changed.", "Webhook_LeadUpdated"),
        EventType::AppointmentUpdated => {
            ("Something of an appointment changed.", "Webhook_AppointmentUpdated")
        }
        EventType::AppointmentCancelled => {
            ("An appointment was called off, or deleted before it took place.", "Webhook_AppointmentUpdated")
        }
        EventType::ContactCreated => ("There is a new contact.", "Webhook_ContactCreated"),
        EventType::ContactUpdated => ("Something of a contact changed.", "Webhook_ContactUpdated"),
        EventType::EndpointFailing => (
            "Webhooks to another endpoint fail again and again: its circuit opened, or it is to be disabled within a day.",
            "Webhook_EndpointStanding",
        ),
        EventType::EndpointDisabled => (
            "Another endpoint took nothing for five days and is not told any more: what it is owed is held.",
            "Webhook_EndpointStanding",
        ),
        EventType::EndpointRecovered => {
            ("Another endpoint that was told as failing is well again.", "Webhook_EndpointStanding")
        }
    }
}

fn told_to(event: EventType) -> &'static str {
    if event.is_opt_in() {
        "Opt-in: told, and kept at all, only where an endpoint names it or asks for `*`."
    } else {
        "Told to each endpoint that names it, or asks for `all` or `*`."
    }
}

fn webhooks() -> Value {
    let header = |name: &str, description: &str| json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}});
    let headers = json!([
        header("X-InboundFlow-Event", "The event's name."),
        header("X-InboundFlow-Delivery-Id", "The delivery; the same through every retry and resend."),
        header("X-InboundFlow-Timestamp", "Unix seconds of this attempt."),
        header(
            "X-InboundFlow-Signature",
            "`sha256=` and the hexadecimal HMAC-SHA256 of the raw body, keyed with the \
            endpoint's secret as it was shown. Only where there is a secret."
        ),
        header("webhook-id", "The delivery (Standard Webhooks)."),
        header("webhook-timestamp", "Unix seconds of this attempt (Standard Webhooks)."),
        header(
            "webhook-signature",
            "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` (Standard Webhooks), where there is a secret; \
            and `v1a,` and the base64 Ed25519 signature of the same, where the endpoint asks for it. Several are \
            separated by a space."
        ),
    ]);
    let each = EventType::ALL.into_iter().map(|event| {
        let (description, schema) = about(event);
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        let operation = json!({"post": {
            "operationId": event.as_str().replace('.', "_"),
            "summary": description,
            "description": told_to(event),
            "security": [],
            "parameters": headers,
            "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": "Received. Any other answer, or none within 15 s, is tried again."}},
        }});
        (event.as_str().to_owned(), operation)
    });
    Value::Object(each.collect())
}

/// `GET /openapi.json`
pub(crate) async fn serve(axum::extract::State(state): axum::extract::State<crate::AppState>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], state.openapi.to_string()).into_response()
}

/// The description as it is served: made once.
pub fn rendered() -> Arc<str> {
    serde_json::to_string_pretty(&document()).unwrap_or_default().into()
}
