//! What a write says of one field of a record.

use serde::{Deserialize, Deserializer};

/// What a write says of a field: nothing, that it is to be empty, or its new value. In JSON these are an absent field
/// (with `#[serde(default)]`), `null` and a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The field stays as it is.
    #[default]
    Leave,
    /// The field is not known any more.
    Clear,
    /// The field's new value.
    Set(T),
}

impl<T> Patch<T> {
    /// Does to a field what is said of it.
    pub fn apply_to(self, slot: &mut Option<T>) {
        match self {
            Self::Leave => {}
            Self::Clear => *slot = None,
            Self::Set(value) => *slot = Some(value),
        }
    }

    /// The new value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Leave | Self::Clear => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_leaves_null_clears_and_a_value_is_set() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            name: Patch<String>,
        }
        for (json, before, after) in [
            ("{}", Some("Robin"), Some("Robin")),
            (r#"{"name": null}"#, Some("Robin"), None),
            (r#"{"name": "Ada"}"#, Some("Robin"), Some("Ada")),
            (r#"{"name": "Ada"}"#, None, Some("Ada")),
        ] {
            let body: Body = serde_json::from_str(json).expect("a body");
            let mut slot = before.map(str::to_owned);
            body.name.apply_to(&mut slot);
            assert_eq!(slot.as_deref(), after, "{json}");
        }
    }
}
