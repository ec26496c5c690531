//! `/docs`: the documentation of this very version, for whoever comes, readable without a script, and as Markdown.

mod library;
mod markdown;
mod reference;
mod samples;
mod schema;
mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{RawPathParams, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use self::{
    library::{Library, Listed},
    markdown::Heading,
    search::Found,
};
use crate::{
    Dashboard,
    error::PageError,
    extract::Query,
    shell::{Look, Shell, page},
};

/// What the documentation is made of that others know.
pub struct Sources {
    /// The API's description (OpenAPI), as it is served.
    pub openapi: Arc<str>,
    /// The program's commands, in Markdown.
    pub commands: String,
}

/// What the pages of the documentation share.
pub(crate) struct Docs(Library);

impl Docs {
    pub(crate) fn new(sources: Sources) -> Self {
        Self(Library { openapi: sources.openapi, commands: sources.commands })
    }
}

const FIRST: &str = "getting-started";

pub(crate) fn routes() -> Router<Dashboard> {
    Router::new()
        .route("/docs", get(show_first))
        .route("/docs/search", get(search_docs))
        .route("/docs/{*page}", get(show_page))
        .route("/llms.txt", get(list_for_machines))
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    shell: Shell,
    contents: Vec<(&'static str, Vec<Listed>)>,
    here: String,
    query: String,
    /// Rendered by [`markdown::render`], which lets no HTML through.
    html: String,
    sections: Vec<Heading>,
    previous: Option<Listed>,
    next: Option<Listed>,
}

#[derive(Template)]
#[template(path = "docs_search.html")]
struct SearchPage {
    shell: Shell,
    contents: Vec<(&'static str, Vec<Listed>)>,
    here: String,
    query: String,
    found: Vec<Found>,
}

async fn show_first(State(state): State<Dashboard>, headers: HeaderMap) -> Result<Response, PageError> {
    show(&state, &headers, FIRST)
}

async fn show_page(
    State(state): State<Dashboard>,
    params: RawPathParams,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let wanted = params.iter().next().map_or("", |(_, value)| value);
    match wanted.strip_suffix(".md") {
        Some(slug) => {
            let text = state.docs.0.page(slug, &origin(&state, &headers)).ok_or_else(no_page)?;
            Ok(as_text("text/markdown; charset=utf-8", text))
        }
        None => show(&state, &headers, wanted),
    }
}

fn show(state: &Dashboard, headers: &HeaderMap, slug: &str) -> Result<Response, PageError> {
    let library = &state.docs.0;
    let text = library.page(slug, &origin(state, headers)).ok_or_else(no_page)?;
    let rendered = markdown::render(&text, |link| library.address(slug, link));
    let contents = library.contents();
    let all: Vec<_> = contents.iter().flat_map(|(_, pages)| pages).collect();
    let at = all.iter().position(|page| page.slug == slug).ok_or_else(no_page)?;
    let neighbor = |at: Option<usize>| at.and_then(|at| all.get(at)).map(|page| (*page).clone());
    let (previous, next) = (neighbor(at.checked_sub(1)), neighbor(at.checked_add(1)));
    page(&DocsPage {
        shell: Shell::anonymous(state, Look::of(headers), library::title(&text)),
        here: slug.to_owned(),
        query: String::new(),
        html: rendered.html,
        sections: rendered.headings.into_iter().filter(|heading| heading.level == 2).collect(),
        previous,
        next,
        contents,
    })
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

/// What is looked for may be so long.
const MAX_QUERY_CHARS: usize = 100;

async fn search_docs(
    State(state): State<Dashboard>,
    headers: HeaderMap,
    Query(asked): Query<Search>,
) -> Result<Response, PageError> {
    let query: String = asked.q.trim().chars().take(MAX_QUERY_CHARS).collect();
    let (library, origin) = (&state.docs.0, origin(&state, &headers));
    let contents = library.contents();
    let slugs = contents.iter().flat_map(|(_, pages)| pages).map(|page| page.slug.as_str());
    let texts: Vec<_> = slugs.filter_map(|slug| Some((slug, library.page(slug, &origin)?))).collect();
    let found = search::search(texts.iter().map(|(slug, text)| (*slug, text.as_str())), &query);
    let shell = Shell::anonymous(&state, Look::of(&headers), "Search");
    page(&SearchPage { shell, here: String::new(), query, found, contents })
}

/// `/llms.txt`: every page with what it is about, for programs that read (<https://llmstxt.org>).
async fn list_for_machines(State(state): State<Dashboard>, headers: HeaderMap) -> Response {
    let (library, origin) = (&state.docs.0, origin(&state, &headers));
    let mut text =
        "# InboundFlow\n\n> The data of an organization's AI voice assistants: calls, contacts, leads and \
                    appointments, by a REST API and by signed webhooks.\n"
            .to_owned();
    for (group, pages) in library.contents() {
        text.push_str(&format!("\n## {group}\n\n"));
        for Listed { slug, title } in pages {
            let about = library.page(&slug, &origin).map(|text| library::summary(&text)).unwrap_or_default();
            let about = if about.is_empty() { about } else { format!(": {about}") };
            text.push_str(&format!("- [{title}]({origin}/docs/{slug}.md){about}\n"));
        }
    }
    as_text("text/plain; charset=utf-8", text)
}

fn as_text(content_type: &'static str, text: String) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}

fn no_page() -> PageError {
    let text = "The documentation has no such page.".to_owned();
    PageError::said(StatusCode::NOT_FOUND, "Not found", text, ("/docs", "Open the documentation"))
}

/// Where the reader reaches this server, so that what is copied from a page works.
fn origin(state: &Dashboard, headers: &HeaderMap) -> String {
    if let Some(url) = &state.public_url {
        return url.clone();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // What else a client calls a host would be text in a page of ours.
    let is_host = |host: &&str| {
        !host.is_empty()
            && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter))
    };
    format!("http://{}", host.filter(is_host).unwrap_or("127.0.0.1:8080"))
}
