//! Numbers that an organization wants nothing of.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{BlockedNumberId, Phone, Stamp};

/// A number whose calls are blocked: each is kept with the status `blocked`, and nothing follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BlockedNumber {
    /// Our id of the entry.
    pub id: BlockedNumberId,
    /// The number.
    pub phone: Phone,
    /// Why, in the organization's words.
    pub reason: Option<String>,
    /// Since when. Unique and increasing within the organization.
    pub created_at: Stamp,
}
