//! Test data that several projects agree on, kept beside the repository and not in it.

use std::path::Path;

use serde_json::Value;

/// Reads a fixture; `None` where the folder is missing, which a developer's machine may do and CI may not.
pub(crate) fn read(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "the fixture {name} is missing");
        return None;
    };
    Some(serde_json::from_str(&text).expect("a fixture is JSON"))
}

/// The texts of a JSON array, or of all arrays in a JSON object.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => vec![],
    }
}
