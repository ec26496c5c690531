//! Reading settings strictly: every error says where in the settings it is, and no unknown name is passed over.

use serde_json::{Map, Value};

use super::{
    path::{From, Path},
    word::Vocabulary,
};

/// A value within the settings, and where it is.
pub(super) struct Node<'a> {
    pub(super) at: String,
    pub(super) value: &'a Value,
}

/// An object within the settings that has no fields but known ones.
pub(super) struct Object<'a> {
    at: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Node<'a> {
    /// The settings as a whole.
    pub(super) fn settings(value: &'a Value) -> Self {
        Self { at: "settings".into(), value }
    }

    /// What is wrong with the value, after where it is.
    pub(super) fn error(&self, problem: &str) -> String {
        format!("{} {problem}", self.at)
    }

    /// An object with some of these fields and no others.
    pub(super) fn object(&self, known: &[&str]) -> Result<Object<'a>, String> {
        let fields = self.value.as_object().ok_or_else(|| self.error("must be an object"))?;
        if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("{}.{name} is not a setting: there are `{}`", self.at, known.join("`, `")));
        }
        Ok(Object { at: self.at.clone(), fields })
    }

    /// The fields of an object whose names are the owner's own.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Node<'a>)>, String> {
        let fields = self.value.as_object().ok_or_else(|| self.error("must be an object"))?;
        if fields.is_empty() {
            return Err(self.error("must not be empty"));
        }
        let entry = |(name, value): (&'a String, &'a Value)| {
            let at = format!("{}[{name:?}]", self.at);
            (name.as_str(), Node { at, value })
        };
        Ok(fields.iter().map(entry).collect())
    }

    /// The items of a list, or the value by itself as the only one.
    pub(super) fn one_or_more(&self) -> Result<Vec<Node<'a>>, String> {
        let Value::Array(items) = self.value else {
            return Ok(vec![Node { at: self.at.clone(), value: self.value }]);
        };
        if items.is_empty() {
            return Err(self.error("must not be empty"));
        }
        let item = |(number, value)| Node { at: format!("{}[{number}]", self.at), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn text(&self) -> Result<&'a str, String> {
        let text = self.value.as_str().map(str::trim).filter(|text| !text.is_empty());
        text.ok_or_else(|| self.error("must be text"))
    }

    /// One of our words.
    pub(super) fn word<T: Copy + PartialEq>(&self, vocabulary: &Vocabulary<T>) -> Result<T, String> {
        let word = super::word::word(self.value).unwrap_or_default();
        let one_of = || format!("{}: {word:?} is none of {}", self.at, vocabulary.words());
        vocabulary.parse(&word).ok_or_else(one_of)
    }

    pub(super) fn path(&self, from: From) -> Result<Path, String> {
        let path = Path::parse(self.text()?).map_err(|problem| format!("{}: {problem}", self.at))?;
        if path.from == From::Item && from == From::Body {
            let problem = "begins with @, but there is no list here whose item that could be: begin with $";
            return Err(format!("{}: {:?} {problem}", self.at, path.text));
        }
        Ok(path)
    }

    /// Whether the value is a path or a list of them, rather than a word.
    pub(super) fn is_path(&self) -> bool {
        self.value.is_array() || self.value.as_str().is_some_and(|text| text.trim().starts_with(['$', '@']))
    }
}

impl<'a> Object<'a> {
    /// A field; `None` where it is absent or `null`.
    pub(super) fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        Some(Node { at: format!("{}.{name}", self.at), value })
    }

    /// A field, as something.
    pub(super) fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(Node<'a>) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.get(name).map(read).transpose()
    }

    /// A field that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<Node<'a>, String> {
        self.get(name).ok_or_else(|| format!("{}.{name} is missing", self.at))
    }
}
