//! `/v1`: an organization's data, for holders of its API keys.

pub(crate) mod appointments;
mod appointments_body;
pub(crate) mod assistants;
pub(crate) mod blocked_numbers;
pub(crate) mod calls;
mod calls_body;
pub(crate) mod contacts;
mod contacts_body;
pub(crate) mod deliveries;
pub(crate) mod event_stream;
pub(crate) mod event_types;
pub(crate) mod events;
mod exchange;
mod fields;
pub(crate) mod leads;
mod leads_body;
pub(crate) mod messages;
pub(crate) mod preview;
pub(crate) mod sources;
mod sources_body;
pub(crate) mod webhook_tests;
pub(crate) mod webhooks;
mod webhooks_body;
mod writes;
