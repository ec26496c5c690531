//! The overview: how much there is, and what needs somebody. Each number is that of the list that it leads to.

use askama::Template;
use axum::{extract::State, response::Response};
use model::{CallStatus, LeadStatus, Page, Permission, Time};
use serde::Deserialize;
use store::{
    CallCounts, CallView, DeliveryState, ListAgenda, ListCalls, ListDeliveries, OrgStore, StatusCounts,
};

use super::calls::{self, Row};
use crate::{
    Dashboard,
    call::Call,
    error::PageError,
    extract::Query,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Zone},
};

/// How many calls are shown that need somebody.
const ATTENTION: u32 = 6;

/// More failing deliveries or appointments than this are not counted, only that there are more.
const COUNTED: u32 = 100;

/// The ranges: the word in the address, the label, and the days up to today.
const RANGES: [(&str, &str, i64); 4] =
    [("today", "Today", 1), ("7d", "7 days", 7), ("30d", "30 days", 30), ("90d", "90 days", 90)];

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    range: String,
}

struct Card {
    label: &'static str,
    number: String,
    note: String,
    href: String,
    tone: &'static str,
}

/// A day of the chart: parts of the bar from the bottom, in the chart's units.
struct Bar {
    x: String,
    label: String,
    parts: Vec<(String, String, &'static str)>,
    title: String,
    href: String,
    /// Whether the day is written below its bar.
    is_named: bool,
}

struct Chart {
    bars: Vec<Bar>,
    width: String,
    most: String,
    rows: Vec<(String, Vec<i64>, String)>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    ranges: Vec<(String, &'static str, bool)>,
    range: &'static str,
    cards: Vec<Card>,
    chart: Chart,
    attention: Vec<Row>,
    has_calls: bool,
    may_keys: bool,
    may_sources: bool,
    may_webhooks: bool,
    zone: String,
}

pub(crate) async fn show_overview(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadRecords)?, person.zone(&state));
    let here = RANGES.into_iter().find(|(word, ..)| *word == asked.range).unwrap_or(RANGES[1]);
    let days = zone.last_days(here.2);
    let mut times: Vec<Time> = days.iter().filter_map(|day| zone.start_of(*day)).collect();
    times.extend(days.last().and_then(|day| zone.start_of(day.tomorrow().ok()?)));
    let since = times.first().copied();
    let counts = store.count_calls(since).await?;
    let ever = store.count_calls(None).await?;
    let by_day = store.count_calls_between(times.clone()).await?;
    let mut cards = cards(&counts, &ever, since);
    cards.push(leads(&store, since).await?);
    cards.push(to_come(&store, &zone).await?);
    if let Some(card) = failing(&person).await? {
        cards.push(card);
    }
    page(&OverviewPage {
        shell: person.shell(&state, "Overview", Tab::Overview),
        ranges: RANGES.map(|(word, label, _)| (format!("/?range={word}"), label, word == here.0)).to_vec(),
        range: here.1,
        cards,
        chart: chart(&zone, &times, &by_day),
        attention: attention(&store, &zone).await?,
        has_calls: ever.total() > 0,
        may_keys: person.may(Permission::ManageKeys),
        may_sources: person.may(Permission::ManageSources),
        may_webhooks: person.may(Permission::ManageWebhooks),
        zone: zone.name,
    })
}

fn cards(counts: &CallCounts, ever: &CallCounts, since: Option<Time>) -> Vec<Card> {
    let since = since.map_or_else(String::new, |since| since.to_string());
    let href = |name: &str, value: &str| show::address("/calls", &[(name, value), ("since", &since)]);
    let share = |part: i64| match counts.total() {
        0 => String::new(),
        total => format!("{} % of calls", (part * 200 / total + 1) / 2),
    };
    let completed = counts.with(CallStatus::Completed);
    let failed = counts.of(CallView::Failed);
    vec![
        Card {
            label: "Needs review",
            number: show::count(ever.of(CallView::NeedsReview)),
            note: "of all time".into(),
            href: "/calls?view=needs_review".into(),
            tone: if ever.of(CallView::NeedsReview) > 0 { "accent" } else { "" },
        },
        Card {
            label: "Calls",
            number: show::count(counts.total()),
            note: String::new(),
            href: href("", ""),
            tone: "",
        },
        Card {
            label: "Completed",
            number: show::count(completed),
            note: share(completed),
            href: href("status", "completed"),
            tone: "",
        },
        Card {
            label: "Failed",
            number: show::count(failed),
            note: share(failed),
            href: href("view", "failed"),
            tone: if failed > 0 { "bad" } else { "" },
        },
        Card {
            label: "Spam and blocked",
            number: show::count(counts.of(CallView::SetAside)),
            note: share(counts.of(CallView::SetAside)),
            href: href("view", "set_aside"),
            tone: "",
        },
    ]
}

/// The leads of the range.
async fn leads(store: &OrgStore, since: Option<Time>) -> Result<Card, PageError> {
    let counts = store.count_leads(since).await?;
    let since = since.map_or_else(String::new, |since| since.to_string());
    let new = counts.with(LeadStatus::New);
    Ok(Card {
        label: "Leads",
        number: show::count(counts.total()),
        note: if new > 0 { format!("{} to call back", show::count(new)) } else { String::new() },
        href: show::address("/leads", &[("view", "table"), ("since", &since)]),
        tone: "",
    })
}

/// The appointments from today on.
async fn to_come(store: &OrgStore, zone: &Zone) -> Result<Card, PageError> {
    let from = zone.start_of(zone.today());
    let list = ListAgenda { limit: COUNTED, after: None, status: None, from, to: None };
    let found = store.list_agenda(list).await?;
    let many = if found.next.is_some() { "+" } else { "" };
    Ok(Card {
        label: "Appointments",
        number: format!("{}{many}", found.records.len()),
        note: "from today on".into(),
        href: "/appointments".into(),
        tone: "",
    })
}

/// Webhooks that were not delivered, for who may see them.
async fn failing(person: &Person) -> Result<Option<Card>, PageError> {
    if !person.may(Permission::ReadDeliveries) {
        return Ok(None);
    }
    let list = ListDeliveries { state: Some(DeliveryState::Exhausted), ..ListDeliveries::newest(COUNTED) };
    let found = person.door(Permission::ReadDeliveries)?.find_deliveries(list).await?;
    let many = if found.next.is_some() { "+" } else { "" };
    Ok(Some(Card {
        label: "Webhooks given up",
        number: format!("{}{many}", found.records.len()),
        note: "of all time".into(),
        href: "/deliveries?state=exhausted".into(),
        tone: if found.records.is_empty() { "" } else { "bad" },
    }))
}

/// The calls that need somebody, the newest first.
async fn attention(store: &OrgStore, zone: &Zone) -> Result<Vec<Row>, PageError> {
    let list = ListCalls {
        page: Page { limit: ATTENTION, before: None, since: None },
        status: None,
        until: None,
        view: Some(CallView::NeedsReview),
        contact: None,
        phone: None,
        search: None,
    };
    let found: Vec<Call> = serde_json::from_slice(&store.list_calls(list).await?.json)?;
    calls::rows(store, &found, zone, &calls::assistants(store).await?).await
}

/// The chart's height, and how wide a day is with the gap behind it.
const HEIGHT: f64 = 120.0;
const STEP: f64 = 20.0;

/// How each kind of call is drawn, from the bottom.
const CLASSES: [&str; 4] = ["good", "info", "bad", "quiet"];

/// The calls of a day, of the kinds that are drawn. Being transferred is being under way.
fn drawn(day: &StatusCounts) -> [i64; CLASSES.len()] {
    let with = |status| day.with(status);
    [with(CallStatus::Completed), day.under_way(), with(CallStatus::Failed), with(CallStatus::Blocked)]
}

fn chart(zone: &Zone, times: &[Time], by_day: &[StatusCounts]) -> Chart {
    let most = by_day.iter().map(StatusCounts::total).max().unwrap_or(0).max(1);
    let every = by_day.len().div_ceil(7);
    let mut chart = Chart {
        bars: Vec::new(),
        width: format!("{}", by_day.len() as f64 * STEP),
        most: show::count(most),
        rows: Vec::new(),
    };
    for (index, (day, pair)) in by_day.iter().zip(times.windows(2)).enumerate() {
        let date = zone.date(pair[0]);
        let mut top = HEIGHT;
        let counts = drawn(day);
        let mut parts = Vec::new();
        for (count, class) in counts.into_iter().zip(CLASSES) {
            let height = count as f64 / most as f64 * HEIGHT;
            top -= height;
            if count > 0 {
                parts.push((format!("{top:.2}"), format!("{height:.2}"), class));
            }
        }
        let (since, until) = (pair[0].to_string(), pair[1].to_string());
        let href = show::address("/calls", &[("since", &since), ("until", &until)]);
        chart.bars.push(Bar {
            x: format!("{}", index as f64 * STEP),
            title: format!("{date}: {} calls", show::count(day.total())),
            href: href.clone(),
            parts,
            is_named: index % every == 0,
            label: date.clone(),
        });
        chart.rows.push((date, counts.to_vec(), href));
    }
    chart
}
