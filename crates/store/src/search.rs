//! Full-text search, the same words on both databases: we cut the text into words ourselves, so that neither
//! database's idea of a word matters.

use std::collections::BTreeSet;

use model::OrgId;
use serde::Serialize;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use utoipa::ToSchema;

use crate::dialect::Dialect;

/// Longer words are cut, and a call with more bytes of different words than this is found by the first of them:
/// PostgreSQL takes no more than a mebibyte.
const WORD_BYTES: usize = 64;
const TEXT_BYTES: usize = 200_000;

/// The words of some texts, each once, with the token that names the organization.
pub(crate) fn words_of(org: OrgId, texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().copied().map(folded).collect();
    let mut seen = BTreeSet::new();
    let mut all = org_token(org);
    for word in texts.iter().flat_map(|text| in_words(text)).map(cut) {
        if all.len() + word.len() > TEXT_BYTES {
            return all;
        }
        if seen.insert(word) {
            all.push(' ');
            all.push_str(word);
        }
    }
    all
}

/// A text with every word in lower case and without accents. Most texts need no look at each of their words for that.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    words(text).collect::<Vec<_>>().join(" ")
}

/// A search as the database takes it: every word, the last as a beginning. `None` where there is no word to look for.
pub(crate) fn query_of(org: OrgId, search: &str, dialect: Dialect) -> Option<String> {
    let operators = dialect.search_operators();
    let mut words: Vec<String> = words(search).collect();
    let last = words.pop()?;
    let quote = |word: &str| match dialect {
        Dialect::Sqlite => format!("\"{word}\""),
        Dialect::Postgres => format!("'{word}'"),
    };
    let mut query = quote(&org_token(org));
    for word in &words {
        query.push_str(operators.and);
        query.push_str(&quote(word));
    }
    query.push_str(operators.and);
    query.push_str(&quote(&last));
    query.push_str(operators.prefix);
    Some(query)
}

fn org_token(org: OrgId) -> String {
    format!("org{}", org.uuid().simple())
}

/// Runs of letters and digits, in lower case and without accents.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    in_words(text).map(fold).filter(|word| !word.is_empty()).map(|mut word| {
        word.truncate(cut(&word).len());
        word
    })
}

/// Runs of letters and digits.
fn in_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !in_word(c)).filter(|word| !word.is_empty())
}

/// A word, or the beginning of a long one.
fn cut(word: &str) -> &str {
    &word[..floor_boundary(word, word.len().min(WORD_BYTES))]
}

/// A word in lower case and without accents.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let folded = word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    // Decomposition can bring forth signs that are no letters (a fraction's slash).
    folded.filter(|c| c.is_alphanumeric()).collect()
}

/// Where the words of a search stand in one field of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hit {
    /// The call's field.
    pub field: &'static str,
    /// The text around the first hit, cut where words were found. Joined, the parts are a piece of the field.
    pub parts: Vec<Part>,
}

/// A piece of text that was found, or that stands between such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    /// The text.
    pub text: String,
    /// Whether it is a word that was looked for.
    pub hit: bool,
}

/// How much text is shown on each side of the first hit, in bytes.
const AROUND: usize = 100;

/// The places where the words of a search stand, among fields and their texts.
pub(crate) fn hits_in<'t>(
    fields: impl IntoIterator<Item = (&'static str, Option<&'t str>)>,
    search: &str,
) -> Vec<Hit> {
    let wanted: Vec<String> = words(search).collect();
    let found = fields.into_iter().filter_map(|(field, text)| Some((field, marked(text?, &wanted)?)));
    found.map(|(field, parts)| Hit { field, parts }).collect()
}

/// The text around the first hit with all hits in it marked; `None` where there is none.
fn marked(text: &str, wanted: &[String]) -> Option<Vec<Part>> {
    let (last, whole) = wanted.split_last()?;
    let is_hit = |word: &str| {
        let word = fold(word);
        whole.contains(&word) || word.starts_with(last.as_str())
    };
    let mut hits = spans(text).filter(|(start, end)| is_hit(&text[*start..*end])).peekable();
    let first = hits.peek()?.0;
    let from = floor_boundary(text, first.saturating_sub(AROUND));
    let to = floor_boundary(text, (first + AROUND).min(text.len()));
    let mut parts = Vec::new();
    let mut at = from;
    for (start, end) in hits.take_while(|(start, _)| *start < to) {
        if at < start {
            parts.push(Part { text: text[at..start].to_owned(), hit: false });
        }
        parts.push(Part { text: text[start..end].to_owned(), hit: true });
        at = end;
    }
    if at < to {
        parts.push(Part { text: text[at..to].to_owned(), hit: false });
    }
    Some(parts)
}

/// The byte ranges of a text's words.
fn spans(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let base = text.as_ptr() as usize;
    in_words(text).map(move |word| {
        let start = word.as_ptr() as usize - base;
        (start, start + word.len())
    })
}

fn floor_boundary(text: &str, mut index: usize) -> usize {
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

fn in_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() || is_combining_mark(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_stand_once() {
        let found: Vec<String> = words("Ümläute, it's a LEAK! leak ½ +1 415").collect();
        assert_eq!(found, ["umlaute", "it", "s", "a", "leak", "leak", "12", "1", "415"]);
        let org = OrgId::new(uuid::Uuid::nil());
        assert_eq!(words_of(org, &["leak Leak", "pipe"]), format!("{} leak pipe", org_token(org)));
    }

    #[test]
    fn hits_are_marked_and_nothing_of_the_text_is_lost() {
        let text = "The Küche pipe leaks, and leaking pipes <b>flood</b>.";
        let parts = marked(text, &["pipe".to_owned(), "leak".to_owned()]).expect("hits");
        let hits: Vec<&str> = parts.iter().filter(|part| part.hit).map(|part| part.text.as_str()).collect();
        assert_eq!(hits, ["pipe", "leaks", "leaking"]);
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), text);
        assert_eq!(marked("nothing here", &["pipe".to_owned()]), None);
    }

    #[test]
    fn a_search_cannot_speak_the_database_s_language() {
        let org = OrgId::new(uuid::Uuid::nil());
        let query = query_of(org, "a\" OR \"b | c:* ' & !d", Dialect::Sqlite).expect("words");
        assert_eq!(
            query,
            format!("\"{}\" AND \"a\" AND \"or\" AND \"b\" AND \"c\" AND \"d\"*", org_token(org))
        );
        assert_eq!(query_of(org, " ,. ", Dialect::Postgres), None);
    }
}
