//! One record that cannot be handled, among many that can.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use model::{CallState, CallStatus, Change, Completion, Facts, InboxId, Platform, Stage, Transfer};
use store::{Decision, Incoming, Outcome, Reading, Rules, Situation};
use uuid::Uuid;

use crate::support::{Receiver, TestApp, on_both};

const POISON: &str = "poison";

fn merge(state: &mut CallState, change: &Change) -> bool {
    assert_ne!(change.external_id, POISON, "as a bug in a rule would");
    ingest::merge(state, change)
}

fn decide(situation: Situation<'_>) -> Decision {
    assert_ne!(situation.call.facts.caller_name.as_deref(), Some(POISON), "as a bug in a rule would");
    ingest::decide(situation)
}

/// A message about a call that is over.
fn message(app: &TestApp, number: usize, external_id: &str, completion: Completion) -> Incoming {
    let facts = Facts {
        status: Some(CallStatus::Completed),
        caller_name: Some(external_id.to_owned()),
        ..Facts::default()
    };
    let external_id = external_id.to_owned();
    let change = Change {
        external_id: external_id.clone(),
        stage: Stage::Ended,
        at: None,
        completion,
        facts,
        transfer: Transfer::None,
    };
    Incoming {
        id: InboxId::new(Uuid::from_u128(1 + number as u128)),
        received_at: app.now(),
        headers: "[]".into(),
        body: b"{}".to_vec(),
        fingerprint: (number as u128).to_be_bytes(),
        reading: Reading::Read {
            event: "over".into(),
            external_id: Some(external_id),
            changes: vec![change],
        },
        recording: None,
        is_whole: true,
    }
}

#[test]
fn a_message_that_cannot_be_applied_takes_no_other_along() {
    const ALL: usize = 60;
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let id = org.source(Platform::Vapi).await.source;
        let source = app.store.find_source(id).await.expect("an answer").expect("the source");
        let rules = Rules { merge, ..ingest::rules(Duration::ZERO) };
        // All at once, so that they share commits.
        let receiving = (0..ALL).map(|number| {
            let external_id = if number == ALL / 2 { POISON.into() } else { format!("call {number}") };
            let message = message(app, number, &external_id, Completion::Now);
            let (records, source) = (org.records.clone(), Arc::clone(&source));
            async move { records.receive(&source, message, rules).await.expect("kept").outcome }
        });
        let outcomes = join_all(receiving).await;
        for (number, outcome) in outcomes.into_iter().enumerate() {
            let expected = if number == ALL / 2 { Outcome::Failed } else { Outcome::Accepted };
            assert_eq!(outcome, expected, "message {number}");
        }
        assert_eq!(org.inbox(id).await.len(), ALL);
        let calls = app.key(&org).data("/v1/calls?limit=100").await;
        let calls = calls.as_array().expect("a list");
        let each =
            |field: &str| calls.iter().map(|call| call[field].to_string()).collect::<HashSet<_>>().len();
        assert_eq!((calls.len(), each("external_id"), each("created_at")), (ALL - 1, ALL - 1, ALL - 1));
    });
}

#[test]
fn a_call_that_cannot_be_told_as_completed_keeps_no_other_waiting() {
    const WAIT: Duration = Duration::from_secs(60);
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        let id = org.source(Platform::Vapi).await.source;
        let source = app.store.find_source(id).await.expect("an answer").expect("the source");
        for (number, name) in ["first", POISON, "third"].into_iter().enumerate() {
            let message = message(app, number, name, Completion::Wait);
            let received = org.records.receive(&source, message, ingest::rules(WAIT)).await.expect("kept");
            assert_eq!(received.outcome, Outcome::Accepted);
        }
        // In a process of its own, so that this one's good rules are not quicker.
        let other = app.store_ahead(WAIT).await;
        let poisoned = Rules { decide, ..ingest::rules(WAIT) };
        assert_eq!(other.complete_due(poisoned).await.expect("the others are told"), 2);
        assert_eq!(other.complete_due(poisoned).await.expect("nothing is due"), 0);
        let due = other.next_completion_due().await.expect("an answer");
        assert_eq!(due, Some(app.now() + WAIT + WAIT), "the one that is left is tried again after a minute");
        let good = ingest::rules(WAIT);
        let later = app.store_ahead(WAIT + WAIT).await;
        let (one, another) = (later.complete_due(good), app.store_ahead(WAIT + WAIT).await);
        let (one, another) = (one.await.expect("told"), another.complete_due(good).await.expect("told"));
        assert_eq!((one, another), (1, 0), "by better rules, once, and counted once");
        app.tick(WAIT + WAIT).await;
        assert_eq!(receiver.take_events(), ["call.completed"; 3]);
    });
}

/// Two processes find the same calls due. Whoever comes second finds them told, and has told nothing.
#[test]
fn a_call_that_another_process_told_is_not_counted_and_does_not_wait_again() {
    const WAIT: Duration = Duration::from_secs(60);
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let id = org.source(Platform::Vapi).await.source;
        let source = app.store.find_source(id).await.expect("an answer").expect("the source");
        const CALLS: usize = 40;
        for number in 0..CALLS {
            let message = message(app, number, &format!("call {number}"), Completion::Wait);
            org.records.receive(&source, message, ingest::rules(WAIT)).await.expect("kept");
        }
        let (one, another) = (app.store_ahead(WAIT).await, app.store_ahead(WAIT).await);
        let (one, another) =
            join(one.complete_due(ingest::rules(WAIT)), another.complete_due(ingest::rules(WAIT))).await;
        assert_eq!(one.expect("told") + another.expect("told"), CALLS);
        assert_eq!(app.store.next_completion_due().await.expect("an answer"), None);
    });
}
