//! The form of every answer, good or bad.

use std::{io::Read, time::Duration};

use http::Method;
use insta::assert_snapshot;
use model::Scopes;
use serde_json::json;
use store::NewKey;

use crate::support::on_both;

/// An id that nobody has.
const NOBODY: &str = "0197a3c4-0000-7000-8000-00000000dead";

#[test]
fn a_list_a_record_and_an_error_have_their_envelopes() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        assert_snapshot!(client.get("/v1/calls").await.shown(), @r#"
        200 OK
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 59
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=59;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_00000000000070008000000000000033
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 147

        {"data":[],"has_more":false,"next_cursor":null,"meta":{"request_id":"req_00000000000070008000000000000033","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        let call = json!({"external_id": "a", "caller_phone": "+14155550142", "summary": "The boiler leaks.",
            "started_at": "2026-02-24T20:58:00Z", "ended_at": "2026-02-24T20:59:00Z"});
        let answer = client.post("/v1/calls", &call).await;
        assert_snapshot!(answer.shown(), @r#"
        201 Created
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 58
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=58;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_00000000000070008000000000000034
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 806

        {"data":{"id":"00000000-0000-7000-8000-000000000035","caller_phone":"+14155550142","caller_name":null,"status":"completed","duration_seconds":60,"summary":"The boiler leaks.","transcript":null,"recording_url":null,"transfer_status":null,"started_at":"2026-02-24T20:58:00.000Z","ended_at":"2026-02-24T20:59:00.000Z","assistant_id":null,"contact_id":"00000000-0000-7000-8000-000000000036","created_at":"2026-02-24T21:00:00.000001Z","caller_email":null,"intent":null,"urgency":null,"direction":null,"source":"api","external_id":"a","ended_reason":null,"recording_available":false,"updated_at":"2026-02-24T21:00:00.000001Z","reviewed":false,"spam":false,"tags":[],"notes":null,"messages":null,"recordings":[]},"meta":{"request_id":"req_00000000000070008000000000000034","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        assert_snapshot!(client.get("/v1/calls").await.shown(), @r#"
        200 OK
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 57
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=57;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_0000000000007000800000000000003a
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 812

        {"data":[{"id":"00000000-0000-7000-8000-000000000035","caller_phone":"+14155550142","caller_name":null,"status":"completed","duration_seconds":60,"summary":"The boiler leaks.","transcript":null,"recording_url":null,"transfer_status":null,"started_at":"2026-02-24T20:58:00.000Z","ended_at":"2026-02-24T20:59:00.000Z","assistant_id":null,"contact_id":"00000000-0000-7000-8000-000000000036","created_at":"2026-02-24T21:00:00.000001Z","caller_email":null,"intent":null,"urgency":null,"direction":null,"source":"api","external_id":"a","ended_reason":null,"recording_available":false,"updated_at":"2026-02-24T21:00:00.000001Z","reviewed":false,"spam":false,"tags":[],"notes":null}],"has_more":false,"next_cursor":null,"meta":{"request_id":"req_0000000000007000800000000000003a","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        let id = answer.json()["data"]["id"].as_str().expect("an id").to_owned();
        assert_snapshot!(client.get(&format!("/v1/calls/{id}")).await.shown(), @r#"
        200 OK
        etag: W/"64b982baaf401"
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 56
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=56;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_0000000000007000800000000000003b
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 806

        {"data":{"id":"00000000-0000-7000-8000-000000000035","caller_phone":"+14155550142","caller_name":null,"status":"completed","duration_seconds":60,"summary":"The boiler leaks.","transcript":null,"recording_url":null,"transfer_status":null,"started_at":"2026-02-24T20:58:00.000Z","ended_at":"2026-02-24T20:59:00.000Z","assistant_id":null,"contact_id":"00000000-0000-7000-8000-000000000036","created_at":"2026-02-24T21:00:00.000001Z","caller_email":null,"intent":null,"urgency":null,"direction":null,"source":"api","external_id":"a","ended_reason":null,"recording_available":false,"updated_at":"2026-02-24T21:00:00.000001Z","reviewed":false,"spam":false,"tags":[],"notes":null,"messages":null,"recordings":[]},"meta":{"request_id":"req_0000000000007000800000000000003b","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        assert_snapshot!(client.get("/v1/contacts").await.shown(), @r#"
        200 OK
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 55
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=55;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_0000000000007000800000000000003c
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 439

        {"data":[{"id":"00000000-0000-7000-8000-000000000036","name":null,"phone":"+14155550142","other_phones":[],"email":null,"company":null,"notes":null,"tags":[],"call_count":1,"last_call_at":"2026-02-24T20:58:00.000Z","created_at":"2026-02-24T21:00:00.000002Z","updated_at":"2026-02-24T21:00:00.000002Z"}],"has_more":false,"next_cursor":null,"meta":{"request_id":"req_0000000000007000800000000000003c","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        assert_snapshot!(client.get("/v1/leads").await.shown(), @r#"
        200 OK
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 54
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=54;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_0000000000007000800000000000003d
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 514

        {"data":[{"id":"00000000-0000-7000-8000-000000000037","call_id":"00000000-0000-7000-8000-000000000035","contact_id":"00000000-0000-7000-8000-000000000036","name":null,"phone":"+14155550142","email":null,"intent":null,"urgency":null,"summary":"The boiler leaks.","status":"new","notes":null,"created_at":"2026-02-24T21:00:00.000003Z","updated_at":"2026-02-24T21:00:00.000003Z"}],"has_more":false,"next_cursor":null,"meta":{"request_id":"req_0000000000007000800000000000003d","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        assert_snapshot!(client.get(&format!("/v1/calls/{NOBODY}")).await.shown(), @r#"
        404 Not Found
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 53
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=53;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_0000000000007000800000000000003e
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 185

        {"error":{"code":"not_found","message":"There is no call with this id","status":404},"meta":{"request_id":"req_0000000000007000800000000000003e","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
    });
}

#[test]
fn a_key_that_is_no_good_says_why() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let soon = NewKey {
            name: "soon over".into(),
            expires_at: Some(app.now() + Duration::from_secs(60)),
            rate_limit: None,
            scopes: Scopes::All,
        };
        let (_, expiring) = org.records.create_key(soon).await.expect("a key");
        let forever =
            NewKey { name: "revoked".into(), expires_at: None, rate_limit: None, scopes: Scopes::All };
        let (revoked, revoked_key) = org.records.create_key(forever).await.expect("a key");
        assert_eq!(app.bearer(expiring.reveal()).get("/v1/calls").await.status, 200);
        app.store.revoke_key(revoked.id).await.expect("a write").expect("a key");
        app.tick(Duration::from_secs(60)).await;
        let good = org.key.reveal();
        let mut other = good.to_owned();
        let last = if other.ends_with('0') { "1" } else { "0" };
        other.replace_range(other.len() - 1.., last);

        let mut told = vec![app.anon().get("/v1/calls").await];
        for token in ["", "sk_live_nonsense", &other, revoked_key.reveal(), expiring.reveal()] {
            told.push(app.bearer(token).get("/v1/calls").await);
        }
        told.push(app.anon().get_with("/v1/calls", &[("authorization", &format!("Basic {good}"))]).await);
        for answer in &told {
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let told: Vec<_> = told.iter().map(|answer| answer.error()).collect();
        assert_snapshot!(told.join("\n"), @"
        401 unauthorized: An API key is needed: send the header `Authorization: Bearer sk_live_…`
        401 unauthorized: Invalid API key
        401 unauthorized: Invalid API key
        401 unauthorized: Invalid API key
        401 unauthorized: This API key was revoked
        401 unauthorized: This API key has expired
        401 unauthorized: The Authorization header must be `Bearer` and an API key
        ");
        assert_snapshot!(app.anon().get("/v1/calls").await.shown(), @r#"
        401 Unauthorized
        www-authenticate: Bearer
        x-ratelimit-limit: 30
        x-ratelimit-remaining: 22
        x-ratelimit-reset: 1771966920
        ratelimit: "default";r=22;t=60
        ratelimit-policy: "default";q=30;w=60
        x-request-id: req_00000000000070008000000000000099
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 232

        {"error":{"code":"unauthorized","message":"An API key is needed: send the header `Authorization: Bearer sk_live_…`","status":401},"meta":{"request_id":"req_00000000000070008000000000000099","timestamp":"2026-02-24T21:01:00.000Z"}}
        "#);
    });
}

#[test]
fn what_is_not_there_is_not_found_in_the_envelope() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut told = Vec::new();
        for path in ["/v1/calls/not-an-id", "/v1/contacts/1", "/v1/nothing", "/v1", "/v1/", "/v1/calls/"] {
            let answer = client.get(path).await;
            assert_eq!(answer.header("x-ratelimit-limit"), "60", "{path}");
            told.push(format!("{path}: {}", answer.error()));
        }
        for resource in ["calls", "contacts", "leads", "appointments"] {
            let answer = client.get(&format!("/v1/{resource}/{NOBODY}")).await;
            told.push(format!("{resource}: {}", answer.error()));
        }
        told.push(app.anon().get("/nothing").await.error());
        assert_snapshot!(told.join("\n"), @"
        /v1/calls/not-an-id: 404 not_found: There is no record with this id
        /v1/contacts/1: 404 not_found: There is no record with this id
        /v1/nothing: 404 not_found: There is nothing at this path
        /v1: 404 not_found: There is nothing at this path
        /v1/: 404 not_found: There is nothing at this path
        /v1/calls/: 404 not_found: There is nothing at this path
        calls: 404 not_found: There is no call with this id
        contacts: 404 not_found: There is no contact with this id
        leads: 404 not_found: There is no lead with this id
        appointments: 404 not_found: There is no appointment with this id
        404 not_found: There is nothing at this path
        ");
    });
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut told = Vec::new();
        for (method, path) in [
            (Method::DELETE, "/v1/calls"),
            (Method::POST, "/v1/assistants"),
            (Method::PUT, &format!("/v1/calls/{NOBODY}")),
            (Method::GET, &format!("/ingest/vapi/{NOBODY}")),
            (Method::POST, "/openapi.json"),
            (Method::POST, "/healthz"),
        ] {
            let answer = client.send(method, path, &[], Vec::new()).await;
            told.push(format!("{path} allows {}; {}", answer.header("allow"), answer.error()));
        }
        assert_snapshot!(told.join("\n"), @"
        /v1/calls allows GET,HEAD,POST; 405 method_not_allowed: DELETE is not possible here
        /v1/assistants allows GET,HEAD; 405 method_not_allowed: POST is not possible here
        /v1/calls/0197a3c4-0000-7000-8000-00000000dead allows GET,HEAD,PATCH; 405 method_not_allowed: PUT is not possible here
        /ingest/vapi/0197a3c4-0000-7000-8000-00000000dead allows POST; 405 method_not_allowed: GET is not possible here
        /openapi.json allows GET,HEAD; 405 method_not_allowed: POST is not possible here
        /healthz allows GET,HEAD; 405 method_not_allowed: POST is not possible here
        ");
    });
}

#[test]
fn head_is_get_without_the_body() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for path in [
            "/v1/calls",
            "/v1/contacts",
            "/v1/leads",
            "/v1/appointments",
            "/v1/assistants",
            "/healthz",
            "/readyz",
            "/openapi.json",
        ] {
            let (head, get) =
                (client.send(Method::HEAD, path, &[], Vec::new()).await, client.get(path).await);
            assert_eq!((head.status, head.bytes.len()), (get.status, 0), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        }
        let nothing = client.send(Method::HEAD, &format!("/v1/calls/{NOBODY}"), &[], Vec::new()).await;
        assert_eq!((nothing.status.as_u16(), nothing.bytes.len()), (404, 0));
    });
}

#[test]
fn who_takes_gzip_gets_gzip() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        client.write_call(json!({"transcript": "Hello. ".repeat(100)})).await;
        let plain = client.get("/v1/calls").await.json();
        let packed = client.get_with("/v1/calls", &[("accept-encoding", "gzip")]).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(packed.header("vary"), "accept-encoding");
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&*packed.bytes).read_to_string(&mut unpacked).expect("gzip");
        let unpacked: serde_json::Value = serde_json::from_str(&unpacked).expect("JSON");
        assert_eq!(unpacked["data"], plain["data"]);
        assert!(packed.bytes.len() < 700, "{} bytes", packed.bytes.len());
    });
}

#[test]
fn a_record_that_has_not_changed_is_not_sent_again() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let write = json!({"external_id": "a", "caller_phone": "+14155550142", "summary": "One"});
        let id = client.write_call(write).await["id"].as_str().expect("an id").to_owned();
        let contact = client.data("/v1/contacts").await[0]["id"].as_str().expect("an id").to_owned();
        let lead = client.data("/v1/leads").await[0]["id"].as_str().expect("an id").to_owned();
        for path in
            [format!("/v1/calls/{id}"), format!("/v1/contacts/{contact}"), format!("/v1/leads/{lead}")]
        {
            let tag = client.get(&path).await.header("etag").to_owned();
            assert!(tag.starts_with("W/\""), "{tag}");
            for asked in [&tag, tag.trim_start_matches("W/"), "*", &format!("\"x\", {tag}")] {
                let same = client.get_with(&path, &[("if-none-match", asked)]).await;
                assert_eq!((same.status.as_u16(), same.bytes.len()), (304, 0), "{asked}");
                assert_eq!(same.header("etag"), tag);
                assert!(same.header("x-request-id").starts_with("req_"));
            }
            let other = client.get_with(&path, &[("if-none-match", "\"x\"")]).await;
            assert_eq!(other.status, 200);
        }
        let path = format!("/v1/calls/{id}");
        let tag = client.get(&path).await.header("etag").to_owned();
        client.write_call(json!({"external_id": "a", "summary": "Two"})).await;
        let changed = client.get_with(&path, &[("if-none-match", &tag)]).await;
        assert_eq!(changed.status, 200, "it changed within the same microsecond of the clock");
        assert_ne!(changed.header("etag"), tag);
    });
}

#[test]
fn every_answer_tells_the_id_of_its_request() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let mut seen = std::collections::BTreeSet::new();
        for path in ["/v1/calls", "/v1/nothing", "/nothing", "/healthz", "/v1/calls?limit=0"] {
            for client in [app.key(&org), app.anon()] {
                let answer = client.get(path).await;
                let id = answer.json()["meta"]["request_id"].as_str().expect("an id").to_owned();
                assert_eq!(answer.header("x-request-id"), id, "{path}");
                assert!(seen.insert(id), "an id came twice");
                assert_eq!(answer.json()["meta"]["timestamp"], "2026-02-24T21:00:00.000Z");
            }
        }
    });
}

#[test]
fn the_server_says_whether_it_is_well() {
    on_both(async |app| {
        for path in ["/healthz", "/readyz"] {
            let answer = app.anon().get(path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["data"].to_string().as_str()),
                (200, r#"{"status":"ok"}"#)
            );
        }
    });
}
