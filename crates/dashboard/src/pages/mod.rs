//! The pages, a module each.

pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod deliveries;
pub(crate) mod delivery;
pub(crate) mod integration;
pub(crate) mod integration_new;
pub(crate) mod integration_recover;
pub(crate) mod integration_secret;
pub(crate) mod integrations;
pub(crate) mod keys;
pub(crate) mod message;
pub(crate) mod overview;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod source;
pub(crate) mod source_event;
pub(crate) mod source_events;
pub(crate) mod source_new;
pub(crate) mod source_reprocess;
pub(crate) mod sources;
