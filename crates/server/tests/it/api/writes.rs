//! What all writes of single records have in common: each is carried out once, only on the version that is meant, and what
//! is wrong with one is named.

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Client, Receiver, Setup, on_both_with};

fn path(kind: &str, record: &Value) -> String {
    format!("/v1/{kind}/{}", record["id"].as_str().expect("an id"))
}

/// One record of each kind that can be changed, with something to change of it.
async fn one_of_each(client: &Client<'_>) -> Vec<(String, Value)> {
    let call = client.write_call(json!({"caller_phone": "+14155550142", "summary": "It leaks."})).await;
    let mut all = vec![(path("calls", &call), json!({"notes": "Once."}))];
    for kind in ["contacts", "leads"] {
        all.push((path(kind, &client.data(&format!("/v1/{kind}")).await[0]), json!({"notes": "Once."})));
    }
    let appointment = client.made("/v1/appointments", json!({"title": "Boiler check"})).await;
    all.push((path("appointments", &appointment), json!({"notes": "Once."})));
    all
}

#[test]
fn a_write_meant_for_another_version_changes_nothing() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let send = async |method: Method, path: &str, tag: &str, body: &Value| {
            let headers = [("content-type", "application/json"), ("if-match", tag)];
            client.send(method, path, &headers, body.to_string().into_bytes()).await
        };
        for (path, change) in one_of_each(&client).await {
            let read = client.get(&path).await;
            let first = read.header("etag").to_owned();
            let changed = send(Method::PATCH, &path, &first, &change).await;
            assert_eq!(changed.status, 200, "{path}: {}", changed.shown());
            let second = changed.header("etag").to_owned();
            assert_eq!(client.get(&path).await.header("etag"), second, "{path}: the answer has the new tag");
            for tag in [first.as_str(), "\"nothing of ours\"", "", "unquoted"] {
                for method in [Method::PATCH, Method::DELETE] {
                    if method == Method::DELETE && path.starts_with("/v1/calls/") {
                        continue;
                    }
                    let refused = send(method, &path, tag, &json!({"notes": "Twice."})).await;
                    let message = refused.error();
                    assert!(message.starts_with("412 precondition_failed: The "), "{path} {tag}: {message}");
                }
            }
            let strong = second.trim_start_matches("W/");
            for tag in [format!("{first}, {second}"), strong.to_owned(), "*".to_owned()] {
                assert_eq!(send(Method::PATCH, &path, &tag, &change).await.status, 200, "{path}: {tag}");
            }
            assert_eq!(client.data(&path).await["notes"], "Once.", "{path}");
            if !path.starts_with("/v1/calls/") {
                assert_eq!(send(Method::DELETE, &path, &second, &json!({})).await.status, 200, "{path}");
            }
        }
        let number = client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        let path = path("blocked-numbers", &number);
        let tag = client.get(&path).await.header("etag").to_owned();
        assert_eq!(send(Method::DELETE, &path, "\"1f\"", &json!({})).await.status, 412);
        assert_eq!(send(Method::DELETE, &path, &tag, &json!({})).await.status, 200);
        let both = [json!({"phone": "+14155550142"}), json!({"phone": "+14155550143"})];
        let (into, from) = (
            client.made("/v1/contacts", both[0].clone()).await,
            client.made("/v1/contacts", both[1].clone()).await,
        );
        let merge = format!("/v1/contacts/{}/merge", into["id"].as_str().expect("an id"));
        assert_eq!(send(Method::POST, &merge, "\"1f\"", &json!({"from": from["id"]})).await.status, 412);
        assert_eq!(client.data("/v1/contacts").await, json!([from, into]));
    });
}

#[test]
fn the_same_request_is_carried_out_once() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let call = client.write_call(json!({"external_id": "a", "caller_phone": "+14155550141"})).await;
        receiver.take();
        let send = async |method: &Method, path: &str, key: &str, body: &Value| {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            client.send(method.clone(), path, &headers, body.to_string().into_bytes()).await
        };
        let contact = client.made("/v1/contacts", json!({"phone": "+14155550143"})).await;
        let lead = client.made("/v1/leads", json!({"name": "Ada"})).await;
        let contact_path = path("contacts", &contact);
        let cases = [
            (Method::POST, "/v1/contacts", json!({"phone": "+14155550142"}), json!({"name": "Ada"})),
            (
                Method::POST,
                "/v1/leads",
                json!({"call_id": call["id"], "intent": "Repair"}),
                json!({"name": "Ada"}),
            ),
            (Method::POST, "/v1/appointments", json!({"call_id": call["id"]}), json!({"title": "A"})),
            (
                Method::POST,
                "/v1/blocked-numbers",
                json!({"phone": "+14155550199"}),
                json!({"phone": "+14155550198"}),
            ),
            (Method::PATCH, contact_path.as_str(), json!({"notes": "Once."}), json!({"notes": "Twice."})),
            (Method::DELETE, &path("leads", &lead), json!({}), Value::Null),
        ];
        for (number, (method, path, body, other)) in cases.iter().enumerate() {
            let key = format!("key-{number}");
            let first = send(method, path, &key, body).await;
            assert!(first.status.is_success(), "{method} {path}: {}", first.shown());
            let again = send(method, path, &key, body).await;
            assert_eq!(
                (again.status, &again.json()["data"]),
                (first.status, &first.json()["data"]),
                "{method} {path}"
            );
            assert_eq!(
                (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
                ("", "true")
            );
            assert_eq!(again.header("etag"), first.header("etag"));
            if !other.is_null() {
                assert_eq!(send(method, path, &key, other).await.code(), "conflict", "{method} {path}");
            }
        }
        let elsewhere =
            send(&Method::PATCH, &path("calls", &call), "key-4", &json!({"notes": "Once."})).await;
        assert_eq!(elsewhere.code(), "conflict", "a key is good for one request to one address");
        assert_eq!(receiver.take_events(), ["appointment.booked", "lead.created"]);
        for (kind, count) in [("contacts", 3), ("leads", 1), ("appointments", 1), ("blocked-numbers", 1)] {
            assert_eq!(
                client.data(&format!("/v1/{kind}")).await.as_array().map(Vec::len),
                Some(count),
                "{kind}"
            );
        }
        // What was refused was not carried out, so it can be tried again.
        let taken = json!({"phone": "+14155550143"});
        assert_eq!(send(&Method::POST, "/v1/contacts", "key-9", &taken).await.status, 409);
        client.delete(&contact_path).await;
        assert_eq!(send(&Method::POST, "/v1/contacts", "key-9", &taken).await.status, 201);
    });
}

#[test]
fn what_is_wrong_with_a_write_is_named() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let appointment = client.made("/v1/appointments", json!({"starts_at": "2026-03-04T10:00:00Z"})).await;
        let long = "x".repeat(501);
        let many: Vec<String> = (0..51).map(|number| number.to_string()).collect();
        let cases = [
            ("/v1/contacts", json!({"nmae": "Robin"})),
            ("/v1/contacts", json!({"name": long})),
            ("/v1/contacts", json!({"phone": "4155550142"})),
            ("/v1/contacts", json!({"other_phones": ["+14155550142", "911"]})),
            ("/v1/contacts", json!({"email": "nobody"})),
            ("/v1/contacts", json!({"tags": ["vip", ""]})),
            ("/v1/contacts", json!({"tags": many})),
            ("/v1/contacts", json!({"call_count": 5})),
            ("/v1/contacts?notify=true", json!({})),
            ("/v1/leads", json!({"status": "closed"})),
            ("/v1/leads", json!({"urgency": "extreme"})),
            ("/v1/leads", json!({"call_id": "a"})),
            ("/v1/appointments", json!({"time_zone": "Moon/Tycho"})),
            ("/v1/appointments", json!({"starts_at": "tomorrow"})),
            (
                "/v1/appointments",
                json!({"starts_at": "2026-03-04T10:00:00Z", "ends_at": "2026-03-04T09:00:00Z"}),
            ),
            ("/v1/blocked-numbers", json!({})),
            ("/v1/blocked-numbers", json!({"phone": "anonymous"})),
        ];
        let mut told = Vec::new();
        for (path, body) in cases {
            let error = client.post(path, &body).await.error();
            told.push(format!("{path} {error}"));
        }
        let path = path("appointments", &appointment);
        for body in
            [json!({"ends_at": "2026-03-04T09:00:00Z"}), json!({"status": null}), json!({"call_id": null})]
        {
            told.push(format!("{body} {}", client.patch(&path, &body).await.error()));
        }
        let headers = [("content-type", "application/json"), ("idempotency-key", "a b")];
        told.push(client.send(Method::POST, "/v1/leads", &headers, b"{}".to_vec()).await.error());
        let told: Vec<_> = told.into_iter().map(|line| line.replace(" at line 1 column", " at")).collect();
        assert_snapshot!(told.join("\n"), @r#"
        /v1/contacts 400 bad_request: Wrong field: unknown field `nmae`, expected one of `name`, `phone`, `other_phones`, `email`, `company`, `notes`, `tags` at 7
        /v1/contacts 400 bad_request: Wrong field `name`: must have at most 500 characters
        /v1/contacts 400 bad_request: Wrong field `phone`: must be a phone number in E.164, such as +14155550123 at 22
        /v1/contacts 400 bad_request: Wrong field `other_phones[1]`: must be a phone number in E.164, such as +14155550123 at 38
        /v1/contacts 400 bad_request: Wrong field `email`: must be an e-mail address
        /v1/contacts 400 bad_request: Wrong field `tags[1]`: must have 1 to 100 characters at 18
        /v1/contacts 400 bad_request: Wrong field `tags`: must be at most 50
        /v1/contacts 400 bad_request: Wrong field: unknown field `call_count`, expected one of `name`, `phone`, `other_phones`, `email`, `company`, `notes`, `tags` at 13
        /v1/contacts?notify=true 400 bad_request: Wrong query parameter: unknown field `notify`, there are no fields
        /v1/leads 400 bad_request: Wrong field `status`: unknown variant `closed`, expected one of `new`, `contacted`, `qualified`, `won`, `lost` at 18
        /v1/leads 400 bad_request: Wrong field `urgency`: unknown variant `extreme`, expected one of `low`, `medium`, `high` at 20
        /v1/leads 400 bad_request: Wrong field `call_id`: UUID parsing failed: invalid length: found 1 at 14
        /v1/appointments 400 bad_request: Wrong field `time_zone`: must be the name of a time zone, such as America/Los_Angeles
        /v1/appointments 400 bad_request: Wrong field `starts_at`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z at 24
        /v1/appointments 400 bad_request: Wrong field `ends_at`: the appointment would end before it begins
        /v1/blocked-numbers 400 bad_request: Wrong field: missing field `phone` at 2
        /v1/blocked-numbers 400 bad_request: Wrong field `phone`: must be a phone number in E.164, such as +14155550123 at 21
        {"ends_at":"2026-03-04T09:00:00Z"} 400 bad_request: Wrong field `ends_at`: the appointment would end before it begins
        {"status":null} 400 bad_request: Wrong field `status`: must not be null at 15
        {"call_id":null} 400 bad_request: Wrong field: unknown field `call_id`, expected one of `contact_id`, `lead_id`, `title`, `attendee_name`, `attendee_phone`, `attendee_email`, `starts_at`, `ends_at`, `time_zone`, `location`, `notes`, `status`, `external_id` at 10
        400 bad_request: Wrong header `Idempotency-Key`: must be 1 to 255 visible ASCII characters
        "#);
        for kind in ["contacts", "leads", "blocked-numbers"] {
            assert_eq!(client.data(&format!("/v1/{kind}")).await, json!([]), "{kind}");
        }
    });
}
