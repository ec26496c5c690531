//! Restricted keys: each operation needs one scope, and without it is refused.

use http::Method;
use insta::assert_snapshot;
use model::{ApiKey, Scope, Scopes};
use serde_json::{Value, json};
use store::NewKey;

use crate::support::{Org, Setup, on_both, on_both_with};

/// Every operation under `/v1`, with the scopes that the description names for it.
fn operations() -> Vec<(Method, String, Vec<String>)> {
    let document = api::openapi::document();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            if !path.starts_with("/v1/") {
                continue;
            }
            let roles = operation["security"][0]["api_key"].as_array().cloned().unwrap_or_default();
            let roles = roles.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            all.push((method.to_uppercase().parse().expect("a method"), path.clone(), roles));
        }
    }
    all
}

async fn key_with(org: &Org, scopes: Scopes) -> ApiKey {
    let new = NewKey { name: "restricted".into(), expires_at: None, rate_limit: None, scopes };
    org.records.create_key(new).await.expect("a key").1
}

/// A new operation stands here with its scope, or the test fails: somebody has decided.
#[test]
fn every_operation_names_the_scope_that_it_needs() {
    let listed = operations().into_iter().map(|(method, path, roles)| {
        format!("{}: {method} {path}", if roles.is_empty() { "UNDECIDED".into() } else { roles.join(" ") })
    });
    let mut listed: Vec<_> = listed.collect();
    listed.sort();
    assert_snapshot!(listed.join("\n"), @"
    calls:write: DELETE /v1/calls/{id}/recording
    calls:write: PATCH /v1/calls/{id}
    calls:write: POST /v1/calls
    calls:write: POST /v1/calls/{id}/recording/fetch
    read: GET /v1/agenda
    read: GET /v1/appointments
    read: GET /v1/appointments/{id}
    read: GET /v1/appointments/{id}/provenance
    read: GET /v1/assistants
    read: GET /v1/blocked-numbers
    read: GET /v1/blocked-numbers/{id}
    read: GET /v1/calendar-feeds
    read: GET /v1/calendar-feeds/{id}
    read: GET /v1/calls
    read: GET /v1/calls/{id}
    read: GET /v1/calls/{id}/recording
    read: GET /v1/contacts
    read: GET /v1/contacts/{id}
    read: GET /v1/contacts/{id}/erasable
    read: GET /v1/contacts/{id}/export
    read: GET /v1/erasures/{id}
    read: GET /v1/event-types
    read: GET /v1/event-types/{type}
    read: GET /v1/event-types/{type}/samples
    read: GET /v1/events
    read: GET /v1/events/stream
    read: GET /v1/export/appointments
    read: GET /v1/export/assistants
    read: GET /v1/export/blocked-numbers
    read: GET /v1/export/calls
    read: GET /v1/export/contacts
    read: GET /v1/export/events
    read: GET /v1/export/leads
    read: GET /v1/leads
    read: GET /v1/leads/{id}
    read: GET /v1/leads/{id}/provenance
    records:write: DELETE /v1/appointments/{id}
    records:write: DELETE /v1/blocked-numbers/{id}
    records:write: DELETE /v1/calendar-feeds/{id}
    records:write: DELETE /v1/contacts/{id}
    records:write: DELETE /v1/leads/{id}
    records:write: PATCH /v1/appointments/{id}
    records:write: PATCH /v1/contacts/{id}
    records:write: PATCH /v1/leads/{id}
    records:write: POST /v1/appointments
    records:write: POST /v1/blocked-numbers
    records:write: POST /v1/calendar-feeds
    records:write: POST /v1/contacts
    records:write: POST /v1/contacts/{id}/erase
    records:write: POST /v1/contacts/{id}/merge
    records:write: POST /v1/leads
    sources:read: GET /v1/export/gaps
    sources:read: GET /v1/export/messages
    sources:read: GET /v1/export/sources
    sources:read: GET /v1/sources
    sources:read: GET /v1/sources/{id}
    sources:read: GET /v1/sources/{id}/events
    sources:read: GET /v1/sources/{id}/events/{event_id}
    sources:read: GET /v1/sources/{id}/gaps
    sources:read: GET /v1/sources/{id}/imports
    sources:read: GET /v1/sources/{id}/imports/{import_id}
    sources:read: GET /v1/sources/{id}/reconciler
    sources:write: DELETE /v1/sources/{id}
    sources:write: PATCH /v1/sources/{id}
    sources:write: POST /v1/sources
    sources:write: POST /v1/sources/preview
    sources:write: POST /v1/sources/{id}/events/{event_id}/reprocess
    sources:write: POST /v1/sources/{id}/forwards
    sources:write: POST /v1/sources/{id}/imports
    sources:write: POST /v1/sources/{id}/imports/{import_id}/pause
    sources:write: POST /v1/sources/{id}/imports/{import_id}/resume
    sources:write: POST /v1/sources/{id}/reprocess
    sources:write: POST /v1/sources/{id}/rotate-secret
    webhooks:read: GET /v1/deliveries
    webhooks:read: GET /v1/deliveries/{id}
    webhooks:read: GET /v1/export/webhooks
    webhooks:read: GET /v1/recoveries/{id}
    webhooks:read: GET /v1/signing-key
    webhooks:read: GET /v1/webhooks
    webhooks:read: GET /v1/webhooks/{id}
    webhooks:read: GET /v1/webhooks/{id}/missed
    webhooks:read: GET /v1/webhooks/{id}/recoverable
    webhooks:write: DELETE /v1/webhooks/{id}
    webhooks:write: PATCH /v1/webhooks/{id}
    webhooks:write: POST /v1/deliveries/{id}/resend
    webhooks:write: POST /v1/event-types/{type}/trigger
    webhooks:write: POST /v1/signing-key/rotate
    webhooks:write: POST /v1/webhooks
    webhooks:write: POST /v1/webhooks/test
    webhooks:write: POST /v1/webhooks/{id}/recover
    webhooks:write: POST /v1/webhooks/{id}/rotate-secret
    webhooks:write: POST /v1/webhooks/{id}/test
    ");
}

#[test]
fn a_restricted_key_is_refused_without_the_scope_and_let_through_with_it() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        // Else the stream would have no end.
        app.streams.close();
        let mut keys = Vec::new();
        for scope in Scope::ALL {
            keys.push((scope, key_with(&org, Scopes::Only(vec![scope])).await));
        }
        for (method, path, roles) in operations() {
            let needed = Scope::parse(&roles[0]).expect("a scope");
            let path = path.replace("{id}", "0197a3c4-0000-7000-8000-00000000dead");
            let path = path.replace("{event_id}", "0197a3c4-0000-7000-8000-00000000beef");
            let path = path.replace("{import_id}", "0197a3c4-0000-7000-8000-00000000beef");
            for (scope, key) in &keys {
                let headers = [("content-type", "application/json")];
                let answer =
                    app.bearer(key.reveal()).send(method.clone(), &path, &headers, b"5".to_vec()).await;
                if Scopes::Only(vec![*scope]).allow(needed) {
                    assert_ne!(answer.status, 403, "{method} {path} with {}", scope.as_str());
                    continue;
                }
                let told = "403 forbidden: This API key is restricted and has not the scope";
                assert_eq!(answer.error(), format!("{told} `{}`", needed.as_str()), "{method} {path}");
                assert_eq!(
                    answer.header("www-authenticate"),
                    format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", needed.as_str())
                );
            }
        }
        assert_eq!(app.key(&org).data("/v1/calls").await, json!([]), "and nothing was written");
    });
}

#[test]
fn a_restricted_key_is_counted_and_what_is_not_there_is_still_not_found() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let key = key_with(&org, Scopes::Only(vec![Scope::CallsWrite])).await;
        let client = app.bearer(key.reveal());
        let refused = client.get("/v1/calls").await;
        assert_eq!((refused.status.as_u16(), refused.header("x-ratelimit-remaining")), (403, "59"));
        assert_eq!(client.get("/v1/nothing").await.status, 404);
        assert_eq!(client.post("/v1/calls", &json!({"summary": "Mine"})).await.status, 201);
        // HEAD is GET.
        let head = client.send(Method::HEAD, "/v1/calls", &[], Vec::new()).await;
        assert_eq!(head.status, 403);
    });
}

#[test]
fn a_key_without_a_word_on_scopes_may_do_everything() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let listed = org.records.list_keys().await.expect("a list");
        assert_eq!(listed[0].scopes, Scopes::All);
        key_with(&org, Scopes::parse_list("read,sources:write").expect("scopes")).await;
        let mut listed: Vec<_> = org
            .records
            .list_keys()
            .await
            .expect("a list")
            .into_iter()
            .map(|key| key.scopes.words())
            .collect();
        listed.sort();
        assert_eq!(listed, [vec!["all"], vec!["read", "sources:write"]]);
        let key = key_with(&org, Scopes::All).await;
        assert_eq!(app.bearer(key.reveal()).get("/v1/calls").await.status, 200);
    });
}
