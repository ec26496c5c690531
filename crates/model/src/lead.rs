//! What came of a call: somebody with a need who can be called back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{CallId, ContactId, LeadId, Phone, Stamp, Urgency};

/// Somebody with a need who can be called back.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Lead {
    /// Our id of the lead.
    pub id: LeadId,
    /// The call that the lead was made from.
    pub call_id: Option<CallId>,
    /// The person.
    pub contact_id: Option<ContactId>,
    /// The person's name.
    pub name: Option<String>,
    /// The number to call back.
    pub phone: Option<Phone>,
    /// The e-mail address to answer to.
    pub email: Option<String>,
    /// What they want.
    pub intent: Option<String>,
    /// How urgent it is.
    pub urgency: Option<Urgency>,
    /// What the call was about.
    pub summary: Option<String>,
    /// What the organization made of it.
    pub status: LeadStatus,
    /// What the organization wrote about it.
    pub notes: Option<String>,
    /// When we first stored the lead. Unique and increasing within the organization.
    pub created_at: Stamp,
    /// When the lead last changed.
    pub updated_at: Stamp,
}

/// What an organization made of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeadStatus {
    /// Nobody has looked at it yet.
    New,
    /// Somebody called back.
    Contacted,
    /// It is worth pursuing.
    Qualified,
    /// It became business.
    Won,
    /// It did not.
    Lost,
}

impl LeadStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::New, Self::Contacted, Self::Qualified, Self::Won, Self::Lost];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Qualified => "qualified",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Reads the word of the contract.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the lead is still worked on, so that a new call updates it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Contacted | Self::Qualified)
    }
}
