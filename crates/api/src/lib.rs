//! The HTTP interface: `/v1` for clients, `/ingest` for voice platforms, `/openapi.json`, and whether we are well.

mod auth;
mod envelope;
mod error;
pub mod export;
mod extract;
mod health;
mod ingest;
mod layers;
pub mod limit;
pub mod openapi;
mod scopes;
mod v1;

use std::sync::Arc;

use ::ingest::Ingest;
use axum::{Router, middleware};
use model::{Clock, IdGen};
use store::Store;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use crate::error::{ApiError, Code};
use crate::limit::Limits;

/// Everything that handlers share. Built once, in the server. Every layer holds one, so it is one pointer.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// What an [`AppState`] points to.
pub struct Shared {
    /// All records.
    pub store: Store,
    /// Takes platforms' webhooks.
    pub ingest: Arc<Ingest>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
    /// Who may ask how often.
    pub limits: Limits,
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
        .routes(routes!(v1::calls::list_calls, v1::calls::create_call))
        .routes(routes!(v1::calls::get_call))
        .routes(routes!(v1::contacts::list_contacts))
        .routes(routes!(v1::contacts::get_contact))
        .routes(routes!(v1::leads::list_leads))
        .routes(routes!(v1::leads::get_lead))
        .routes(routes!(v1::appointments::list_appointments))
        .routes(routes!(v1::appointments::get_appointment))
        .routes(routes!(v1::assistants::list_assistants))
        .routes(routes!(v1::sources::list_sources, v1::sources::create_source))
        .routes(routes!(v1::preview::preview_message))
        .routes(routes!(v1::sources::get_source, v1::sources::update_source, v1::sources::delete_source))
        .routes(routes!(v1::sources::rotate_source_secret))
        .routes(routes!(v1::messages::list_source_messages))
        .routes(routes!(v1::messages::get_source_message))
        .routes(routes!(v1::messages::reprocess_source_message))
        .routes(routes!(v1::messages::reprocess_source_messages))
        .routes(routes!(v1::erasures::erase_contact))
        .routes(routes!(v1::erasures::get_erasure))
        .routes(routes!(v1::export::export_calls))
        .routes(routes!(v1::export::export_contacts))
        .routes(routes!(v1::export::export_leads))
        .routes(routes!(v1::export::export_appointments))
        .routes(routes!(v1::export::export_assistants))
        .routes(routes!(v1::export::export_events))
        .routes(routes!(v1::export::export_sources))
        .routes(routes!(v1::export::export_messages))
        .routes(routes!(ingest::receive_message))
        .routes(routes!(ingest::receive_message_with_secret))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// The whole interface as one service.
pub fn router(state: AppState) -> Router {
    let (router, _) = routes().split_for_parts();
    let layers = tower::ServiceBuilder::new()
        // The first is outermost: it sees the request first and the response last.
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), layers::every_request));
    router
        .route("/openapi.json", axum::routing::get(openapi::serve))
        .fallback(layers::no_route)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(layers)
        .with_state(state)
}
