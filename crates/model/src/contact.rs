//! People who called.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{ContactId, Phone, Stamp, Time};

/// A person, known by their phone numbers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Contact {
    /// Our id of the contact.
    pub id: ContactId,
    /// The person's name.
    pub name: Option<String>,
    /// The person's number; one contact per number.
    pub phone: Option<Phone>,
    /// Further numbers of the person, such as those of contacts that were merged into this one.
    pub other_phones: Vec<Phone>,
    /// The person's e-mail address.
    pub email: Option<String>,
    /// The company they belong to.
    pub company: Option<String>,
    /// What the organization wrote about them.
    pub notes: Option<String>,
    /// The organization's own labels.
    pub tags: Vec<String>,
    /// How many calls there were with them.
    #[schema(minimum = 0)]
    pub call_count: i64,
    /// When the latest of those calls began.
    pub last_call_at: Option<Time>,
    /// When we first stored the contact. Unique and increasing within the organization.
    pub created_at: Stamp,
    /// When the contact last changed.
    pub updated_at: Stamp,
}
