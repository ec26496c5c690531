//! The voice assistants that handled calls.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{AssistantId, Platform, Stamp};

/// A voice assistant, seen in at least one call.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Assistant {
    /// Our id of the assistant.
    pub id: AssistantId,
    /// The assistant's name, where the platform tells it.
    pub name: Option<String>,
    /// Where we know it from.
    pub source: Platform,
    /// The platform's own id of the assistant.
    pub external_id: String,
    /// How many calls it handled.
    #[schema(minimum = 0)]
    pub call_count: i64,
    /// When we first saw it. Unique and increasing within the organization.
    pub created_at: Stamp,
}
