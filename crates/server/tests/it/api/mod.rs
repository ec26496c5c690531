//! What the interface promises: to clients, to voice platforms, and to receivers of webhooks.

#![expect(clippy::too_many_lines, reason = "an inline snapshot is as long as what it shows")]

mod calls;
mod envelopes;
mod erase;
mod export;
mod import;
mod inbox;
mod ingest;
mod isolation;
mod leads;
mod limits;
mod openapi;
mod orders;
mod paging;
mod platforms;
mod poison;
mod refusals;
mod retries;
mod schemathesis;
mod scopes;
mod search;
mod sources;
mod webhooks;
