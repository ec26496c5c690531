//! Settings → Integrations: what can be connected, and the endpoints that are told of events.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use model::{EndpointId, Permission, Place, PlacedPage};
use serde::Deserialize;
use store::{Endpoint, Waiting};

use super::integration::address;
use crate::{
    Dashboard,
    call::Badge,
    endpoint::{self, Owed},
    error::PageError,
    extract::Query,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
    tools::Tool,
};

/// How many a page has.
const LIMIT: u32 = 50;

/// What the address asks for.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    cursor: String,
}

struct EndpointRow {
    href: String,
    name: String,
    url: String,
    told: String,
    state: Badge,
    why: Option<String>,
    owed: Vec<Owed>,
    since: Moment,
}

#[derive(Template)]
#[template(path = "integrations.html")]
struct IntegrationsPage {
    shell: Shell,
    tools: [Tool; 4],
    rows: Vec<EndpointRow>,
    newest: Option<String>,
    older: Option<String>,
    zone: String,
}

pub(crate) async fn list_integrations(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ManageWebhooks)?, person.zone(&state));
    let found = store
        .find_endpoints(PlacedPage { limit: LIMIT, from: Place::decode(&asked.cursor), since: None })
        .await?;
    let waiting = store.count_waiting(&found.records).await?;
    let href = |cursor: &str| show::address("/settings/integrations", &[("cursor", cursor)]);
    page(&IntegrationsPage {
        shell: person.shell(&state, "Integrations", Tab::Integrations),
        tools: Tool::ALL,
        rows: found.records.iter().map(|endpoint| row(endpoint, &waiting, &zone)).collect(),
        newest: (!asked.cursor.is_empty()).then(|| href("")),
        older: found.next.map(|next| href(&next.encode())),
        zone: zone.name,
    })
}

fn row(endpoint: &Endpoint, waiting: &HashMap<EndpointId, Waiting>, zone: &Zone) -> EndpointRow {
    let waiting = waiting.get(&endpoint.id).copied().unwrap_or_default();
    EndpointRow {
        href: address(endpoint.id),
        name: endpoint::name(endpoint),
        url: endpoint.url.clone(),
        told: endpoint::told(endpoint),
        state: endpoint::badge(endpoint),
        why: endpoint.trouble.as_ref().and_then(|trouble| trouble.last_error.clone()),
        owed: endpoint::owed(endpoint, waiting),
        since: zone.moment(endpoint.created_at),
    }
}
