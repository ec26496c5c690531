//! `/v1`: an organization's data, for holders of its API keys.

pub(crate) mod appointments;
pub(crate) mod assistants;
mod bodies;
pub(crate) mod calls;
mod calls_body;
pub(crate) mod contacts;
pub(crate) mod deliveries;
pub(crate) mod event_stream;
pub(crate) mod event_types;
pub(crate) mod events;
mod exchange;
mod idempotency;
pub(crate) mod leads;
pub(crate) mod preview;
pub(crate) mod recordings;
pub(crate) mod source_events;
mod source_events_body;
pub(crate) mod sources;
mod sources_body;
pub(crate) mod webhook_tests;
pub(crate) mod webhooks;
mod webhooks_body;
