//! `POST …/test`: a sample sent at once, and all that came of it.

use axum::extract::State;
use delivery::{NewTrial, Recipient, Trial, sign};
use model::{EventType, Format, Redacted, Stamp, id::kind};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Caller,
    envelope::One,
    error::{ApiError, Code},
    extract::{Json, PathId},
    openapi::{self, OneOf},
    v1::{
        bodies::{check_secret, given, wrong},
        exchange::{HeaderLine, ReceivedResponse, SentRequest},
        webhook_telling::{AskedTelling, Filters, WrittenHeaders},
        webhooks::find,
    },
};

/// The name of an event.
#[derive(Clone, Copy)]
pub(crate) struct EventName(pub(crate) EventType);

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        EventType::parse(&word).map(Self).ok_or_else(|| {
            let all = EventType::ALL.map(EventType::as_str).join(", ");
            de::Error::custom(format!("`{word}` is no event: there are {all}"))
        })
    }
}

/// What is to be tried, before it is saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestWebhook {
    /// Where the sample goes.
    #[schema(format = "webhook-url", max_length = 2048)]
    url: String,
    /// The event whose sample is sent; `call.completed` where nothing is said.
    #[schema(value_type = Option<EventType>)]
    event: Option<EventName>,
    /// The secret to sign with. One is made up for this where the field is absent, and told; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$")]
    secret: Option<Option<String>>,
    /// Of which calls it is to be told: the sample is of one of those.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Filters>)]
    filters: Option<Option<Filters>>,
    /// What it is not to be told.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    redact: Option<Vec<Redacted>>,
    /// The form of the body.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    format: Option<Format>,
    /// Headers that it is to be sent beside ours.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<WrittenHeaders>)]
    headers: Option<Option<WrittenHeaders>>,
    /// Whether the organization's Ed25519 key signs too.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    sign_v1a: Option<bool>,
}

/// How an endpoint is to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestSavedWebhook {
    /// The event whose sample is sent; the first that the endpoint asks for where nothing is said.
    #[schema(value_type = Option<EventType>)]
    event: Option<EventName>,
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookTest {
    /// Whether the receiver answered with 2xx.
    delivered: bool,
    /// Always `test`.
    trigger: &'static str,
    /// The event whose sample was sent.
    event: EventType,
    started_at: Stamp,
    /// How long it took, the answer's body included.
    duration_ms: i64,
    /// The address that was dialled, where it came to that.
    #[schema(required)]
    address: Option<String>,
    request: SentRequest,
    /// The answer, where there was one.
    #[schema(required)]
    response: Option<ReceivedResponse>,
    /// Why it failed, in words.
    #[schema(required)]
    error: Option<String>,
    /// The secret that was made up to sign this with; null where it was given, or there is none.
    #[schema(required)]
    secret: Option<String>,
}

impl WebhookTest {
    pub(crate) fn new(event: EventType, url: String, secret: Option<String>, trial: Trial) -> Self {
        let Trial { response_headers, response_body, .. } = trial;
        let response =
            trial.status.map(|status| ReceivedResponse::new(status.into(), response_headers, response_body));
        let request = SentRequest {
            method: "POST",
            url,
            headers: HeaderLine::all(trial.request_headers),
            body: trial.request_body,
        };
        Self {
            delivered: trial.error.is_none(),
            trigger: "test",
            event,
            started_at: Stamp::from_micros(trial.started_at.micros()),
            duration_ms: trial.duration_ms,
            address: trial.address,
            request,
            response,
            error: trial.error,
            secret,
        }
    }
}

/// Test a webhook before saving it
///
/// Sends one signed webhook with sample data to the address and tells what came of it. Nothing is saved. The answer is
/// 200 whatever the receiver said; an address that webhooks may not go to is 400.
#[utoipa::path(post, path = "/v1/webhooks/test", tag = "Webhooks",
    request_body = TestWebhook,
    responses(
        (status = 200, description = "What came of it.", body = OneOf<WebhookTest>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn test_unsaved_webhook(
    State(state): State<AppState>,
    caller: Caller,
    body: Json<TestWebhook>,
) -> Result<One<WebhookTest>, ApiError> {
    let TestWebhook { url, event, secret, filters, redact, format, headers, sign_v1a } = body.value;
    let telling = AskedTelling { filters, redact, format, headers, sign_v1a }.of_new(&caller.store).await?;
    let made_up = secret.is_none().then(|| sign::generate_secret(&*state.ids));
    let secret = secret.unwrap_or_else(|| made_up.clone());
    check_secret(secret.as_deref())?;
    let event = event.map_or(EventType::CallCompleted, |event| event.0);
    let whose = (&state.store, caller.org);
    let to = Recipient::new(whose, url.clone(), secret, (telling, state.clock.now())).await?;
    let trial =
        state.trials.send(NewTrial { to, event }).await.map_err(|error| wrong("url", &error.to_string()))?;
    Ok(One::new(WebhookTest::new(event, url, made_up, trial)))
}

/// Test a webhook endpoint
///
/// Sends one webhook with sample data, signed as the endpoint's are, and tells what came of it. It changes nothing of
/// the endpoint, whatever the receiver says. 409 where the operator no longer lets webhooks go to its address, or where
/// it forwards a source's messages.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid)),
    request_body = TestSavedWebhook,
    responses(
        (status = 200, description = "What came of it.", body = OneOf<WebhookTest>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn test_webhook(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
    body: Json<TestSavedWebhook>,
) -> Result<One<WebhookTest>, ApiError> {
    let endpoint = find(&caller, id).await?;
    if endpoint.source.is_some() {
        let why = "This webhook forwards a source's messages: to test it, send the source one";
        return Err(ApiError::new(Code::Conflict, why));
    }
    let url = endpoint.url.clone();
    let event = body.value.event.map(|event| event.0);
    let new = NewTrial::to(endpoint, (&state.store, caller.org), event, state.clock.now()).await?;
    let event = new.event;
    let refused = |error: delivery::guard::TargetError| ApiError::new(Code::Conflict, error.to_string());
    let trial = state.trials.send(new).await.map_err(refused)?;
    Ok(One::new(WebhookTest::new(event, url, None, trial)))
}
