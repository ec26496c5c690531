//! A search among contacts and leads. The rows are walked through, the newest first, and looked at here: so accents, case
//! and the ways in which a number can be written make no difference, on either database, and writing costs nothing. There
//! are as many of them as people, not as calls.

use model::{Cursor, Page, Phone};

use crate::{
    Listed, Result, search,
    tx::Tx,
    value::{Cells, Value},
};

/// How many rows are read at once.
const WINDOW: u32 = 2000;

/// Fewer digits than this are no part of a number that somebody would look for.
const DIGITS: usize = 3;

/// What is looked for.
pub(crate) struct Sought {
    words: Vec<String>,
    /// The digits of what can only be a number.
    digits: Option<String>,
}

impl Sought {
    pub(crate) fn new(text: &str) -> Self {
        let is_number = text.chars().all(|c| c.is_ascii_digit() || " +()-./".contains(c));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        // A number is written with a zero before it at home, and without in E.164.
        let digits = digits.trim_start_matches('0').to_owned();
        Self {
            words: search::words(text).collect(),
            digits: Some(digits).filter(|digits| is_number && digits.len() >= DIGITS),
        }
    }

    /// Whether a record has all the words, each as the beginning of one of its own, or a number with these digits. Nothing
    /// has no words at all.
    pub(crate) fn fits<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t str>,
        phones: impl IntoIterator<Item = &'t Phone>,
    ) -> bool {
        if let Some(digits) = &self.digits
            && phones.into_iter().any(|phone| phone.as_str().contains(digits.as_str()))
        {
            return true;
        }
        if self.words.is_empty() {
            return false;
        }
        let texts: Vec<&str> = texts.into_iter().collect();
        self.words.iter().all(|word| texts.iter().any(|text| has_word(text, word)))
    }
}

/// Whether a text has a word that begins with this one. Most texts need no folding, and so none of its copies.
fn has_word(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        return search::words(text).any(|own| own.starts_with(word));
    }
    let mut own = text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric());
    own.any(|own| own.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes())))
}

/// A page of the records that fit, of a list that `query` writes for a page of its own.
pub(crate) async fn page<'a, T: Send>(
    tx: &mut Tx<'_>,
    page: &Page,
    query: impl Fn(&Page) -> (String, Vec<Value<'a>>) + Send,
    read: fn(&mut Cells<'_>) -> Result<T>,
    place: fn(&T) -> Cursor,
    fits: impl Fn(&T) -> bool + Send,
) -> Result<Listed<T>> {
    let mut found = Vec::new();
    let mut window = Page { limit: WINDOW, ..*page };
    loop {
        let (sql, params) = query(&window);
        let rows = tx.query(&sql, &params, read).await?;
        let is_last = rows.len() <= WINDOW as usize;
        window.before = rows.last().map(place);
        found.extend(rows.into_iter().filter(|row| fits(row)));
        if is_last || found.len() > page.limit as usize {
            return Ok(Listed::cut(found, page, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(sought: &str) -> bool {
        let phones = [Phone::from_e164_unchecked("+493012345678".into())];
        Sought::new(sought).fits(["Zoë Müller", "zoe@example.com"], &phones)
    }

    #[test]
    fn people_are_found_by_the_beginnings_of_words_and_by_any_part_of_a_number() {
        for sought in ["zoe", "MULL", "müller zo", "example.com", "+49 30 1234", "030 12345678", "5678"] {
            assert!(fits(sought), "{sought}");
        }
        for sought in ["", " . ", "ller", "zoe smith", "78", "5679", "zoe 5678"] {
            assert!(!fits(sought), "{sought}");
        }
    }
}
