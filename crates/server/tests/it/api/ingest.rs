//! Platforms' messages: who may send them, and what becomes of each.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{Receiver, Setup, on_both, on_both_with, report};

const STARTED: &str = include_str!("../../../../connectors/fixtures/retell/call_started.json");
const ENDED: &str = include_str!("../../../../connectors/fixtures/retell/call_ended.json");
const ANALYZED: &str = include_str!("../../../../connectors/fixtures/retell/call_analyzed.json");

#[test]
fn a_sender_that_is_not_proven_is_refused_and_kept_with_the_reason() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (vapi, retell) = (org.source(Platform::Vapi).await, org.source(Platform::Retell).await);
        let message = report("c", json!("+14155550142"), json!({}));
        let anon = app.anon();
        let seconds = app.now().unix_seconds().to_string();
        let mut answers = Vec::new();
        for headers in [
            vec![],
            vec![("x-vapi-secret", "")],
            vec![("x-vapi-secret", "wrong")],
            vec![("authorization", "Bearer wrong")],
            vec![("x-signature", "not hex"), ("x-timestamp", &seconds)],
            vec![("x-signature", "00"), ("x-timestamp", &seconds)],
        ] {
            answers.push(vapi.post_with(&anon, &headers, &message).await);
        }
        for header in ["", "v=1,d=00", "nonsense"] {
            answers.push(retell.post_with(&anon, &[("x-retell-signature", header)], ENDED).await);
        }
        let told: Vec<_> = answers.iter().map(|answer| answer.error()).collect();
        assert_snapshot!(told.join("\n"), @"
        401 unauthorized: Not accepted: the request has no header x-signature, x-vapi-secret or authorization: check that the platform has the secret and sends it
        401 unauthorized: Not accepted: the request has no header x-signature, x-vapi-secret or authorization: check that the platform has the secret and sends it
        401 unauthorized: Not accepted: the header x-vapi-secret does not match: the platform uses another secret than this source has, or something between changed the body
        401 unauthorized: Not accepted: the header authorization does not match: the platform uses another secret than this source has, or something between changed the body
        401 unauthorized: Not accepted: the header x-signature is not in the form that was expected: a hash in hexadecimal
        401 unauthorized: Not accepted: the header x-signature does not match: the platform uses another secret than this source has, or something between changed the body
        401 unauthorized: Not accepted: the request has no header x-retell-signature: check that the platform has the secret and sends it
        401 unauthorized: Not accepted: the header x-retell-signature does not match: the platform uses another secret than this source has, or something between changed the body
        401 unauthorized: Not accepted: the header x-retell-signature is not in the form that was expected: v=<milliseconds since 1970>,d=<hex>
        ");
        let mut kept = org.inbox(vapi.source).await;
        kept.extend(org.inbox(retell.source).await);
        let kept: Vec<_> = kept
            .into_iter()
            .map(|(outcome, why)| format!("{outcome}: {}", why.unwrap_or_default()))
            .collect();
        assert_snapshot!(kept.join("\n"), @"
        rejected: the request has no header x-signature, x-vapi-secret or authorization: check that the platform has the secret and sends it
        rejected: the request has no header x-signature, x-vapi-secret or authorization: check that the platform has the secret and sends it
        rejected: the header x-vapi-secret does not match: the platform uses another secret than this source has, or something between changed the body
        rejected: the header authorization does not match: the platform uses another secret than this source has, or something between changed the body
        rejected: the header x-signature is not in the form that was expected: a hash in hexadecimal
        rejected: the header x-signature does not match: the platform uses another secret than this source has, or something between changed the body
        rejected: the request has no header x-retell-signature: check that the platform has the secret and sends it
        rejected: the header x-retell-signature does not match: the platform uses another secret than this source has, or something between changed the body
        rejected: the header x-retell-signature is not in the form that was expected: v=<milliseconds since 1970>,d=<hex>
        ");
        assert_eq!(app.key(&org).data("/v1/calls").await, json!([]));
    });
}

#[test]
fn a_message_that_is_replayed_later_is_refused() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let retell = org.source(Platform::Retell).await;
        let signature = retell.signature(app, STARTED);
        app.tick(Duration::from_secs(301)).await;
        let headers: Vec<_> = signature.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = retell.post_with(&app.anon(), &headers, STARTED).await;
        assert_eq!(answer.status, 401, "{}", answer.shown());
    });
}

#[test]
fn vapi_is_proven_in_each_of_its_ways() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (any, secret) = (org.source(Platform::Vapi).await, "a platform's secret");
        let bearer = format!("Bearer {secret}");
        for (id, headers) in [("1", [("x-vapi-secret", secret)]), ("2", [("authorization", &bearer)])] {
            let message = report(id, Value::Null, json!({}));
            let answer = any.post_with(&app.anon(), &headers, &message).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
        }
        any.accept(app, &report("3", Value::Null, json!({}))).await;
        let only = org.source_with(Platform::Vapi, json!({"auth": {"scheme": "hmac"}})).await;
        let message = report("4", Value::Null, json!({}));
        let plain = only.post_with(&app.anon(), &[("x-vapi-secret", secret)], &message).await;
        assert_eq!(plain.status, 401, "where a keyed hash is set up, nothing less will do");
        only.accept(app, &message).await;
        assert_eq!(app.key(&org).data("/v1/calls").await.as_array().map(Vec::len), Some(4));
    });
}

#[test]
fn what_cannot_be_read_is_kept_and_what_says_nothing_is_ignored() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let vapi = org.source(Platform::Vapi).await;
        let ignored = r#"{"message":{"type":"a-new-event","call":{"id":"c"}}}"#;
        let message = report("c", json!("+14155550142"), json!({}));
        let mut outcomes = Vec::new();
        for message in ["{", "", "[1,2]", "\u{1F9CA}", ignored, &message, &message, ignored] {
            let answer = vapi.post(app, message).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
            outcomes.push(answer.json()["data"]["outcome"].as_str().expect("a word").to_owned());
        }
        let kept = org.inbox(vapi.source).await;
        let words: Vec<_> = kept.iter().map(|(outcome, _)| (*outcome).to_owned()).collect();
        assert_eq!(words, outcomes);
        let kept: Vec<_> = kept
            .into_iter()
            .map(|(outcome, why)| format!("{outcome}: {}", why.unwrap_or_default()))
            .collect();
        assert_snapshot!(kept.join("\n"), @"
        failed: the body is not JSON: EOF while parsing an object at line 1 column 1
        failed: the body is not JSON: EOF while parsing a value at line 1 column 0
        failed: message is missing
        failed: the body is not JSON: expected value at line 1 column 1
        ignored: 
        accepted: 
        duplicate: the same message was accepted within the last day
        ignored:
        ");
        let bodies = org.records.list_inbox(vapi.source, 100).await.expect("a list");
        assert!(bodies.iter().any(|entry| entry.body == b"{"), "byte for byte");
    });
}

#[test]
fn a_source_is_found_by_its_own_platform_only() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let vapi = org.source(Platform::Vapi).await;
        let api = org.records.api_source().await.expect("a reading").expect("every organization has one");
        let message = report("c", Value::Null, json!({}));
        let mut told = Vec::new();
        for path in [
            format!("/ingest/retell/{}", vapi.source),
            format!("/ingest/api/{}", api.id),
            format!("/ingest/VAPI/{}", vapi.source),
            format!("/ingest/vapi/{}", org.id),
            "/ingest/vapi/1".to_owned(),
        ] {
            let headers = [("x-vapi-secret", "a platform's secret"), ("content-type", "application/json")];
            let answer =
                app.anon().send(http::Method::POST, &path, &headers, message.clone().into_bytes()).await;
            told.push(answer.error());
        }
        assert_snapshot!(told.join("\n"), @"
        404 not_found: There is no source with this id
        404 not_found: There is no source with this id
        404 not_found: There is no source with this id
        404 not_found: There is no source with this id
        404 not_found: There is no source with this id
        ");
        assert_eq!(org.inbox(vapi.source).await, []);
    });
}

#[test]
fn retell_s_call_is_told_with_its_analysis_at_once() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Lakeside Dental").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let retell = org.source(Platform::Retell).await;
        retell.accept(app, STARTED).await;
        retell.accept(app, ENDED).await;
        app.tick(Duration::from_secs(59)).await;
        assert_eq!(receiver.take_events(), ["appointment.booked"], "the call waits for its analysis");
        retell.accept(app, ANALYZED).await;
        let got = receiver.take();
        let completed = got.iter().find(|got| got.event() == "call.completed").expect("told at once");
        assert!(completed.json()["data"]["summary"].is_string(), "with what the analysis says");
        app.tick(Duration::from_secs(3600)).await;
        assert_eq!(receiver.take_events(), Vec::<String>::new(), "once");
    });
}

#[test]
fn retell_s_call_is_told_after_a_minute_where_no_analysis_comes() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Lakeside Dental").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let retell = org.source(Platform::Retell).await;
        retell.accept(app, ENDED).await;
        app.tick(Duration::from_millis(59_999)).await;
        receiver.take();
        app.tick(Duration::from_millis(1)).await;
        assert!(receiver.take_events().contains(&"call.completed".to_owned()));
        retell.accept(app, ANALYZED).await;
        assert!(
            !receiver.take_events().contains(&"call.completed".to_owned()),
            "once, also when it comes after all"
        );
        let call = &app.key(&org).data("/v1/calls").await[0];
        assert!(call["summary"].is_string(), "the record has it all the same");
    });
}

#[test]
fn a_stranger_cannot_fill_the_inbox() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let vapi = org.source(Platform::Vapi).await;
        for _ in 0..80 {
            assert_eq!(vapi.post_with(&app.anon(), &[("x-vapi-secret", "wrong")], "{}").await.status, 401);
        }
        assert_eq!(org.inbox(vapi.source).await.len(), 60);
        app.tick(Duration::from_secs(60)).await;
        vapi.post_with(&app.anon(), &[("x-vapi-secret", "wrong")], "{}").await;
        assert_eq!(org.inbox(vapi.source).await.len(), 61);
        vapi.accept(app, &report("c", Value::Null, json!({}))).await;
    });
}
