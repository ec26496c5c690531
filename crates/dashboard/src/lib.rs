//! Pages for people: rendered here, complete without a script, with nothing from elsewhere.
//!
//! A page is a module of `pages` and a template beside it. Whoever asks is a `Person` with a session, and comes
//! to an organization's records by [`store::Visitor::door`] alone.

mod appointment;
mod assets;
mod call;
mod contact;
mod docs;
mod endpoint;
mod error;
mod extract;
mod fault;
mod fields;
mod layers;
mod lead;
mod once;
mod pages;
pub mod password;
mod person;
mod platforms;
mod provenance;
mod secrets;
mod shell;
mod show;
mod throttle;
mod timeline;
mod tools;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use delivery::Trials;
use ingest::Ingest;
use model::{Clock, IdGen};
use store::Store;
use tower_http::{compression::CompressionLayer, csrf::CsrfLayer};

use crate::{assets::Assets, password::Hashing, throttle::Throttle};
pub use crate::{
    docs::Sources as DocsSources,
    error::ConfigError,
    pages::setup::looks_like_email as is_email,
    secrets::{SETUP_LINK_LIFETIME, Token},
};

/// What the pages need.
pub struct Parts {
    /// All records.
    pub store: Store,
    /// Reads platforms' messages again.
    pub ingest: Arc<Ingest>,
    /// Sends webhooks that somebody wants to try.
    pub trials: Arc<Trials>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
    /// Where this server is reached from outside, where the operator says so.
    pub public_url: Option<String>,
    /// What the documentation is made of.
    pub docs: DocsSources,
}

/// What all pages share.
#[derive(Clone)]
struct Dashboard(Arc<Shared>);

struct Shared {
    store: Store,
    ingest: Arc<Ingest>,
    trials: Arc<Trials>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    public_url: Option<String>,
    assets: Assets,
    docs: docs::Docs,
    throttle: Throttle,
    hashing: Hashing,
}

impl std::ops::Deref for Dashboard {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// Whether browsers come by https: then their cookies go no other way.
    fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// All pages as one service. Paths that are none of theirs are left to others.
pub fn router(parts: Parts) -> Result<Router, ConfigError> {
    let Parts { store, ingest, trials, clock, ids, public_url, docs } = parts;
    let csrf = csrf(public_url.as_deref())?;
    let hashing = Hashing::new(ids.clone());
    let state = Dashboard(Arc::new(Shared {
        store,
        ingest,
        trials,
        clock,
        ids,
        public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
        assets: Assets::new(),
        docs: docs::Docs::new(docs),
        throttle: Throttle::default(),
        hashing,
    }));
    // The first is outermost: it sees the request first and the response last.
    let layers = tower::ServiceBuilder::new()
        .layer(CompressionLayer::new().gzip(true))
        .layer(middleware::from_fn_with_state(state.clone(), layers::every_page))
        .layer(csrf);
    let router = Router::new()
        .merge(settings())
        .merge(docs::routes())
        .merge(people())
        .merge(appointments())
        .route("/assets/{name}", get(assets::get_asset))
        .route("/setup", get(pages::setup::show_setup).post(pages::setup::finish_setup))
        .route("/sign-in", get(pages::sign_in::show_sign_in).post(pages::sign_in::sign_in))
        .route("/sign-out", post(pages::sign_in::sign_out))
        .route("/", get(pages::overview::show_overview))
        .route("/calls", get(pages::calls::list_calls))
        .route("/calls/export", get(pages::calls::export_calls))
        .route("/calls/{id}", get(pages::call::show_call))
        .route("/calls/{id}/review", post(pages::call::review_call))
        .route("/calls/{id}/json", get(pages::call::call_as_json))
        .route("/calls/{id}/recording", get(pages::call::play_recording))
        .route("/calls/{id}/messages/{message}", get(pages::message::show_message))
        .route("/deliveries", get(pages::deliveries::list_deliveries))
        .route("/deliveries/{id}", get(pages::delivery::show_delivery))
        .route("/deliveries/{id}/resend", post(pages::delivery::resend_delivery))
        .layer(layers)
        .with_state(state);
    Ok(router)
}

/// The pages of who called, and what they want.
fn people() -> Router<Dashboard> {
    use pages::{contact, contact_edit, contact_erase, contact_merge, contacts, export, lead, leads};
    Router::new()
        .route("/contacts", get(contacts::list_contacts))
        .route("/contacts/export", get(contacts::export_contacts))
        .route("/contacts/new", get(contact_edit::show_new_form).post(contact_edit::create_contact))
        .route("/contacts/{id}", get(contact::show_contact))
        .route("/contacts/{id}/edit", get(contact_edit::show_form).post(contact_edit::save_contact))
        .route("/contacts/{id}/merge", get(contact_merge::show_merge).post(contact_merge::merge_contacts))
        .route("/contacts/{id}/block", post(contact::block_number))
        .route("/contacts/{id}/export", get(export::export_person))
        .route("/contacts/{id}/erase", get(contact_erase::show_erase).post(contact_erase::erase_contact))
        .route("/erasures/{id}", get(contact_erase::show_erasure))
        .route("/leads", get(leads::list_leads))
        .route("/leads/export", get(leads::export_leads))
        .route("/leads/{id}", get(lead::show_lead))
        .route("/leads/{id}/edit", get(lead::show_form).post(lead::save_lead))
        .route("/leads/{id}/move", post(lead::move_lead))
        .route("/leads/{id}/delete", post(lead::delete_lead))
}

/// The pages of what takes place when.
fn appointments() -> Router<Dashboard> {
    use pages::{appointment, appointment_edit, appointments, calendar_feeds};
    Router::new()
        .route("/appointments", get(appointments::list_appointments))
        .route("/appointments/export", get(appointments::export_appointments))
        .route(
            "/appointments/new",
            get(appointment_edit::show_new_form).post(appointment_edit::create_appointment),
        )
        .route("/appointments/feeds", get(calendar_feeds::list_feeds).post(calendar_feeds::create_feed))
        .route("/appointments/feeds/{id}/revoke", post(calendar_feeds::revoke_feed))
        .route("/appointments/{id}", get(appointment::show_appointment))
        .route(
            "/appointments/{id}/edit",
            get(appointment_edit::show_form).post(appointment_edit::save_appointment),
        )
        .route("/appointments/{id}/status", post(appointment::set_status))
        .route("/appointments/{id}/delete", post(appointment::delete_appointment))
}

/// The pages of the settings.
fn settings() -> Router<Dashboard> {
    use pages::{
        integration, integration_new, integration_recover, integration_secret, source, source_event,
        source_new, source_reprocess,
    };
    Router::new()
        .route("/settings/api", get(pages::keys::list_keys).post(pages::keys::create_key))
        .route("/settings/api/{id}/revoke", post(pages::keys::revoke_key))
        .route("/settings/integrations", get(pages::integrations::list_integrations))
        .route(
            "/settings/integrations/new",
            get(integration_new::show_form).post(integration_new::test_or_save),
        )
        .route(
            "/settings/integrations/{id}",
            get(integration::show_integration).post(integration::change_integration),
        )
        .route("/settings/integrations/{id}/state", post(integration::switch_integration))
        .route("/settings/integrations/{id}/test", post(integration::test_integration))
        .route("/settings/integrations/{id}/secret", post(integration_secret::rotate_integration_secret))
        .route("/settings/integrations/{id}/recover", post(integration_recover::recover_integration))
        .route("/settings/integrations/{id}/delete", post(integration::delete_integration))
        .route("/settings/sources", get(pages::sources::list_sources))
        .route("/settings/sources/new", get(source_new::show_form).post(source_new::create_source))
        .route("/settings/sources/{id}", get(source::show_source).post(source::rename_source))
        .route("/settings/sources/{id}/secret", post(source::rotate_source_secret))
        .route("/settings/sources/{id}/reprocess", post(source_reprocess::reprocess_source_events))
        .route("/settings/sources/{id}/delete", post(source::delete_source))
        .route("/settings/sources/{id}/events/{event}", get(source_event::show_source_event))
        .route("/settings/sources/{id}/events/{event}/reprocess", post(source_event::reprocess_source_event))
}

/// Refuses writes that another site has a browser send (`Sec-Fetch-Site`, else `Origin` against `Host`).
fn csrf(public_url: Option<&str>) -> Result<CsrfLayer, ConfigError> {
    let Some(url) = public_url else { return Ok(CsrfLayer::new()) };
    let mut parts = url.splitn(4, '/');
    let (scheme, host) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    // A proxy may say another host than the browser did.
    CsrfLayer::new()
        .add_trusted_origin(format!("{scheme}//{host}"))
        .map_err(|error| ConfigError(format!("public_url: {error}")))
}
