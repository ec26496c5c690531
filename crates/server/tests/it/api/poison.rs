//! One record that cannot be handled, among many that can.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use model::{CallState, CallStatus, Change, Completion, Facts, InboxId, Platform, Stage, Transfer};
use store::{Incoming, Outcome, Reading, Rules};
use uuid::Uuid;

use crate::support::{TestApp, on_both};

const POISON: &str = "poison";

fn merge(state: &mut CallState, change: &Change) -> bool {
    assert_ne!(change.external_id, POISON, "as a bug in a rule would");
    ingest::merge(state, change)
}

/// A message about a call that is over.
fn message(app: &TestApp, number: usize, external_id: &str) -> Incoming {
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
        completion: Completion::Now,
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
            let message = message(app, number, &external_id);
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
