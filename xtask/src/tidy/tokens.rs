//! A Rust file as the tokens that the compiler sees: no comments, and strings told from code.

use std::str::FromStr;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A word, a number, a string, or one character of punctuation.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: String,
    /// Counted from 1.
    pub(super) line: usize,
    /// Inside an item that is compiled for tests only.
    pub(super) in_test: bool,
}

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// A string, byte string or raw string.
    pub(super) fn is_string(&self) -> bool {
        self.text.ends_with(['"', '#']) && self.text.contains('"')
    }
}

/// Reads a file. Documentation comments are left out like all the others.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>> {
    let stream = TokenStream::from_str(text).map_err(|error| anyhow!("{error}"))?;
    let mut tokens = Vec::new();
    flatten(stream, false, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, in_test: bool, out: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    // Set by `#[cfg(test)]` until the end of the item behind it.
    let mut item_in_test = in_test;
    while let Some(tree) = trees.next() {
        if is_punct(&tree, '#') {
            // The exclamation mark of an attribute that stands inside of what it is about.
            let inner = trees.next_if(|next| is_punct(next, '!')).is_some();
            if let Some(TokenTree::Group(attribute)) = trees.next_if(is_bracketed) {
                item_in_test |= is_test_only(&attribute);
                if !is_doc(&attribute) {
                    push(out, "#", &tree, item_in_test);
                    flatten_group(&attribute, item_in_test, out);
                }
                continue;
            }
            push(out, "#", &tree, item_in_test);
            if inner {
                push(out, "!", &tree, item_in_test);
            }
            continue;
        }
        let ends_item = match &tree {
            TokenTree::Group(group) => {
                flatten_group(group, item_in_test, out);
                group.delimiter() == Delimiter::Brace
            }
            other => {
                push(out, &other.to_string(), other, item_in_test);
                is_punct(other, ';')
            }
        };
        if ends_item {
            item_in_test = in_test;
        }
    }
}

fn flatten_group(group: &Group, in_test: bool, out: &mut Vec<Token>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    let delimiter =
        |text: &str, line, out: &mut Vec<Token>| out.push(Token { text: text.into(), line, in_test });
    delimiter(open, group.span_open().start().line, out);
    flatten(group.stream(), in_test, out);
    delimiter(close, group.span_close().start().line, out);
}

fn push(out: &mut Vec<Token>, text: &str, tree: &TokenTree, in_test: bool) {
    out.push(Token { text: text.to_owned(), line: tree.span().start().line, in_test });
}

fn is_punct(tree: &TokenTree, char: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == char)
}

fn is_bracketed(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

fn is_doc(attribute: &Group) -> bool {
    attribute.stream().into_iter().next().is_some_and(|first| first.to_string() == "doc")
}

/// `#[cfg(test)]`, `#[cfg(feature = "testing")]`, `#[test]`, `#[tokio::test]` and their like.
fn is_test_only(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    let is_cfg = text.starts_with("cfg(") && !text.contains("not(");
    let names_test =
        || text.contains("(test") || text.contains(",test") || text.contains("feature=\"testing\"");
    text == "test" || text.ends_with("::test") || (is_cfg && names_test())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Token> {
        tokens(text).expect("the text is Rust")
    }

    #[test]
    fn comments_are_not_tokens() {
        let text = "//! one\n/// two\nfn f() {} // three\n/* four */";
        let words: Vec<_> = read(text).into_iter().map(|it| it.text).collect();
        assert_eq!(words, ["fn", "f", "(", ")", "{", "}"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let tokens = read("fn f() {\n    g(\n        \"a\"\n    )\n}");
        let of = |text: &str| tokens.iter().find(|it| it.is(text)).map(|it| it.line);
        assert_eq!((of("g"), of("\"a\""), of(")")), (Some(2), Some(3), Some(1)));
    }

    #[test]
    fn only_the_item_behind_cfg_test_is_a_test() {
        let text = "fn a() {} #[cfg(test)] mod tests { #[test] fn b() { c(); } } fn d() {}";
        let in_test = |name: &str| read(text).iter().any(|it| it.is(name) && it.in_test);
        assert_eq!(["a", "b", "c", "d"].map(in_test), [false, true, true, false]);
        let text = "#[cfg(test)] use a; #[cfg(not(test))] fn b() {} #[cfg(any(test, unix))] fn c() {}";
        let in_test = |name: &str| read(text).iter().any(|it| it.is(name) && it.in_test);
        assert_eq!(["a", "b", "c"].map(in_test), [true, false, true]);
    }

    #[test]
    fn strings_are_told_from_code() {
        let strings = |text: &str| read(text).iter().filter(|it| it.is_string()).count();
        assert_eq!(strings(r##"("a", b"b", r#"c"#, 'd', 1, e, '"')"##), 3);
    }
}
