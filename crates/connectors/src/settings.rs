//! What the settings of all platforms have in common: that nothing unknown is among them, and who answers questions.

use serde_json::{Map, Value};

/// The setting that says who answers a platform's questions: `{"url": …}`.
pub(crate) const ANSWERS: &str = "answers";

/// A platform's settings, of which each is one of some names. `None` where nothing is set. The error names the field.
pub(crate) fn known<'a>(
    settings: &'a Value,
    platform: &str,
    names: &[&str],
) -> Result<Option<&'a Map<String, Value>>, String> {
    let fields = match settings {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields,
        _ => return Err("settings must be an object".into()),
    };
    if let Some(name) = fields.keys().find(|name| !names.contains(&name.as_str())) {
        let there = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        let there = if names.is_empty() { "none".into() } else { there };
        return Err(format!("settings.{name} is not a setting: {platform} sources have {there}"));
    }
    check_answers(fields.get(ANSWERS).unwrap_or(&Value::Null))?;
    Ok(Some(fields))
}

/// Whether this can be the setting `answers`. Where its address leads is for the one to look at who goes there.
fn check_answers(answers: &Value) -> Result<(), String> {
    let fields = match answers {
        Value::Null => return Ok(()),
        Value::Object(fields) => fields,
        _ => return Err("settings.answers must be an object".into()),
    };
    if let Some(name) = fields.keys().find(|name| *name != "url") {
        return Err(format!("settings.answers.{name} is not a setting: there is `url`"));
    }
    match fields.get("url") {
        Some(Value::String(url)) if !url.is_empty() => Ok(()),
        _ => Err("settings.answers.url must be the address that answers".into()),
    }
}

/// The address that answers a source's questions, if its settings name one.
pub fn answers_url(settings: &Value) -> Option<&str> {
    settings.get(ANSWERS)?.get("url")?.as_str()
}
