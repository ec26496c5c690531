//! Deliveries of webhooks to all endpoints.

use askama::Template;
use axum::{extract::State, response::Response};
use model::{Cursor, EndpointId, Page, Permission};
use serde::Deserialize;
use store::{DeliveryState, ListDeliveries, ListedDelivery};

use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::Query,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

/// How many a page has.
const LIMIT: u32 = 50;

/// What the address asks for.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    webhook: String,
    #[serde(default)]
    cursor: String,
}

impl Asked {
    fn href(&self) -> String {
        let fields = [("state", &*self.state), ("webhook", &self.webhook), ("cursor", &self.cursor)];
        show::address("/deliveries", &fields)
    }
}

/// A delivery in a line.
pub(crate) struct DeliveryRow {
    pub(crate) href: String,
    pub(crate) event: String,
    pub(crate) url: String,
    pub(crate) state: Badge,
    pub(crate) answer: String,
    pub(crate) error: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) at: Moment,
    pub(crate) next: Option<Moment>,
}

/// How a delivery stands.
pub(crate) fn badge(state: DeliveryState) -> Badge {
    use DeliveryState::{Cancelled, Delivered, Exhausted, Held, InFlight, Pending, Retrying};
    match state {
        Pending => Badge::new("Waiting", "clock", "info"),
        InFlight => Badge::new("Being sent", "live", "info"),
        Delivered => Badge::new("Delivered", "check", "good"),
        Retrying => Badge::new("Retrying", "retry", "warn"),
        Exhausted => Badge::new("Given up", "cross", "bad"),
        Held => Badge::new("Held", "pause", "warn"),
        Cancelled => Badge::new("Cancelled", "ban", "quiet"),
    }
}

pub(crate) fn row(delivery: &ListedDelivery, zone: &Zone) -> DeliveryRow {
    DeliveryRow {
        href: format!("/deliveries/{}", delivery.id),
        event: delivery.event.clone(),
        url: delivery.url.clone(),
        state: badge(delivery.state),
        answer: delivery.last_status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
        error: delivery.last_error.clone(),
        attempts: delivery.attempts,
        at: zone.moment(delivery.created_at.time()),
        next: delivery.due_at.map(|at| zone.moment(at)),
    }
}

struct TabLink {
    href: String,
    label: &'static str,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    shell: Shell,
    tabs: Vec<TabLink>,
    rows: Vec<DeliveryRow>,
    filter: Option<String>,
    /// The endpoint that is asked for, and the same list for all of them.
    webhook: Option<EndpointId>,
    clear: String,
    newest: Option<String>,
    older: Option<String>,
    zone: String,
}

/// The word in the address and the label of each tab.
const TABS: [(&str, &str); 6] = [
    ("", "All"),
    ("retrying", "Retrying"),
    ("exhausted", "Given up"),
    ("held", "Held"),
    ("delivered", "Delivered"),
    ("pending", "Waiting"),
];

pub(crate) async fn list_deliveries(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadDeliveries)?, person.zone(&state));
    let list = ListDeliveries {
        page: Page { limit: LIMIT, before: Cursor::decode(&asked.cursor), since: None },
        state: DeliveryState::parse(&asked.state),
        endpoint: asked.webhook.parse().ok(),
        ..ListDeliveries::newest(LIMIT)
    };
    let found = store.find_deliveries(list).await?;
    let tab = |(word, label): (&str, &'static str)| TabLink {
        href: Asked { state: word.to_owned(), cursor: String::new(), ..asked.clone() }.href(),
        label,
        is_here: asked.state == word,
    };
    let label = TABS.into_iter().find(|(word, _)| *word == asked.state && !word.is_empty());
    page(&DeliveriesPage {
        shell: person.shell(&state, "Deliveries", Tab::Deliveries),
        tabs: TABS.into_iter().map(tab).collect(),
        rows: found.records.iter().map(|delivery| row(delivery, &zone)).collect(),
        webhook: asked.webhook.parse().ok(),
        clear: Asked { webhook: String::new(), cursor: String::new(), ..asked.clone() }.href(),
        filter: label.map(|(_, label)| label.to_owned()),
        newest: (!asked.cursor.is_empty()).then(|| Asked { cursor: String::new(), ..asked.clone() }.href()),
        older: found.next.map(|next| Asked { cursor: next.encode(), ..asked.clone() }.href()),
        zone: zone.name,
    })
}
