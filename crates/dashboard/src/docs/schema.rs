//! What the API's description says of a value: its fields for a table, and an example of it.

use serde_json::{Map, Value, json};

/// The description of the API, for looking up what it refers to.
#[derive(Clone, Copy)]
pub(super) struct Schemas<'a>(pub(super) &'a Value);

/// A field of an object.
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    pub(super) is_required: bool,
}

const PREFIX: &str = "#/components/schemas/";

/// The name of the schema that is referred to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|to| to.strip_prefix(PREFIX))
}

impl<'a> Schemas<'a> {
    /// The schema itself, where it is a reference to one, or one that may be null.
    pub(super) fn resolve(self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        loop {
            schema = match (reference(schema), present(schema)) {
                (Some(name), _) => self.named(name),
                (None, Some(one)) => one,
                (None, None) => return schema,
            };
        }
    }

    /// An object's fields, those of all its parts.
    pub(super) fn fields(self, schema: &'a Value) -> Vec<Field<'a>> {
        let schema = self.resolve(schema);
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let mut fields: Vec<_> = parts.flat_map(|part| self.fields(part)).collect();
        let required = schema["required"].as_array();
        let is_required =
            |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
        fields.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, schema)| Field {
            name,
            schema,
            is_required: is_required(name),
        }));
        fields
    }

    /// What kind of value it is, in Markdown; an object by its name, which is a link.
    pub(super) fn kind(self, schema: &'a Value) -> String {
        let target = self.resolve(schema);
        if let Some(values) = target["enum"].as_array() {
            let values: Vec<_> =
                values.iter().filter_map(Value::as_str).map(|it| format!("`{it}`")).collect();
            return values.join(", ");
        }
        if self.is_object(target) {
            return match self.name(schema) {
                Some(name) => format!("[{name}](#{})", name.to_ascii_lowercase()),
                None => "object".to_owned(),
            };
        }
        let kind = match &target["type"] {
            Value::String(kind) => Some(kind.as_str()),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            _ => None,
        };
        match (kind, target["format"].as_str()) {
            (Some("array"), _) => format!("list of {}", self.kind(&target["items"])),
            (Some("string"), Some(format)) => format.to_owned(),
            (Some(kind), _) => kind.to_owned(),
            (None, _) => "any".to_owned(),
        }
    }

    /// The name of the object that a schema refers to, also where it may be null or is one of a list.
    pub(super) fn name(self, schema: &'a Value) -> Option<&'a str> {
        reference(schema)
            .or_else(|| present(schema).and_then(|one| self.name(one)))
            .or_else(|| schema.get("items").and_then(|items| self.name(items)))
            .filter(|name| self.is_named_object(name))
    }

    /// The schema with a name; null where there is none.
    pub(super) fn named(self, name: &str) -> &'a Value {
        &self.0["components"]["schemas"][name]
    }

    pub(super) fn is_named_object(self, name: &str) -> bool {
        self.is_object(self.named(name))
    }

    fn is_object(self, schema: &'a Value) -> bool {
        !self.fields(schema).is_empty()
    }

    /// A value that the schema allows: of an object what it must have, or its first fields where it must have none.
    pub(super) fn example(self, name: &str, schema: &'a Value) -> Value {
        let target = self.resolve(schema);
        let given = [&schema["example"], &target["example"], &target["examples"][0], &target["default"]];
        if let Some(given) = given.into_iter().find(|given| !given.is_null()) {
            return given.clone();
        }
        let fields = self.fields(target);
        if !fields.is_empty() {
            let has_required = fields.iter().any(|field| field.is_required);
            let chosen = fields.iter().filter(|field| field.is_required || !has_required).take(8);
            let chosen: Map<_, _> = chosen
                .take(if has_required { 8 } else { 2 })
                .map(|field| (field.name.to_owned(), self.example(field.name, field.schema)))
                .collect();
            return Value::Object(chosen);
        }
        if let Some(first) = target["enum"].as_array().and_then(|values| values.first()) {
            return first.clone();
        }
        match self.kind(target).as_str() {
            "integer" | "number" => target.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            "object" | "any" => json!({}),
            kind if kind.starts_with("list of ") => json!([self.example(name, &target["items"])]),
            kind => json!(text(name, kind)),
        }
    }
}

/// The one schema beside null.
fn present(schema: &Value) -> Option<&Value> {
    let choices = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    let mut present = choices.iter().filter(|choice| choice["type"] != "null");
    let first = present.next()?;
    (choices.len() == 2 && present.next().is_none()).then_some(first)
}

/// A text as a field of this name has it. Nobody's: the number is one kept for fiction, the host one for examples.
fn text(name: &str, format: &str) -> &'static str {
    match (format, name) {
        ("uuid", _) => "0199c0de-0000-7000-8000-000000000001",
        ("date-time", _) => "2026-02-24T21:00:00.000Z",
        ("e164", _) => "+14155550123",
        (_, "url") => "https://example.com/hook",
        (_, "email" | "caller_email" | "attendee_email") => "robin@example.com",
        (_, "phone" | "caller_phone" | "attendee_phone") => "+14155550123",
        (_, "name" | "caller_name" | "attendee_name") => "Robin Vale",
        (_, "title") => "Boiler visit",
        (_, "external_id") => "my-own-id-1",
        (_, "summary") => "The boiler leaks; wants a visit tomorrow.",
        (_, "intent") => "Boiler repair",
        (_, "events") => "call.completed",
        (_, "secret") => "a secret of your own, at least 24 characters",
        _ => "text",
    }
}
