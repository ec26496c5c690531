//! What the interface promises: to clients, to voice platforms, and to receivers of webhooks.

#![expect(clippy::too_many_lines, reason = "an inline snapshot is as long as what it shows")]

mod answers;
mod audio;
mod blocked_numbers;
mod bucket;
mod calls;
mod circuit;
mod completeness;
mod contacts;
mod dashboard;
mod deliveries;
mod endpoints;
mod envelopes;
mod erase;
mod erase_further;
mod events;
mod export;
mod forwards;
mod held;
mod import;
mod inbox;
mod ingest;
mod isolation;
mod leads;
mod limits;
mod openapi;
mod opt_in;
mod orders;
mod paging;
pub(crate) mod platforms;
mod poison;
mod provenance;
mod recordings;
mod recordings_in_time;
mod records;
mod recoveries;
mod refusals;
mod retries;
mod schemathesis;
mod scopes;
mod search;
mod sources;
mod streams;
mod sweep;
mod webhooks;
mod writes;
