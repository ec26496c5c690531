//! Nobody sees another's data: a walk over every operation that the description has.

use std::{collections::BTreeMap, time::Duration};

use http::Method;
use model::{Platform, Scopes};
use serde_json::{Value, json};
use store::{NewKey, Written};

use crate::support::{Org, Receiver, Setup, TestApp, booking, on_both_with, report};

/// How an operation is walked.
enum Row {
    /// A record by id: another organization's is not found.
    Record(&'static str),
    /// A record by id, with a body that is right for any.
    Change(&'static str, fn() -> Value),
    /// A list: another organization's records are not in it.
    List,
    /// An export: another organization's records are not in it.
    Export,
    /// It writes: what is written is the caller's own, even with another organization's names for things.
    Write(fn() -> Value),
    /// It answers from what it is sent and reads no records.
    Pure,
    /// Not under `/v1`: a key has no meaning there.
    Open,
}

/// An id that nothing has.
const NOBODY_S: &str = "0197a3c4-0000-7000-8000-00000000dead";

fn table() -> BTreeMap<&'static str, Row> {
    let same_name =
        || json!({"external_id": "theirs", "caller_phone": "+14155550142", "caller_name": "Mine"});
    let same_number = || json!({"phone": "+14155550198", "name": "Mine"});
    BTreeMap::from([
        ("GET /v1/calls", Row::List),
        ("POST /v1/calls", Row::Write(same_name)),
        ("GET /v1/calls/{id}", Row::Record("calls")),
        ("GET /v1/calls/{id}/recording", Row::Record("calls")),
        ("DELETE /v1/calls/{id}/recording", Row::Record("calls")),
        ("POST /v1/calls/{id}/recording/fetch", Row::Record("calls")),
        ("GET /recordings/{call_id}/{variant}", Row::Open),
        ("PATCH /v1/calls/{id}", Row::Change("calls", || json!({"notes": "Mine", "spam": true}))),
        ("GET /v1/contacts", Row::List),
        ("POST /v1/contacts", Row::Write(same_number)),
        ("GET /v1/contacts/{id}", Row::Record("contacts")),
        ("PATCH /v1/contacts/{id}", Row::Change("contacts", || json!({"name": "Mine"}))),
        ("DELETE /v1/contacts/{id}", Row::Record("contacts")),
        ("POST /v1/contacts/{id}/merge", Row::Change("contacts", || json!({"from": NOBODY_S}))),
        ("POST /v1/contacts/{id}/erase", Row::Record("contacts")),
        ("GET /v1/contacts/{id}/erasable", Row::Record("contacts")),
        ("GET /v1/contacts/{id}/export", Row::Record("contacts")),
        ("GET /v1/erasures/{id}", Row::Record("erasures")),
        ("GET /v1/leads", Row::List),
        ("POST /v1/leads", Row::Write(same_number)),
        ("GET /v1/leads/{id}", Row::Record("leads")),
        ("GET /v1/leads/{id}/provenance", Row::Record("leads")),
        ("PATCH /v1/leads/{id}", Row::Change("leads", || json!({"status": "won"}))),
        ("DELETE /v1/leads/{id}", Row::Record("leads")),
        ("GET /v1/appointments", Row::List),
        ("POST /v1/appointments", Row::Write(|| json!({"external_id": "bk_1", "status": "cancelled"}))),
        ("GET /v1/appointments/{id}", Row::Record("appointments")),
        ("GET /v1/appointments/{id}/provenance", Row::Record("appointments")),
        ("PATCH /v1/appointments/{id}", Row::Change("appointments", || json!({"status": "cancelled"}))),
        ("DELETE /v1/appointments/{id}", Row::Record("appointments")),
        ("GET /v1/agenda", Row::List),
        ("GET /v1/calendar-feeds", Row::List),
        ("POST /v1/calendar-feeds", Row::Write(|| json!({"name": "Mine"}))),
        ("GET /v1/calendar-feeds/{id}", Row::Record("calendar-feeds")),
        ("DELETE /v1/calendar-feeds/{id}", Row::Record("calendar-feeds")),
        ("GET /calendar/{file}", Row::Open),
        ("GET /v1/blocked-numbers", Row::List),
        ("POST /v1/blocked-numbers", Row::Write(|| json!({"phone": "+14155550199"}))),
        ("GET /v1/blocked-numbers/{id}", Row::Record("blocked-numbers")),
        ("DELETE /v1/blocked-numbers/{id}", Row::Record("blocked-numbers")),
        ("GET /v1/assistants", Row::List),
        ("GET /v1/sources", Row::List),
        ("POST /v1/sources", Row::Write(|| json!({"platform": "vapi", "name": "theirs"}))),
        ("POST /v1/sources/preview", Row::Pure),
        ("GET /v1/sources/{id}", Row::Record("sources")),
        ("PATCH /v1/sources/{id}", Row::Record("sources")),
        ("DELETE /v1/sources/{id}", Row::Record("sources")),
        ("POST /v1/sources/{id}/rotate-secret", Row::Record("sources")),
        (
            "POST /v1/sources/{id}/forwards",
            Row::Change("sources", || json!({"url": "https://hooks.example.com/theirs"})),
        ),
        ("GET /v1/sources/{id}/events", Row::Record("sources")),
        ("GET /v1/sources/{id}/events/{event_id}", Row::Record("sources")),
        ("POST /v1/sources/{id}/events/{event_id}/reprocess", Row::Record("sources")),
        ("POST /v1/sources/{id}/reprocess", Row::Record("sources")),
        ("GET /v1/webhooks", Row::List),
        (
            "POST /v1/webhooks",
            Row::Write(|| json!({"url": "https://hooks.example.com/theirs", "events": ["all"]})),
        ),
        ("POST /v1/webhooks/test", Row::Pure),
        ("GET /v1/webhooks/{id}", Row::Record("webhooks")),
        ("PATCH /v1/webhooks/{id}", Row::Record("webhooks")),
        ("DELETE /v1/webhooks/{id}", Row::Record("webhooks")),
        ("POST /v1/webhooks/{id}/rotate-secret", Row::Record("webhooks")),
        ("POST /v1/webhooks/{id}/test", Row::Record("webhooks")),
        ("GET /v1/webhooks/{id}/missed", Row::Record("webhooks")),
        ("GET /v1/webhooks/{id}/recoverable", Row::Record("webhooks")),
        ("POST /v1/webhooks/{id}/recover", Row::Record("webhooks")),
        ("GET /v1/recoveries/{id}", Row::Record("recoveries")),
        // That each organization has its own is in `signing_key.rs`.
        ("GET /v1/signing-key", Row::Pure),
        ("POST /v1/signing-key/rotate", Row::Pure),
        ("GET /v1/deliveries", Row::List),
        ("GET /v1/deliveries/{id}", Row::Record("deliveries")),
        ("POST /v1/deliveries/{id}/resend", Row::Record("deliveries")),
        ("GET /v1/events", Row::List),
        // What it tells of whom is in `streams.rs`.
        ("GET /v1/events/stream", Row::Pure),
        ("GET /v1/event-types", Row::Pure),
        ("GET /v1/event-types/{type}", Row::Pure),
        // That they are the caller's own, and who is told, is in `events.rs`.
        ("GET /v1/event-types/{type}/samples", Row::Pure),
        ("POST /v1/event-types/{type}/trigger", Row::Pure),
        ("GET /v1/sources/{id}/imports", Row::Record("sources")),
        ("POST /v1/sources/{id}/imports", Row::Record("sources")),
        ("GET /v1/sources/{id}/imports/{import_id}", Row::Record("sources")),
        ("POST /v1/sources/{id}/imports/{import_id}/pause", Row::Record("sources")),
        ("POST /v1/sources/{id}/imports/{import_id}/resume", Row::Record("sources")),
        ("GET /v1/sources/{id}/gaps", Row::Record("sources")),
        ("GET /v1/sources/{id}/reconciler", Row::Record("sources")),
        ("GET /v1/export/calls", Row::Export),
        ("GET /v1/export/contacts", Row::Export),
        ("GET /v1/export/leads", Row::Export),
        ("GET /v1/export/appointments", Row::Export),
        ("GET /v1/export/assistants", Row::Export),
        ("GET /v1/export/events", Row::Export),
        ("GET /v1/export/sources", Row::Export),
        ("GET /v1/export/messages", Row::Export),
        ("GET /v1/export/blocked-numbers", Row::Export),
        ("GET /v1/export/webhooks", Row::Export),
        ("GET /v1/export/gaps", Row::Export),
        ("POST /ingest/{platform}/{source_id}", Row::Open),
        ("POST /ingest/{platform}/{source_id}/{secret}", Row::Open),
        ("GET /healthz", Row::Open),
        ("GET /readyz", Row::Open),
    ])
}

fn operations() -> Vec<(String, Method, String)> {
    let document = api::openapi::document();
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        let methods =
            ["get", "post", "put", "patch", "delete"].into_iter().filter(|method| item.get(method).is_some());
        methods.map(move |method| {
            let method: Method = method.to_uppercase().parse().expect("a method");
            (format!("{method} {path}"), method, path.clone())
        })
    });
    each.collect()
}

/// An organization with one record of every kind.
async fn org_with_everything(app: &TestApp, name: &str) -> (Org, BTreeMap<&'static str, String>) {
    let org = app.org(name).await;
    let source = org.source(Platform::Vapi).await;
    org.endpoint(&Receiver::start().await.url("/")).await;
    let client = app.key(&org);
    client
        .write_call(
            json!({"external_id": "forgotten", "caller_phone": "+14155550149", "status": "completed"}),
        )
        .await;
    let person = client.data("/v1/contacts").await[0]["id"].as_str().expect("an id").to_owned();
    let erasure = client.post(&format!("/v1/contacts/{person}/erase"), &json!({})).await.json();
    source.accept(app, &report("theirs", json!("+14155550142"), booking())).await;
    client.write_call(json!({"external_id": "theirs", "summary": "Written"})).await;
    let mut ids = BTreeMap::new();
    client.made("/v1/contacts", json!({"phone": "+14155550198"})).await;
    client.made("/v1/blocked-numbers", json!({"phone": "+14155550199"})).await;
    client.made("/v1/calendar-feeds", json!({"name": "Theirs"})).await;
    let kinds = [
        "calls",
        "contacts",
        "leads",
        "appointments",
        "blocked-numbers",
        "calendar-feeds",
        "sources",
        "webhooks",
        "deliveries",
    ];
    for kind in kinds {
        let list = client.data(&format!("/v1/{kind}")).await;
        ids.insert(kind, list[0]["id"].as_str().unwrap_or_else(|| panic!("a record in {kind}")).to_owned());
    }
    let recover = format!("/v1/webhooks/{}/recover", ids["webhooks"]);
    let recovery = client.made(&recover, json!({})).await;
    ids.insert("recoveries", recovery["id"].as_str().expect("a recovery").to_owned());
    let events = client.data(&format!("/v1/sources/{}/events", ids["sources"])).await;
    ids.insert("events", events[0]["id"].as_str().expect("an event").to_owned());
    let source = ids["sources"].parse().expect("a source's id");
    let time = (app.now(), app.now() + Duration::from_secs(1));
    let import = org.records.start_import(source, time, None, |import| import.id.to_string()).await;
    let Ok(Written::Done { data, .. }) = import else { panic!("an import") };
    ids.insert("imports", data);
    app.reconciler.wake();
    ids.insert("erasures", erasure["data"]["id"].as_str().expect("an erasure").to_owned());
    (org, ids)
}

#[test]
fn every_operation_has_a_row_in_the_walk() {
    let documented: Vec<_> = operations().into_iter().map(|(name, ..)| name).collect();
    let table = table();
    let without_row: Vec<_> = documented.iter().filter(|name| !table.contains_key(name.as_str())).collect();
    assert!(without_row.is_empty(), "new operations need a row in `table` above: {without_row:?}");
    let gone: Vec<_> = table.keys().filter(|name| !documented.iter().any(|known| known == *name)).collect();
    assert!(gone.is_empty(), "rows without an operation: {gone:?}");
}

#[test]
fn no_operation_answers_without_a_good_key() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, ids) = org_with_everything(app, "Theirs").await;
        let key = async |expires_at| {
            let new = NewKey { name: "walk".into(), expires_at, rate_limit: None, scopes: Scopes::All };
            org.records.create_key(new).await.expect("a key")
        };
        let ((revoked, revoked_key), (_, expired_key)) = (key(None).await, key(Some(app.now())).await);
        app.store.revoke_key(revoked.id).await.expect("a write");
        let table = table();
        for (name, method, path) in operations() {
            let row = &table[name.as_str()];
            if matches!(row, Row::Open) {
                continue;
            }
            assert!(path.starts_with("/v1/"), "{name} is open only if it is not under /v1");
            let path = match row {
                Row::Record(kind) | Row::Change(kind, _) => path
                    .replace("{id}", &ids[kind])
                    .replace("{event_id}", &ids["events"])
                    .replace("{import_id}", &ids["imports"]),
                _ => path,
            };
            for client in [app.anon(), app.bearer(revoked_key.reveal()), app.bearer(expired_key.reveal())] {
                let body = b"{}".to_vec();
                let answer =
                    client.send(method.clone(), &path, &[("content-type", "application/json")], body).await;
                assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthorized"), "{name}");
                // Not so many failures in a minute that the limit speaks instead.
                app.clock.advance(Duration::from_secs(20));
            }
        }
        assert_eq!(
            app.key(&org).data("/v1/calls").await.as_array().map(Vec::len),
            Some(3),
            "and nothing was written"
        );
    });
}

#[test]
fn no_operation_shows_or_changes_another_organization_s_records() {
    on_both_with(Setup::unhurried(), async |app| {
        let (theirs, their_ids) = org_with_everything(app, "Theirs").await;
        let mine = app.org("Mine").await;
        let (client, table) = (app.key(&mine), table());
        let before = everything(app, &theirs).await;
        // Writes come last, so that the lists before them are empty.
        let mut operations = operations();
        operations.sort_by_key(|(name, ..)| matches!(table[name.as_str()], Row::Write(_)));
        for (name, method, path) in operations {
            match &table[name.as_str()] {
                row @ (Row::Record(kind) | Row::Change(kind, _)) => {
                    let path = path.replace("{id}", &their_ids[kind]);
                    let path = path.replace("{event_id}", &their_ids["events"]);
                    let path = path.replace("{import_id}", &their_ids["imports"]);
                    let body = if let Row::Change(_, body) = row { body() } else { json!({}) };
                    let (json, body) =
                        ([("content-type", "application/json")], body.to_string().into_bytes());
                    let (their, none) = (
                        client.send(method.clone(), &path, &json, body.clone()).await,
                        path.replace(&their_ids[kind], NOBODY_S),
                    );
                    let nobody_s = client.send(method, &none, &json, body).await;
                    assert_eq!(
                        their.error(),
                        nobody_s.error(),
                        "{name} must not tell that the id is somebody's"
                    );
                    assert_eq!(their.status, 404, "{name}");
                }
                Row::List => {
                    for filter in ["", "?q=boiler", "?phone=%2B14155550142", "?since=2000-01-01T00:00:00Z"] {
                        let answer = client.get(&format!("{path}{filter}")).await;
                        if answer.status == 200 {
                            assert_eq!(answer.json()["data"], json!([]), "{name}{filter}");
                        }
                    }
                }
                Row::Export => {
                    let answer = client.get(&path).await;
                    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0), "{name}");
                }
                Row::Write(body) => {
                    let answer = client.post(&path, &body()).await;
                    assert_eq!(answer.status, 201, "{name} must not find the other's: {}", answer.shown());
                    assert_eq!(everything(app, &theirs).await, before, "{name}");
                }
                Row::Pure | Row::Open => {}
            }
        }
        assert_eq!(everything(app, &theirs).await, before);
    });
}

#[test]
fn no_field_can_name_another_organization_s_records() {
    on_both_with(Setup::unhurried(), async |app| {
        let (theirs, their_ids) = org_with_everything(app, "Theirs").await;
        let (mine, my_ids) = org_with_everything(app, "Mine").await;
        let (client, before) = (app.key(&mine), everything(app, &theirs).await);
        let own = everything(app, &mine).await;
        let merge = format!("/v1/contacts/{}/merge", my_ids["contacts"]);
        let lead = format!("/v1/leads/{}", my_ids["leads"]);
        let appointment = format!("/v1/appointments/{}", my_ids["appointments"]);
        for (method, path, field, kind) in [
            (Method::POST, "/v1/leads", "call_id", "calls"),
            (Method::POST, "/v1/leads", "contact_id", "contacts"),
            (Method::PATCH, &lead, "contact_id", "contacts"),
            (Method::POST, "/v1/appointments", "call_id", "calls"),
            (Method::POST, "/v1/appointments", "contact_id", "contacts"),
            (Method::POST, "/v1/appointments", "lead_id", "leads"),
            (Method::PATCH, &appointment, "contact_id", "contacts"),
            (Method::PATCH, &appointment, "lead_id", "leads"),
            (Method::POST, &merge, "from", "contacts"),
        ] {
            let mut told = Vec::new();
            for id in [their_ids[kind].as_str(), NOBODY_S] {
                let body = json!({field: id}).to_string().into_bytes();
                let headers = [("content-type", "application/json")];
                told.push(client.send(method.clone(), path, &headers, body).await.error());
            }
            let noun = kind.trim_end_matches('s');
            let expected = format!("400 bad_request: Wrong field `{field}`: there is no {noun} with this id");
            assert_eq!(told, [expected.clone(), expected], "{method} {path}");
        }
        assert_eq!((everything(app, &theirs).await, everything(app, &mine).await), (before, own));
    });
}

async fn everything(app: &TestApp, org: &Org) -> Vec<Value> {
    let mut all = Vec::new();
    for kind in [
        "calls",
        "contacts",
        "leads",
        "appointments",
        "blocked-numbers",
        "calendar-feeds",
        "assistants",
        "sources",
        "webhooks",
        "deliveries",
        "events",
    ] {
        all.push(app.key(org).data(&format!("/v1/{kind}")).await);
    }
    all
}
