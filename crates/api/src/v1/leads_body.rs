//! The bodies of `/v1/leads`.

use model::{CallId, ContactId, LeadStatus, Patch, Phone, Urgency};
use serde::Deserialize;
use store::LeadChange;
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    v1::{
        bodies::not_null,
        fields::{email, text},
    },
};

/// A new lead. All fields are optional; what is null or absent is not known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLead {
    /// The call that it comes from, which has none yet. The call's later messages bring the lead up to date.
    pub(crate) call_id: Option<CallId>,
    /// The person; where it is absent, the call's, or the one with the number, who is made a contact if need be.
    #[serde(default)]
    #[schema(value_type = Option<ContactId>)]
    contact_id: Patch<ContactId>,
    /// The person's name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    name: Patch<String>,
    /// The number to call back, in E.164.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "e164")]
    phone: Patch<Phone>,
    /// The e-mail address to answer to.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 320)]
    email: Patch<String>,
    /// What they want.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    intent: Patch<String>,
    /// How urgent it is.
    #[serde(default)]
    #[schema(value_type = Option<Urgency>)]
    urgency: Patch<Urgency>,
    /// What it is about.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100_000)]
    summary: Patch<String>,
    /// Where it stands; `new` where nothing is said.
    status: Option<LeadStatus>,
    /// What the organization has to say about it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    notes: Patch<String>,
}

impl NewLead {
    pub(crate) fn into_change(self) -> Result<LeadChange, ApiError> {
        checked(LeadChange {
            contact_id: self.contact_id,
            name: self.name,
            phone: self.phone,
            email: self.email,
            intent: self.intent,
            urgency: self.urgency,
            summary: self.summary,
            status: self.status,
            notes: self.notes,
        })
    }
}

/// What is to change of a lead. What is absent stays; null says that it is not known any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedLead {
    /// The person.
    #[serde(default)]
    #[schema(value_type = Option<ContactId>)]
    contact_id: Patch<ContactId>,
    /// The person's name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    name: Patch<String>,
    /// The number to call back, in E.164.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "e164")]
    phone: Patch<Phone>,
    /// The e-mail address to answer to.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 320)]
    email: Patch<String>,
    /// What they want.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    intent: Patch<String>,
    /// How urgent it is.
    #[serde(default)]
    #[schema(value_type = Option<Urgency>)]
    urgency: Patch<Urgency>,
    /// What it is about.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100_000)]
    summary: Patch<String>,
    /// Where it stands.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = LeadStatus, required = false)]
    status: Option<LeadStatus>,
    /// What the organization has to say about it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    notes: Patch<String>,
}

impl ChangedLead {
    pub(crate) fn into_change(self) -> Result<LeadChange, ApiError> {
        checked(LeadChange {
            contact_id: self.contact_id,
            name: self.name,
            phone: self.phone,
            email: self.email,
            intent: self.intent,
            urgency: self.urgency,
            summary: self.summary,
            status: self.status,
            notes: self.notes,
        })
    }
}

fn checked(change: LeadChange) -> Result<LeadChange, ApiError> {
    Ok(LeadChange {
        name: text("name", change.name, 500)?,
        email: email("email", change.email)?,
        intent: text("intent", change.intent, 1000)?,
        summary: text("summary", change.summary, 100_000)?,
        notes: text("notes", change.notes, 20_000)?,
        ..change
    })
}
