//! Markdown as a page: headings that can be linked to, links that lead to pages here, samples side by side.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A page's text as HTML.
pub(super) struct Rendered {
    pub(super) html: String,
    /// What the page is divided into, for a table of contents.
    pub(super) headings: Vec<Heading>,
}

/// A heading of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// 1 for the page's title.
    pub(super) level: u8,
    /// What follows `#` in an address.
    pub(super) id: String,
    pub(super) text: String,
}

/// Renders Markdown. `address` says where a link leads; a link for which it knows nothing stays as words.
///
/// HTML in the Markdown is shown as text.
pub(super) fn render(markdown: &str, mut address: impl FnMut(&str) -> Option<String>) -> Rendered {
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut page = Page { events: Vec::new(), headings: Vec::new(), groups: 0, is_in_samples: false };
    let mut parser = Parser::new_ext(markdown, options);
    let mut are_links_kept = Vec::new();
    while let Some(event) = parser.next() {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => page.heading(level, id, &mut parser),
            Event::Start(Tag::CodeBlock(kind)) => page.code(&kind, &mut parser),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let address = address(&dest_url);
                are_links_kept.push(address.is_some());
                if let Some(dest_url) = address.map(CowStr::from) {
                    page.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if are_links_kept.pop() == Some(true) {
                    page.push(Event::End(TagEnd::Link));
                }
            }
            Event::Start(Tag::Table(columns)) => {
                // Wide tables are scrolled by themselves, also with the keyboard.
                page.push_html(
                    r#"<div class="scroll" tabindex="0" role="region" aria-label="Table">"#.into(),
                );
                page.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                page.push(Event::End(TagEnd::Table));
                page.push_html("</div>\n".into());
            }
            Event::Html(text) | Event::InlineHtml(text) => page.push(Event::Text(text)),
            other => page.push(other),
        }
    }
    page.finish()
}

struct Page<'a> {
    events: Vec<Event<'a>>,
    headings: Vec<Heading>,
    /// How many groups of samples there are so far.
    groups: usize,
    is_in_samples: bool,
}

impl<'a> Page<'a> {
    fn push(&mut self, event: Event<'a>) {
        if self.is_in_samples {
            self.is_in_samples = false;
            self.push_html("</div>\n".into());
        }
        self.events.push(event);
    }

    fn push_html(&mut self, html: String) {
        self.events.push(Event::Html(html.into()));
    }

    fn heading(
        &mut self,
        level: HeadingLevel,
        id: Option<CowStr<'a>>,
        rest: &mut impl Iterator<Item = Event<'a>>,
    ) {
        let inner: Vec<_> =
            rest.take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_)))).collect();
        let text: String = inner
            .iter()
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let id = self.fresh_id(id.map_or_else(|| slug(&text), CowStr::into_string));
        let number = level as u8;
        self.push(Event::Html(format!(r#"<h{number} id="{id}">"#).into()));
        self.events.extend(inner);
        if number > 1 {
            self.push_html(format!(
                r##" <a class="anchor" href="#{id}" aria-label="Link to this section">#</a>"##
            ));
        }
        self.push_html(format!("</h{number}>\n"));
        self.headings.push(Heading { level: number, id, text });
    }

    /// Fences whose info says `tab=NAME` stand beside those before and after them.
    fn code(&mut self, kind: &CodeBlockKind<'a>, rest: &mut impl Iterator<Item = Event<'a>>) {
        let tab = match kind {
            CodeBlockKind::Fenced(info) => info.split_once("tab=").map(|(_, tab)| tab.to_owned()),
            CodeBlockKind::Indented => None,
        };
        let code: Vec<_> = rest.take_while(|event| !matches!(event, Event::End(TagEnd::CodeBlock))).collect();
        let Some(tab) = tab else {
            self.push(Event::Html("<pre tabindex=\"0\"><code>".into()));
            self.events.extend(code);
            self.push_html("</code></pre>\n".into());
            return;
        };
        let is_first = !self.is_in_samples;
        if is_first {
            self.groups += 1;
            self.is_in_samples = true;
            self.push_html("<div class=\"samples\">".into());
        }
        // Details of one name: the browser itself closes the one that was open.
        let (name, open) = (self.groups, if is_first { " open" } else { "" });
        self.push_html(format!(r#"<details name="samples-{name}"{open}><summary>"#));
        self.events.push(Event::Text(tab.into()));
        self.push_html("</summary><pre tabindex=\"0\"><code>".into());
        self.events.extend(code);
        self.push_html("</code></pre></details>".into());
    }

    /// The id, or with a number where the page has it already.
    fn fresh_id(&self, id: String) -> String {
        let is_taken = |id: &str| self.headings.iter().any(|heading| heading.id == id);
        if !is_taken(&id) {
            return id;
        }
        (2..).map(|number| format!("{id}-{number}")).find(|id| !is_taken(id)).unwrap_or(id)
    }

    fn finish(mut self) -> Rendered {
        if self.is_in_samples {
            self.push_html("</div>\n".into());
        }
        let mut html = String::new();
        html::push_html(&mut html, self.events.into_iter());
        Rendered { html, headings: self.headings }
    }
}

/// A heading's words as GitHub makes an id of them, so that links work there and here.
pub(super) fn slug(text: &str) -> String {
    text.chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            letter => letter.is_alphanumeric().then(|| letter.to_ascii_lowercase()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(markdown: &str) -> String {
        render(markdown, |to| to.starts_with("https://").then(|| to.to_owned())).html
    }

    #[test]
    fn html_in_a_text_stays_text() {
        let page = html("a <script>alert(1)</script> b\n\n<img src=x onerror=alert(1)>\n");
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }

    #[test]
    fn headings_have_ids_of_their_own() {
        let page = render("# A page\n\n## The `same`\n\n## The same\n\n### Named {#own}\n", |_| None);
        let ids: Vec<_> = page.headings.iter().map(|heading| (heading.level, heading.id.as_str())).collect();
        assert_eq!(ids, [(1, "a-page"), (2, "the-same"), (2, "the-same-2"), (3, "own")]);
        assert!(page.html.contains(r##"href="#the-same-2""##));
    }

    #[test]
    fn a_link_that_leads_nowhere_stays_as_words() {
        assert_eq!(html("See [the code](../src/lib.rs)."), "<p>See the code.</p>\n");
        assert_eq!(
            html("See [it](https://example.com)."),
            "<p>See <a href=\"https://example.com\">it</a>.</p>\n"
        );
    }

    #[test]
    fn samples_stand_side_by_side() {
        let page = html(
            "```sh tab=curl\na < b\n```\n\n```js tab=JavaScript\nc\n```\n\nand\n\n```sh tab=curl\nd\n```\n",
        );
        assert_eq!(page.matches("<div class=\"samples\">").count(), 2, "{page}");
        assert_eq!(page.matches("</div>").count(), 2, "{page}");
        assert_eq!(page.matches(" open>").count(), 2, "{page}");
        assert!(page.contains("<summary>curl</summary>") && page.contains("a &lt; b"), "{page}");
    }
}
