//! The HTTP interface: `/v1` for clients, `/ingest` for voice platforms, `/openapi.json`, and whether we are well.

mod answers;
mod arrival;
mod auth;
mod calendar;
mod envelope;
mod error;
mod extract;
mod health;
mod ingest;
mod layers;
pub mod limit;
mod media;
pub mod openapi;
mod scopes;
pub mod shown;
mod streams;
mod v1;

use std::sync::Arc;

use ::ingest::Ingest;
use axum::{Router, middleware};
use delivery::Trials;
use model::{Clock, IdGen};
use reconcile::Reconciler;
use recordings::Vault;
use store::Store;
pub use store::written as export;
use tower_http::compression::{CompressionLayer, DefaultPredicate, Predicate, predicate::NotForContentType};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::limit::Limits;
pub use crate::{
    answers::Answerer,
    error::{ApiError, Code},
    streams::Streams,
    v1::event_types::{EventTypeRecord, event_types},
};

/// Everything that handlers share. Built once, in the server. Every layer holds one, so it is one pointer.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// What an [`AppState`] points to.
pub struct Shared {
    /// All records.
    pub store: Store,
    /// Takes platforms' webhooks.
    pub ingest: Arc<Ingest>,
    /// Sends webhooks that somebody wants to try.
    pub trials: Arc<Trials>,
    /// Answers what platforms ask.
    pub answerer: Answerer,
    /// Lists platforms' calls.
    pub reconciler: Arc<Reconciler>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
    /// The open event streams.
    pub streams: Streams,
    /// Every type of event, described ([`event_types`]).
    pub event_types: Arc<[EventTypeRecord]>,
    /// Who may ask how often.
    pub limits: Limits,
    /// Where recordings are.
    pub vault: Vault,
    /// Where this server is reached from outside, where the operator says so.
    pub public_url: Option<String>,
    /// The description of the interface ([`openapi::rendered`]).
    pub openapi: Arc<str>,
}

impl AppState {
    /// Shares these.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Every route with its handler, and the description of all of them.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(records())
        .merge(sources())
        .merge(webhooks())
        .merge(portability())
        .routes(routes!(ingest::receive_message))
        .routes(routes!(ingest::receive_message_with_secret))
        .routes(routes!(calendar::get_calendar))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// What came of calls.
fn records() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(v1::calls::list_calls, v1::calls::create_call))
        .routes(routes!(v1::calls::get_call, v1::calls::review_call))
        .routes(routes!(v1::recordings::get_recording, v1::recordings::delete_recordings))
        .routes(routes!(v1::recordings::fetch_recordings))
        .routes(routes!(v1::recordings::get_recording_by_link))
        .routes(routes!(v1::contacts::list_contacts, v1::contacts::create_contact))
        .routes(routes!(
            v1::contacts::get_contact,
            v1::contacts::update_contact,
            v1::contacts::delete_contact
        ))
        .routes(routes!(v1::contacts::merge_contacts))
        .routes(routes!(v1::leads::list_leads, v1::leads::create_lead))
        .routes(routes!(v1::leads::get_lead, v1::leads::update_lead, v1::leads::delete_lead))
        .routes(routes!(v1::leads::get_lead_provenance))
        .routes(routes!(v1::appointments::list_appointments, v1::appointments::create_appointment))
        .routes(routes!(
            v1::appointments::get_appointment,
            v1::appointments::update_appointment,
            v1::appointments::delete_appointment
        ))
        .routes(routes!(v1::appointments::get_appointment_provenance))
        .routes(routes!(v1::agenda::list_agenda))
        .routes(routes!(v1::calendar_feeds::list_calendar_feeds, v1::calendar_feeds::create_calendar_feed))
        .routes(routes!(v1::calendar_feeds::get_calendar_feed, v1::calendar_feeds::delete_calendar_feed))
        .routes(routes!(
            v1::blocked_numbers::list_blocked_numbers,
            v1::blocked_numbers::create_blocked_number
        ))
        .routes(routes!(v1::blocked_numbers::get_blocked_number, v1::blocked_numbers::delete_blocked_number))
        .routes(routes!(v1::assistants::list_assistants))
}

/// Where calls come from, and what came from there.
fn sources() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(v1::sources::list_sources, v1::sources::create_source))
        .routes(routes!(v1::preview::preview_message))
        .routes(routes!(v1::sources::get_source, v1::sources::update_source, v1::sources::delete_source))
        .routes(routes!(v1::sources::rotate_source_secret))
        .routes(routes!(v1::forwards::create_source_forward))
        .routes(routes!(v1::source_events::list_source_events))
        .routes(routes!(v1::source_events::get_source_event))
        .routes(routes!(v1::source_events::reprocess_source_event))
        .routes(routes!(v1::source_events::reprocess_source_events))
        .routes(routes!(v1::imports::list_imports, v1::imports::create_import))
        .routes(routes!(v1::imports::get_import))
        .routes(routes!(v1::imports::pause_import))
        .routes(routes!(v1::imports::resume_import))
        .routes(routes!(v1::gaps::list_gaps))
        .routes(routes!(v1::gaps::get_reconciler))
}

/// What is told to others, and how that went.
fn webhooks() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(v1::webhooks::list_webhooks, v1::webhooks::create_webhook))
        .routes(routes!(v1::webhook_tests::test_unsaved_webhook))
        .routes(routes!(
            v1::webhooks::get_webhook,
            v1::webhooks::update_webhook,
            v1::webhooks::delete_webhook
        ))
        .routes(routes!(v1::webhooks::rotate_webhook_secret))
        .routes(routes!(v1::signing_key::get_signing_key))
        .routes(routes!(v1::signing_key::rotate_signing_key))
        .routes(routes!(v1::recoveries::count_recoverable))
        .routes(routes!(v1::recoveries::recover_deliveries))
        .routes(routes!(v1::recoveries::get_recovery))
        .routes(routes!(v1::webhook_tests::test_webhook))
        .routes(routes!(v1::events::list_missed_webhooks))
        .routes(routes!(v1::deliveries::list_deliveries))
        .routes(routes!(v1::deliveries::get_delivery))
        .routes(routes!(v1::deliveries::resend_delivery))
        .routes(routes!(v1::events::list_events))
        .routes(routes!(v1::event_stream::stream_events))
        .routes(routes!(v1::event_types::list_event_types))
        .routes(routes!(v1::event_types::get_event_type))
        .routes(routes!(v1::event_types::list_event_samples))
        .routes(routes!(v1::event_types::trigger_event))
}

/// Taking records out, and forgetting people.
fn portability() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(v1::erasures::count_erasable))
        .routes(routes!(v1::erasures::erase_contact))
        .routes(routes!(v1::erasures::get_erasure))
        .routes(routes!(v1::export_person::export_person))
        .routes(routes!(v1::export::export_calls))
        .routes(routes!(v1::export::export_contacts))
        .routes(routes!(v1::export::export_leads))
        .routes(routes!(v1::export::export_appointments))
        .routes(routes!(v1::export::export_assistants))
        .routes(routes!(v1::export::export_events))
        .routes(routes!(v1::export::export_sources))
        .routes(routes!(v1::export::export_messages))
        .routes(routes!(v1::export::export_blocked_numbers))
        .routes(routes!(v1::export::export_webhooks))
        .routes(routes!(v1::export::export_gaps))
}

/// Sound is compressed already, and whoever asks for a part of it counts its bytes.
fn text_only() -> impl Predicate {
    DefaultPredicate::new()
        .and(NotForContentType::new("audio/"))
        .and(NotForContentType::new("video/"))
        .and(NotForContentType::new("application/octet-stream"))
}

/// The whole interface as one service.
pub fn router(state: AppState) -> Router {
    let (router, _) = routes().split_for_parts();
    let layers = tower::ServiceBuilder::new()
        // The first is outermost: it sees the request first and the response last.
        .layer(CompressionLayer::new().compress_when(text_only()))
        .layer(middleware::from_fn_with_state(state.clone(), layers::every_request));
    router
        .route("/openapi.json", axum::routing::get(openapi::serve))
        .fallback(layers::no_route)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(layers)
        .with_state(state)
}
