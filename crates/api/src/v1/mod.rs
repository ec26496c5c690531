//! `/v1`: an organization's data, for holders of its API keys.

pub(crate) mod appointments;
pub(crate) mod assistants;
pub(crate) mod calls;
mod calls_body;
pub(crate) mod contacts;
pub(crate) mod erasures;
pub(crate) mod export;
mod export_answer;
pub(crate) mod leads;
pub(crate) mod messages;
pub(crate) mod preview;
pub(crate) mod sources;
mod sources_body;
