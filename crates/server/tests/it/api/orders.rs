//! Messages come late, twice and out of order: the records and the events are the same.

use std::{collections::BTreeMap, time::Duration};

use model::Platform;
use serde_json::{Value, json};

use super::platforms::recorded;
use crate::support::{Org, Receiver, Setup, TestApp, on_both_with};

macro_rules! fixtures {
    ($platform:literal: $($name:literal),*) => {
        [$(include_str!(concat!("../../../../connectors/fixtures/", $platform, "/", $name, ".json"))),*]
    };
}
pub(super) use fixtures;

/// Everything that does not depend on when the messages came.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) records: BTreeMap<&'static str, Value>,
    pub(super) events: Vec<String>,
}

pub(super) async fn outcome(
    app: &TestApp,
    platform: Platform,
    messages: &[&str],
    blocked: Option<&str>,
) -> Outcome {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    org.endpoint(&receiver.url("/")).await;
    if let Some(number) = blocked {
        app.key(&org).made("/v1/blocked-numbers", json!({"phone": number})).await;
    }
    outcome_of(app, &org, &receiver, platform, messages).await
}

/// The same of an organization of one's own.
pub(super) async fn outcome_of(
    app: &TestApp,
    org: &Org,
    receiver: &Receiver,
    platform: Platform,
    messages: &[&str],
) -> Outcome {
    let source = org.source(platform).await;
    for message in messages {
        let answer = source.post(app, message).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        assert_ne!(answer.json()["data"]["outcome"], "failed", "{}", answer.shown());
        app.tick(Duration::from_secs(1)).await;
    }
    app.tick(Duration::from_secs(61)).await;
    Outcome { records: records(app, org).await, events: receiver.take_events() }
}

async fn records(app: &TestApp, org: &Org) -> BTreeMap<&'static str, Value> {
    let client = app.key(org);
    let mut records = BTreeMap::new();
    for kind in ["calls", "contacts", "leads", "appointments", "assistants"] {
        let mut list = client.data(&format!("/v1/{kind}")).await;
        for record in list.as_array_mut().expect("a list") {
            if kind == "calls" {
                let id = record["id"].as_str().expect("an id");
                *record = client.data(&format!("/v1/calls/{id}")).await;
            }
            // Ids and stamps are given as records are made.
            let fields = record.as_object_mut().expect("a record");
            let given = |name: &str| {
                name == "id"
                    || (name.ends_with("_id") && name != "external_id")
                    || ["created_at", "updated_at"].contains(&name)
            };
            for (_, value) in fields.iter_mut().filter(|(name, _)| given(name)) {
                *value = Value::from(value.is_string());
            }
        }
        records.insert(kind, list);
    }
    records
}

pub(super) fn permutations<'a>(messages: &[&'a str]) -> Vec<Vec<&'a str>> {
    let Some((first, rest)) = messages.split_first() else { return vec![Vec::new()] };
    let shorter = permutations(rest);
    let insert = |shorter: &Vec<&'a str>, place: usize| {
        let mut longer = shorter.clone();
        longer.insert(place, first);
        longer
    };
    shorter.iter().flat_map(|shorter| (0..=shorter.len()).map(move |place| insert(shorter, place))).collect()
}

/// Every order, and every order twice over.
fn check(platform: Platform, messages: &[&str]) {
    on_both_with(Setup::unhurried(), async |app| {
        let expected = outcome(app, platform, messages, None).await;
        let mut once = expected.events.clone();
        once.dedup();
        assert_eq!(expected.events, once, "each event once");
        assert_eq!(expected.records["calls"].as_array().map(Vec::len), Some(1));
        for order in permutations(messages) {
            assert_eq!(outcome(app, platform, &order, None).await, expected, "{}", names(&order));
            let again: Vec<_> = order.iter().chain(&order).copied().collect();
            assert_eq!(outcome(app, platform, &again, None).await, expected, "{}", names(&again));
        }
    });
}

fn names(messages: &[&str]) -> String {
    let name = |message: &&str| {
        let message: Value = serde_json::from_str(message).expect("JSON");
        let (event, body) = (&message["event"], &message["message"]);
        format!(
            "{}{}{}",
            event.as_str().unwrap_or(""),
            body["type"].as_str().unwrap_or(""),
            body["status"].as_str().unwrap_or("")
        )
    };
    messages.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_vapi_call_is_the_same_in_any_order() {
    check(
        Platform::Vapi,
        &fixtures!("vapi": "status-update.in-progress", "conversation-update", "end-of-call-report"),
    );
}

#[test]
fn a_vapi_call_that_was_handed_over_is_the_same_in_any_order() {
    check(
        Platform::Vapi,
        &fixtures!("vapi": "status-update.in-progress", "status-update.forwarding", "end-of-call-report.transferred"),
    );
}

#[test]
fn a_retell_call_is_the_same_in_any_order() {
    check(Platform::Retell, &fixtures!("retell": "call_started", "call_ended", "call_analyzed"));
}

#[test]
fn a_retell_call_that_was_handed_over_is_the_same_in_any_order() {
    check(
        Platform::Retell,
        &fixtures!("retell": "call_ended", "call_analyzed", "transfer_started", "transfer_bridged"),
    );
}

#[test]
fn recorded_calls_are_the_same_in_any_order() {
    let mut calls = BTreeMap::<(&str, String), (Platform, Vec<String>)>::new();
    // Bland sends one message a call; its two with one id are of different calls.
    for (platform, _, body, row) in recorded().into_iter().filter(|row| row.0 != Platform::Bland) {
        let Some(id) = row["provider_call_id"].as_str() else { continue };
        calls.entry((platform.as_str(), id.to_owned())).or_insert((platform, Vec::new())).1.push(body);
    }
    for (platform, messages) in calls.into_values().filter(|(_, messages)| messages.len() > 1) {
        check(platform, &messages.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
