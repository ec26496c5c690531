//! Paths into a JSON document: a small part of JSONPath (RFC 9535).
//!
//! `$` is the body and `@` one item of a list. After them come `.name`, `['any name']`, `[0]`, `[-1]` for the last
//! item, `[*]` for every item or field, and `[?@.name == 'text']` for those items that have the text there.

use serde_json::Value;

use super::word::word;

/// One path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// As it was written.
    pub(super) text: String,
    pub(super) from: From,
    steps: Vec<Step>,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum From {
    /// `$`
    Body,
    /// `@`
    Item,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    /// From the end where negative.
    Index(i64),
    All,
    /// Those items where the steps lead to the text.
    Where(Vec<Step>, String),
}

/// A step and what comes after it.
type Parsed<'a> = Result<(Step, &'a str), String>;

const UNCLOSED: &str = "has a [ without its ]";

impl Path {
    /// Reads a path. The error quotes it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let begun = [('$', From::Body), ('@', From::Item)];
        let begun = begun.into_iter().find_map(|(sign, from)| Some((from, text.strip_prefix(sign)?)));
        let (from, rest) = begun.ok_or_else(|| format!("{text:?} is no path: paths begin with $"))?;
        let steps = steps(rest).map_err(|problem| format!("{text:?} {problem}"))?;
        Ok(Self { text: text.into(), from, steps })
    }

    /// Everything that the path leads to.
    pub(super) fn find<'a>(&self, body: &'a Value, item: &'a Value) -> Vec<&'a Value> {
        let from = match self.from {
            From::Body => body,
            From::Item => item,
        };
        follow(from, &self.steps)
    }
}

fn follow<'a>(from: &'a Value, steps: &[Step]) -> Vec<&'a Value> {
    let mut found = vec![from];
    for step in steps {
        found = found.into_iter().flat_map(|value| take(value, step)).collect();
    }
    found
}

fn take<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    match step {
        Step::Name(name) => value.get(name).into_iter().collect(),
        Step::Index(index) => at(value, *index).into_iter().collect(),
        Step::All => children(value),
        Step::Where(steps, text) => {
            let is = |item: &&Value| follow(item, steps).into_iter().any(|v| word(v).as_ref() == Some(text));
            children(value).into_iter().filter(is).collect()
        }
    }
}

fn at(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let index = match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    items.get(index)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => vec![],
    }
}

fn steps(mut rest: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (step, after) = match first {
            '.' => dotted(rest.strip_prefix('.').unwrap_or_default())?,
            '[' => bracketed(rest.strip_prefix('[').unwrap_or_default())?,
            other => {
                return Err(format!(
                    "has {other:?} where . or [ belongs: a name with it is written ['a name']"
                ));
            }
        };
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

/// What stands after a `.`.
fn dotted(rest: &str) -> Parsed<'_> {
    if rest.starts_with('.') {
        return Err("has .. in it, which is not supported".into());
    }
    if let Some(after) = rest.strip_prefix('*') {
        return Ok((Step::All, after));
    }
    let in_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || !letter.is_ascii();
    let end = rest.find(|letter| !in_name(letter)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    match name.chars().next() {
        None => Err("has a . without a name after it".into()),
        Some('0'..='9') => Err(format!("has .{name}: an item is written [0], a name ['0']")),
        Some(_) => Ok((Step::Name(name.into()), after)),
    }
}

/// What stands after a `[`.
fn bracketed(rest: &str) -> Parsed<'_> {
    let (step, after) = match rest.chars().next() {
        None => return Err(UNCLOSED.into()),
        Some('*') => (Step::All, rest.strip_prefix('*').unwrap_or_default()),
        Some('\'' | '"') => {
            let (name, after) = quoted(rest)?;
            (Step::Name(name), after)
        }
        Some('?') => filter(rest.strip_prefix('?').unwrap_or_default())?,
        Some('-' | '0'..='9') => index(rest)?,
        Some(_) => return Err("has in [ ] neither a number, nor a name in quotes, nor * or ?".into()),
    };
    let after = after.strip_prefix(']').ok_or(UNCLOSED)?;
    Ok((step, after))
}

fn index(rest: &str) -> Parsed<'_> {
    let end = rest.find(|letter: char| letter != '-' && !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    let index = digits.parse::<i64>().ok().filter(|index| index.to_string() == digits);
    let index = index.ok_or_else(|| format!("has [{digits}], which is no item's number"))?;
    Ok((Step::Index(index), after))
}

/// Text in single or double quotes, where a backslash takes the next quote or backslash as it is.
fn quoted(rest: &str) -> Result<(String, &str), String> {
    let mut letters = rest.char_indices();
    let quote = letters.next().map(|(_, quote)| quote);
    let mut text = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if Some(letter) == quote => {
                let (_, after) = rest.split_at(at);
                return Ok((text, after.strip_prefix(letter).unwrap_or_default()));
            }
            '\\' => match letters.next() {
                Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
                _ => return Err("has a \\ before what needs none".into()),
            },
            _ => text.push(letter),
        }
    }
    Err("has a quote that is not closed".into())
}

/// `@.name == 'text'`, after the `?`.
fn filter(rest: &str) -> Parsed<'_> {
    const FORM: &str = "has a [? that is not in the form [?@.name == 'text']";
    let (path, text) = rest.split_once("==").ok_or(FORM)?;
    let path = path.trim().strip_prefix('@').ok_or(FORM)?;
    let text = text.trim_start();
    if !text.starts_with(['\'', '"']) {
        return Err(FORM.into());
    }
    let (text, after) = quoted(text)?;
    Ok((Step::Where(steps(path)?, text), after.trim_start()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, body: &Value) -> Vec<Value> {
        let path = Path::parse(path).expect("a path");
        path.find(body, &Value::Null).into_iter().cloned().collect()
    }

    #[test]
    fn every_kind_of_step_leads_somewhere() {
        let body = json!({
            "a": {"b c": [1, 2, 3], "d": {"x": 4, "y": 5}}, "é": 6, "it's": 7,
            "list": [{"name": "phone", "value": "+1"}, {"name": "mail", "value": "@"}, {"name": 5}]
        });
        for (path, expected) in [
            ("$", vec![body.clone()]),
            ("$.a['b c'][0]", vec![json!(1)]),
            ("$.a[\"b c\"][-1]", vec![json!(3)]),
            ("$.a['b c'][*]", vec![json!(1), json!(2), json!(3)]),
            ("$.a.d.*", vec![json!(4), json!(5)]),
            ("$.é", vec![json!(6)]),
            (r"$['it\'s']", vec![json!(7)]),
            ("$.list[?@.name == 'mail'].value", vec![json!("@")]),
            ("$.list[?@['name']==\"5\"]", vec![json!({"name": 5})]),
        ] {
            assert_eq!(found(path, &body), expected, "{path}");
        }
        for nowhere in ["$.b", "$.a.b.c", "$.a[0]", "$.list[3]", "$.list[-4]", "$.é.x", "$.list[?@.no=='x']"]
        {
            assert!(found(nowhere, &body).is_empty(), "{nowhere}");
        }
        assert!(found("$.list[-9223372036854775808]", &body).is_empty());
    }

    #[test]
    fn an_item_s_path_begins_at_the_item() {
        let (body, item) = (json!({"a": 1}), json!({"a": 2}));
        let path = |text: &str| Path::parse(text).expect("a path");
        assert_eq!(path("@.a").find(&body, &item), [&json!(2)]);
        assert_eq!(path("$.a").find(&body, &item), [&json!(1)]);
    }

    #[test]
    fn a_path_that_cannot_be_is_quoted_with_what_is_wrong() {
        for (path, words) in [
            ("$.a[", "\"$.a[\" has a [ without its ]"),
            ("$.a[0", "without its ]"),
            ("$.a['b'", "without its ]"),
            ("$.a['b", "a quote that is not closed"),
            (r"$['\n']", "has a \\"),
            ("a.b", "paths begin with $"),
            ("", "paths begin with $"),
            ("$a", "'a' where . or [ belongs"),
            ("$.call-id", "'-' where . or [ belongs"),
            ("$.", "a . without a name"),
            ("$.a.", "a . without a name"),
            ("$..a", ".."),
            ("$.0", "[0]"),
            ("$[01]", "[01]"),
            ("$[-0]", "[-0]"),
            ("$[99999999999999999999]", "no item's number"),
            ("$[a]", "neither a number"),
            ("$[?@.a > 1]", "[?@.name == 'text']"),
            ("$[?@.a == 1]", "[?@.name == 'text']"),
            ("$[?$.a == 'b']", "[?@.name == 'text']"),
            ("$[?@.a[ == 'b']", "without its ]"),
            ("$[?@.a == 'b'", "without its ]"),
        ] {
            let error = Path::parse(path).expect_err(path);
            assert!(error.contains(words), "{path}: {error}");
        }
    }
}
