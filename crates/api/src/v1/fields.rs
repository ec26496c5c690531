//! What the types don't say of fields that several bodies have: checked, and named where they are wrong.

use model::{Patch, Phone};
use serde::{Deserialize, Deserializer, de};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use crate::{error::ApiError, v1::bodies::wrong};

/// A text of so many characters at most. A blank one says that there is none.
pub(crate) fn text(field: &str, said: Patch<String>, max: usize) -> Result<Patch<String>, ApiError> {
    match said {
        Patch::Set(text) if text.chars().count() > max => {
            Err(wrong(field, &format!("must have at most {max} characters")))
        }
        Patch::Set(text) if text.trim().is_empty() => Ok(Patch::Clear),
        said => Ok(said),
    }
}

/// An e-mail address.
pub(crate) fn email(field: &str, said: Patch<String>) -> Result<Patch<String>, ApiError> {
    match said.value() {
        Some(address) if !is_email(address) => Err(wrong(field, "must be an e-mail address")),
        _ => text(field, said, 320),
    }
}

/// Close enough: whether an address exists is only known by writing to it.
pub(crate) fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !text.chars().any(char::is_control)
}

/// The name of a time zone.
pub(crate) fn time_zone(field: &str, said: Patch<String>) -> Result<Patch<String>, ApiError> {
    match said.value() {
        Some(name) if !model::is_time_zone(name) => {
            Err(wrong(field, "must be the name of a time zone, such as America/Los_Angeles"))
        }
        _ => Ok(said),
    }
}

/// A label: 1 to 100 characters.
pub(crate) struct Tag(String);

const TAG_LENGTH: usize = 100;

/// How many labels a record has at most.
const TAGS: usize = 50;

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !(1..=TAG_LENGTH).contains(&text.chars().count()) {
            return Err(de::Error::custom(format!("must have 1 to {TAG_LENGTH} characters")));
        }
        Ok(Self(text))
    }
}

impl utoipa::PartialSchema for Tag {
    fn schema() -> RefOr<Schema> {
        let tag = ObjectBuilder::new().schema_type(Type::String).description(Some("A label."));
        tag.min_length(Some(1)).max_length(Some(TAG_LENGTH)).into()
    }
}

impl ToSchema for Tag {}

/// All labels of a record, each once and without blanks around it.
pub(crate) fn tags(said: Patch<Vec<Tag>>) -> Result<Patch<Vec<String>>, ApiError> {
    let Patch::Set(said) = said else {
        return Ok(if matches!(said, Patch::Clear) { Patch::Clear } else { Patch::Leave });
    };
    if said.len() > TAGS {
        return Err(wrong("tags", &format!("must be at most {TAGS}")));
    }
    let mut tags: Vec<String> = Vec::with_capacity(said.len());
    for Tag(tag) in said {
        let tag = tag.trim();
        if !tag.is_empty() && !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    Ok(Patch::Set(tags))
}

/// How many numbers a contact has at most beside its own, where somebody writes them.
const PHONES: usize = 50;

/// All further numbers of a contact.
pub(crate) fn other_phones(said: Patch<Vec<Phone>>) -> Result<Patch<Vec<Phone>>, ApiError> {
    match said.value() {
        Some(phones) if phones.len() > PHONES => {
            Err(wrong("other_phones", &format!("must be at most {PHONES}")))
        }
        _ => Ok(said),
    }
}
