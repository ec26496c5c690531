//! The bodies of `/v1/contacts`.

use model::{ContactId, Patch, Phone};
use serde::Deserialize;
use store::ContactChange;
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    v1::fields::{Tag, email, other_phones, tags, text},
};

/// What is written of a contact. What is absent is not known, or stays; null says that it is not known any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactFields {
    /// The person's name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    name: Patch<String>,
    /// The person's number, in E.164; no other contact may have it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "e164")]
    phone: Patch<Phone>,
    /// All further numbers of the person, likewise.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Phone>>, max_items = 50)]
    other_phones: Patch<Vec<Phone>>,
    /// The person's e-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 320)]
    email: Patch<String>,
    /// The company they belong to.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    company: Patch<String>,
    /// What the organization has to say about them.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    notes: Patch<String>,
    /// All labels.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Tag>>, max_items = 50)]
    tags: Patch<Vec<Tag>>,
}

impl ContactFields {
    pub(crate) fn into_change(self) -> Result<ContactChange, ApiError> {
        Ok(ContactChange {
            name: text("name", self.name, 500)?,
            phone: self.phone,
            other_phones: other_phones(self.other_phones)?,
            email: email("email", self.email)?,
            company: text("company", self.company, 500)?,
            notes: text("notes", self.notes, 20_000)?,
            tags: tags(self.tags)?,
        })
    }
}

/// Which contact is merged into another one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeContacts {
    /// The contact that is not to be one of its own any more.
    #[schema(value_type = String, format = Uuid)]
    pub(crate) from: ContactId,
}
