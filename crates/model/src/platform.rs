//! Where records come from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A voice platform whose webhooks we take, or our own API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Written through our own API.
    Api,
    /// Vapi.
    Vapi,
    /// Retell AI.
    Retell,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 3] = [Self::Api, Self::Vapi, Self::Retell];

    /// The word in addresses, in the database and in `source`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Vapi => "vapi",
            Self::Retell => "retell",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == word)
    }
}
