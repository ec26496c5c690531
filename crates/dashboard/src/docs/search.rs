//! Finding a section of the documentation by its words.

use super::markdown::slug;

/// A section that has what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// From `/docs/` on.
    pub(super) address: String,
    pub(super) page: String,
    pub(super) section: String,
    /// The words around the first hit: before it, the hit, after it.
    pub(super) around: (String, String, String),
    score: u32,
}

/// How many sections are shown.
const SHOWN: usize = 20;

/// How much of a text stands on each side of a hit, in characters.
const AROUND: usize = 90;

/// The sections of the pages (address, Markdown) in which all words stand, the best first.
pub(super) fn search<'a>(pages: impl Iterator<Item = (&'a str, &'a str)>, query: &str) -> Vec<Found> {
    let words: Vec<_> = query.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<_> = pages.flat_map(|(page, text)| sections(page, text, &words)).collect();
    // Sorting is stable: of equals, what one reads first.
    found.sort_by_key(|found| std::cmp::Reverse(found.score));
    found.truncate(SHOWN);
    found
}

fn sections(address: &str, text: &str, words: &[String]) -> Vec<Found> {
    let page = super::library::title(text).to_owned();
    let mut found = Vec::new();
    let (mut heading, mut body, mut is_code) = (page.as_str(), String::new(), false);
    let mut end = |heading: &str, body: &str| found.extend(look(address, &page, heading, body, words));
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let next = (!is_code).then(|| line.trim_start_matches('#')).filter(|rest| rest.len() < line.len());
        if let Some(next) = next.and_then(|rest| rest.strip_prefix(' ')) {
            end(heading, &body);
            (heading, body) = (next, String::new());
        } else if !line.starts_with("```") && !line.starts_with("|---") {
            // A hit is shown as words, so without the marks of Markdown.
            body.push_str(&line.trim_matches(['|', ' ']).replace(['`', '*'], "").replace(" | ", " · "));
            body.push(' ');
        }
    }
    end(heading, &body);
    found
}

fn look(address: &str, page: &str, heading: &str, body: &str, words: &[String]) -> Option<Found> {
    let (heading, id) = match heading.split_once(" {#") {
        Some((heading, id)) => (heading, id.trim_end_matches('}').to_owned()),
        None => (heading, slug(&heading.replace('`', ""))),
    };
    let (title, lower) = (format!("{page} {heading}").to_lowercase(), body.to_lowercase());
    if !words.iter().all(|word| title.contains(word.as_str()) || lower.contains(word.as_str())) {
        return None;
    }
    let named = words.iter().filter(|word| heading.to_lowercase().contains(word.as_str())).count();
    let told = words.iter().map(|word| lower.matches(word.as_str()).count().min(5)).sum::<usize>();
    let score = u32::try_from(named * 20 + told).unwrap_or(u32::MAX);
    let is_start = heading == page;
    let address = if is_start { address.to_owned() } else { format!("{address}#{id}") };
    let around = words
        .iter()
        .find_map(|word| around(body, word))
        .unwrap_or_else(|| (body.chars().take(2 * AROUND).collect(), String::new(), String::new()));
    Some(Found { address, page: page.to_owned(), section: heading.to_owned(), around, score })
}

/// The first place of a word, with some of the text on both sides.
fn around(body: &str, word: &str) -> Option<(String, String, String)> {
    let letters: Vec<char> = body.chars().collect();
    let wanted: Vec<char> = word.chars().collect();
    let is_same = |at: &usize| {
        letters[*at..]
            .iter()
            .zip(&wanted)
            .all(|(letter, wanted)| letter.to_lowercase().eq(wanted.to_lowercase()))
    };
    let last = letters.len().checked_sub(wanted.len())?;
    let at = (0..=last).find(is_same)?;
    let end = at + wanted.len();
    let text = |range: std::ops::Range<usize>| letters[range].iter().collect::<String>();
    let (from, to) = (at.saturating_sub(AROUND), (end + AROUND).min(letters.len()));
    let cut = |cut: bool| if cut { "…" } else { "" };
    Some((
        format!("{}{}", cut(from > 0), text(from..at)),
        text(at..end),
        format!("{}{}", text(end..to), cut(to < letters.len())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Webhooks\n\nSigned posts.\n\n## Retries {#again}\n\nA `failed` one is **tried** again.\n\n```sh\n# Retries of a shell\n```\n";

    fn found(query: &str) -> Vec<(String, String)> {
        let found = search([("webhooks", PAGE)].into_iter(), query).into_iter();
        found.map(|found| (found.address, found.section)).collect()
    }

    #[test]
    fn a_section_is_found_by_its_heading_and_by_its_words() {
        let retries = ("webhooks#again".to_owned(), "Retries".to_owned());
        assert_eq!(found("RETRIES"), std::slice::from_ref(&retries));
        assert_eq!(found("failed tried"), [retries]);
        assert_eq!(found("signed"), [("webhooks".to_owned(), "Webhooks".to_owned())]);
        assert_eq!(found("signed failed"), []);
        assert_eq!(found(" "), []);
    }

    #[test]
    fn a_hit_is_shown_where_it_stands() {
        let found = search([("webhooks", PAGE)].into_iter(), "TRIED");
        assert_eq!(found[0].around.1, "tried");
        assert_eq!(found[0].around.0, " A failed one is ");
        assert_eq!(around("ẞ İx", "x"), Some(("ẞ İ".into(), "x".into(), String::new())));
    }
}
