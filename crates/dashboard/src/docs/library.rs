//! The pages of the documentation: those written in the repository's `docs`, and those made of what the program says of
//! itself.

use std::borrow::Cow;

use include_dir::{Dir, include_dir};
use serde_json::Value;

use super::reference;

/// Where the server listens unless it is told otherwise; what the texts are written with.
const WRITTEN_ORIGIN: &str = "http://127.0.0.1:8080";

/// A page that is a file of the repository.
#[derive(Clone)]
struct File {
    slug: Cow<'static, str>,
    /// From the repository's root.
    path: Cow<'static, str>,
    text: &'static str,
}

macro_rules! file {
    ($slug:literal, $path:literal) => {
        File {
            slug: Cow::Borrowed($slug),
            path: Cow::Borrowed($path),
            text: include_str!(concat!("../../../../", $path)),
        }
    };
}

const PLATFORMS: &str = "Voice platforms";

/// What the pages are about, in the order in which one reads them.
static GROUPS: [(&str, &[File]); 5] = [
    ("Start", &[file!("getting-started", "docs/getting-started.md"), file!("concepts", "docs/concepts.md")]),
    (
        "Webhooks",
        &[
            file!("webhooks", "docs/webhooks.md"),
            file!("endpoints", "docs/endpoints.md"),
            file!("delivery", "docs/delivery.md"),
            file!("forwarding", "docs/forwarding.md"),
        ],
    ),
    (PLATFORMS, &[]),
    (API, &[file!("api", "docs/api.md"), file!("errors", "docs/errors.md")]),
    (
        "Running it",
        &[
            file!("self-hosting", "docs/self-hosting.md"),
            file!("moving-data", "docs/moving-data.md"),
            file!("changelog", "CHANGELOG.md"),
        ],
    ),
];

/// The platforms' pages: whatever is in the folder, so that a new platform needs no line here.
static PLATFORM_PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/platforms");

fn platforms() -> Vec<File> {
    let mut pages: Vec<_> = PLATFORM_PAGES
        .files()
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?;
            Some(File {
                slug: format!("platforms/{name}").into(),
                path: format!("docs/platforms/{name}.md").into(),
                text: file.contents_utf8()?,
            })
        })
        .collect();
    // What is for any other platform comes after those that have a page of their own.
    pages.sort_by_key(|page| (page.slug == "platforms/custom", page.slug.to_lowercase()));
    pages
}

/// Where the pages that are made are: the group they end, the address.
const API: &str = "API";
const EVENTS: &str = "events";
const CLI: &str = "cli";

/// What pages are made of.
pub(super) struct Library {
    /// The API's description (OpenAPI), as it is served.
    pub(super) openapi: std::sync::Arc<str>,
    /// The program's commands, in Markdown.
    pub(super) commands: String,
}

/// A page as the list of pages has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// What follows `/docs/`.
    pub(super) slug: String,
    pub(super) title: String,
}

impl Library {
    /// All pages by group, in the order in which one reads them.
    pub(super) fn contents(&self) -> Vec<(&'static str, Vec<Listed>)> {
        let listed = |file: &File| Listed { slug: file.slug.to_string(), title: title(file.text).to_owned() };
        let made = |slug: &str, title: &str| Listed { slug: slug.to_owned(), title: title.to_owned() };
        GROUPS
            .iter()
            .map(|(group, files)| {
                let mut pages: Vec<_> = files.iter().map(listed).collect();
                match *group {
                    "Webhooks" => pages.insert(1, made(EVENTS, "Events")),
                    "Running it" => pages.insert(1, made(CLI, "Commands")),
                    PLATFORMS => pages.extend(platforms().iter().map(listed)),
                    API => {
                        let tags = reference::tags(&self.description()).into_iter();
                        pages.extend(tags.map(|(slug, title)| made(&format!("api/{slug}"), &title)));
                    }
                    _ => {}
                }
                (*group, pages)
            })
            .collect()
    }

    /// A page's Markdown, with the addresses of this server; `None` where there is no such page.
    pub(super) fn page(&self, slug: &str, origin: &str) -> Option<String> {
        let text: Cow<'_, str> = match slug {
            EVENTS => reference::events(&self.description()).into(),
            CLI => self.commands.as_str().into(),
            _ => match slug.strip_prefix("api/") {
                Some(tag) => return reference::page(&self.description(), tag, origin),
                None => find(|file| file.slug == slug)?.text.into(),
            },
        };
        Some(text.replace(WRITTEN_ORIGIN, origin))
    }

    /// Where a link of a page leads, as an address; `None` if to nothing that is served here.
    pub(super) fn address(&self, from: &str, link: &str) -> Option<String> {
        if link.starts_with("https://") || link.starts_with("http://") || link.starts_with('#') {
            return Some(link.to_owned());
        }
        if link.starts_with('/') {
            return Some(link.to_owned());
        }
        let (file, fragment) = link.split_once('#').map_or((link, ""), |(file, at)| (file, at));
        let own = find(|file| file.slug == from)
            .map_or_else(|| "docs/made.md".to_owned(), |file| file.path.to_string());
        let path = join(&own, file);
        if path == "docs/openapi.json" {
            return Some("/openapi.json".to_owned());
        }
        let slug = find(|file| file.path == path).map(|file| file.slug.to_string());
        let slug = slug.or_else(|| match path.as_str() {
            "docs/events.md" => Some(EVENTS.to_owned()),
            "docs/cli.md" => Some(CLI.to_owned()),
            _ => None,
        });
        let mut address = match slug {
            Some(slug) => format!("/docs/{slug}"),
            None => {
                let tag = path.strip_prefix("docs/api/")?.strip_suffix(".md")?;
                let is_tag = reference::tags(&self.description()).iter().any(|(slug, _)| slug == tag);
                is_tag.then(|| format!("/docs/api/{tag}"))?
            }
        };
        if !fragment.is_empty() {
            address.push('#');
            address.push_str(fragment);
        }
        Some(address)
    }

    /// Parsed anew each time: it is asked for seldom, and large.
    fn description(&self) -> Value {
        serde_json::from_str(&self.openapi).unwrap_or_default()
    }
}

fn find(is_wanted: impl Fn(&File) -> bool) -> Option<File> {
    let written = GROUPS.iter().flat_map(|(_, files)| files.iter()).cloned();
    written.chain(platforms()).find(|file| is_wanted(file))
}

/// The words of a page's first heading.
pub(super) fn title(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default()
}

/// A page's first paragraph in one line.
pub(super) fn summary(text: &str) -> String {
    let rest = text.lines().skip_while(|line| line.starts_with("# ") || line.trim().is_empty());
    rest.take_while(|line| !line.trim().is_empty() && !line.starts_with(['#', '|', '`', '-']))
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The path that `link` means in the file `from`, both from the repository's root.
fn join(from: &str, link: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}
