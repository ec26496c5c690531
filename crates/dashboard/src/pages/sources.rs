//! Settings → Voice platforms: where calls come from.

use askama::Template;
use axum::{extract::State, response::Response};
use model::{Permission, Place, PlacedPage};
use serde::Deserialize;
use store::ListedSource;

use super::source::address;
use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::Query,
    person::Person,
    platforms,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

/// How many a page has.
const LIMIT: u32 = 50;

/// What the address asks for.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    cursor: String,
}

struct SourceRow {
    href: String,
    name: String,
    platform: &'static str,
    state: Badge,
    last: Option<Moment>,
    calls: i64,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    shell: Shell,
    rows: Vec<SourceRow>,
    newest: Option<String>,
    older: Option<String>,
    zone: String,
}

pub(crate) async fn list_sources(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ManageSources)?, person.zone(&state));
    let asked_page = PlacedPage { limit: LIMIT, from: Place::decode(&asked.cursor), since: None };
    let found = store.find_sources(asked_page).await?;
    let calls = store.count_calls_of_sources().await?;
    let href = |cursor: &str| show::address("/settings/sources", &[("cursor", cursor)]);
    let row = |listed: &ListedSource| row(listed, calls.get(&listed.source.id).copied().unwrap_or(0), &zone);
    page(&SourcesPage {
        shell: person.shell(&state, "Voice platforms", Tab::Sources),
        rows: found.records.iter().map(row).collect(),
        newest: (!asked.cursor.is_empty()).then(|| href("")),
        older: found.next.map(|next| href(&next.encode())),
        zone: zone.name,
    })
}

fn row(listed: &ListedSource, calls: i64, zone: &Zone) -> SourceRow {
    let source = &listed.source;
    SourceRow {
        href: address(source.id),
        name: source.name.clone(),
        platform: platforms::name(source.platform),
        state: match (listed.last_message_at, calls) {
            (None, _) => Badge::new("Waiting", "clock", "info"),
            (Some(_), 0) => Badge::new("No call yet", "clock", "warn"),
            (Some(_), _) => Badge::new("Connected", "check", "good"),
        },
        last: listed.last_message_at.map(|at| zone.moment(at)),
        calls,
    }
}
