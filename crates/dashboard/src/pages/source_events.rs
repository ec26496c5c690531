//! What arrived at a source, in a list, and whether the platform was heard of at all.

use model::{Place, PlacedPage, SourceId};
use serde::Deserialize;
use store::{ListMessages, MessageSummary, OrgStore, Outcome};

use super::{call, source::address};
use crate::{
    call::Badge,
    error::PageError,
    show::{self, Moment, Zone},
};

/// How many events a page has.
const LIMIT: u32 = 50;

/// What the address asks for.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    cursor: String,
    /// What reading many again came to: how many were read, how many of them say something of a call, and where the
    /// next ones begin, if there are more.
    read: Option<u32>,
    accepted: Option<u32>,
    #[serde(default)]
    after: String,
}

/// A message in a line.
pub(crate) struct EventRow {
    pub(crate) href: String,
    pub(crate) event: String,
    pub(crate) outcome: Badge,
    pub(crate) reason: Option<String>,
    pub(crate) at: Moment,
    pub(crate) call: Option<String>,
}

/// A tab.
pub(crate) struct TabLink {
    pub(crate) href: String,
    pub(crate) label: &'static str,
    pub(crate) is_here: bool,
}

/// The part of a source's page that tells of its messages.
pub(crate) struct Events {
    /// The newest of all.
    pub(crate) latest: Option<EventRow>,
    /// Whether that was read.
    pub(crate) is_through: bool,
    /// Whether the platform has still to be heard of.
    pub(crate) is_waiting: bool,
    /// What is asked for, where it is not all.
    pub(crate) filter: Option<&'static str>,
    /// The word of those that can be read again together, if these can.
    pub(crate) again: Option<&'static str>,
    pub(crate) is_rejected: bool,
    /// What came of that, in words, and where the next ones begin.
    pub(crate) read: Option<String>,
    pub(crate) after: String,
    pub(crate) tabs: Vec<TabLink>,
    pub(crate) rows: Vec<EventRow>,
    pub(crate) newest: Option<String>,
    pub(crate) older: Option<String>,
}

/// The word in the address and the label of each tab.
const TABS: [(&str, &str); 6] = [
    ("", "All"),
    ("accepted", "Accepted"),
    ("duplicate", "Duplicate"),
    ("ignored", "Ignored"),
    ("rejected", "Rejected"),
    ("failed", "Failed"),
];

impl Events {
    pub(crate) async fn of(
        store: &OrgStore,
        source: SourceId,
        asked: &Asked,
        zone: &Zone,
    ) -> Result<Self, PageError> {
        let here = |outcome: &str, cursor: &str| {
            show::address(&address(source), &[("outcome", outcome), ("cursor", cursor)])
        };
        let row = |message: &MessageSummary| event_row(source, message, zone);
        let list = |limit, from, outcome| ListMessages {
            source,
            page: PlacedPage { limit, from, since: None },
            outcome,
            event: None,
            call_id: None,
        };
        let latest = store.list_messages(list(1, None, None)).await?.records;
        let is_through = latest.first().is_some_and(|message| is_heard(message.outcome));
        let mut is_heard_of = is_through;
        for outcome in [Outcome::Accepted, Outcome::Ignored] {
            // A stranger's message must not look as if the platform had never been heard of.
            if !is_heard_of && !latest.is_empty() {
                is_heard_of = !store.list_messages(list(1, None, Some(outcome))).await?.records.is_empty();
            }
        }
        let outcome = Outcome::parse(&asked.outcome);
        let found = store.list_messages(list(LIMIT, Place::decode(&asked.cursor), outcome)).await?;
        let tab = |(word, label): (&str, &'static str)| TabLink {
            href: here(word, ""),
            label,
            is_here: asked.outcome == word,
        };
        let filter = TABS.into_iter().find(|(word, _)| !word.is_empty() && *word == asked.outcome);
        Ok(Self {
            is_through,
            is_waiting: !is_heard_of,
            latest: latest.first().map(row),
            filter: filter.map(|(_, label)| label),
            again: outcome
                .filter(|it| matches!(it, Outcome::Failed | Outcome::Rejected) && !found.records.is_empty())
                .map(Outcome::as_str),
            is_rejected: outcome == Some(Outcome::Rejected),
            read: asked.read.map(|read| came_of(read, asked.accepted.unwrap_or(0))),
            after: asked.after.clone(),
            tabs: TABS.into_iter().map(tab).collect(),
            rows: found.records.iter().map(row).collect(),
            newest: (!asked.cursor.is_empty()).then(|| here(&asked.outcome, "")),
            older: found.next.map(|next| here(&asked.outcome, &next.encode())),
        })
    }
}

fn event_row(source: SourceId, message: &MessageSummary, zone: &Zone) -> EventRow {
    EventRow {
        href: format!("{}/events/{}", address(source), message.id),
        event: message.event.clone().unwrap_or_else(|| "message".to_owned()),
        outcome: call::outcome(message.outcome),
        reason: message.reason.clone(),
        at: zone.moment(message.received_at),
        call: message.call_id.map(|call| format!("/calls/{call}")),
    }
}

/// Whether such a message shows that the platform reaches us.
fn is_heard(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Accepted | Outcome::Duplicate | Outcome::Ignored)
}

/// What reading many again came to.
fn came_of(read: u32, accepted: u32) -> String {
    let events = if read == 1 {
        "1 event was".to_owned()
    } else {
        format!("{} events were", show::count(read.into()))
    };
    format!("{events} read again, of which {} now say something of a call.", show::count(accepted.into()))
}
