//! Protocol buffers as JSON: names in two spellings, enums as words or numbers, and defaults left out.

use serde_json::Value;

use crate::read;

/// A field by its lowerCamelCase name, or by the snake_case one of the protocol's own files.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    match &value[name] {
        Value::Null => &value[snake_case(name).as_str()],
        found => found,
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The word of an enum. A number beyond the known names stays a number: new ones come with every release.
pub(super) fn word(value: &Value, names: &[&str]) -> Option<String> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    let name = number.and_then(|number| names.get(number)).map(|name| (*name).to_owned());
    name.or_else(|| read::id(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_are_found() {
        for body in [json!({"joinedAtMs": "1"}), json!({"joined_at_ms": "1"})] {
            assert_eq!(field(&body, "joinedAtMs"), "1", "{body}");
        }
        assert_eq!(field(&json!([1]), "joinedAtMs"), &Value::Null);
    }

    #[test]
    fn enums_are_words_or_numbers() {
        let of = |value| word(&value, &["ZERO", "ONE"]);
        assert_eq!(of(json!(1)).as_deref(), Some("ONE"));
        assert_eq!(of(json!("TWO")).as_deref(), Some("TWO"));
        assert_eq!(of(json!(7)).as_deref(), Some("7"));
        assert_eq!((of(json!(null)), of(json!([])), of(json!(""))), (None, None, None));
    }
}
