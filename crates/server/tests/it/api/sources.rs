//! Sources by API: made, shown, changed, given new secrets, deleted.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{Client, Setup, TestApp, on_both, on_both_with, report};

async fn made(client: &Client<'_>, body: Value) -> Value {
    let answer = client.post("/v1/sources", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
    answer.json()["data"].take()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn path(source: &Value) -> String {
    format!("/v1/sources/{}", text(source, "id"))
}

/// Posts a report of Vapi's with a secret, at the address that the source tells; the status.
async fn post(app: &TestApp, source: &Value, secret: &str, id: &str) -> u16 {
    let address = text(source, "url").strip_prefix("http://").expect("an address without a host");
    let headers = [("content-type", "application/json"), ("x-vapi-secret", secret)];
    let body = report(id, json!("+14155550142"), json!({})).into_bytes();
    app.anon().send(http::Method::POST, address, &headers, body).await.status.as_u16()
}

#[test]
fn a_source_is_made_and_its_secret_is_shown_once() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let answer =
            client.post("/v1/sources", &json!({"platform": "vapi", "secret": "a secret of Vapi's"})).await;
        assert_snapshot!(String::from_utf8_lossy(&answer.bytes), @r#"{"data":{"id":"00000000-0000-7000-8000-000000000034","platform":"vapi","name":"vapi","url":"http:///ingest/vapi/00000000-0000-7000-8000-000000000034","settings":{},"signs_with":null,"secret_last4":"pi's","previous_secret_until":null,"created_at":"2026-02-24T21:00:00.000001Z","updated_at":"2026-02-24T21:00:00.000001Z","last_message_at":null,"platform_api":null,"secret":"a secret of Vapi's","url_with_secret":null},"meta":{"request_id":"req_00000000000070008000000000000033","timestamp":"2026-02-24T21:00:00.000Z"}}"#);
        let source = answer.json()["data"].take();
        assert_eq!(post(app, &source, "a secret of Vapi's", "c").await, 200);
        app.clock.advance(Duration::from_secs(5));
        let shown = client.get(&path(&source)).await;
        assert_snapshot!(String::from_utf8_lossy(&shown.bytes), @r#"{"data":{"id":"00000000-0000-7000-8000-000000000034","platform":"vapi","name":"vapi","url":"http:///ingest/vapi/00000000-0000-7000-8000-000000000034","settings":{},"signs_with":null,"secret_last4":"pi's","previous_secret_until":null,"created_at":"2026-02-24T21:00:00.000001Z","updated_at":"2026-02-24T21:00:00.000001Z","last_message_at":"2026-02-24T21:00:00.000Z","platform_api":null},"meta":{"request_id":"req_0000000000007000800000000000003d","timestamp":"2026-02-24T21:00:05.000Z"}}"#);
        let listed = client.get("/v1/sources").await;
        assert_eq!(listed.json()["data"], json!([shown.json()["data"]]), "and the API's own is not one");
        for answer in [&shown, &listed] {
            assert!(!String::from_utf8_lossy(&answer.bytes).contains("a secret of"), "only once");
        }
        // A made-up secret is long, and works.
        let source = made(&client, json!({"platform": "vapi", "name": "Front desk", "settings": {}})).await;
        let secret = text(&source, "secret");
        assert_eq!((secret.len(), text(&source, "name")), (48, "Front desk"));
        assert_eq!(text(&source, "secret_last4"), &secret[44..]);
        assert_eq!(post(app, &source, secret, "d").await, 200);
        assert_eq!(post(app, &source, "another", "d").await, 401);
    });
}

#[test]
fn what_a_platform_signs_with_and_where_a_secret_may_stand_is_told() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut told = Vec::new();
        for platform in Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api) {
            let secret = "a/b c%d";
            let source = made(&client, json!({"platform": platform, "secret": secret})).await;
            let in_path = source["url_with_secret"]
                .as_str()
                .map_or("-", |url| url.strip_prefix(text(&source, "url")).expect("behind the address"));
            let signs_with = source["signs_with"].as_str().unwrap_or("-");
            assert_eq!(source["secret_last4"], Value::Null, "of a short secret nothing is told");
            told.push(format!("{}: {signs_with}; {in_path}", platform.as_str()));
        }
        assert_snapshot!(told.join("\n"), @"
        vapi: -; -
        retell: your Retell API key that has the webhook badge; -
        elevenlabs: the secret that ElevenLabs shows when you make the webhook; -
        bland: the webhook secret of your Bland account (Account Settings, Keys); -
        twilio: your Twilio account's auth token; -
        livekit: the secret of your LiveKit API key; -
        telnyx: a key pair: give the public key of your Telnyx account; -
        synthflow: -; /a%2Fb%20c%25d
        custom: -; /a%2Fb%20c%25d
        ");
        // What is ours of the settings changes nothing of that.
        let with_ours = json!({"platform": "synthflow", "settings": {"recordings": {"fetch": false}}});
        assert!(made(&client, with_ours).await["url_with_secret"].is_string());
        let only_bearer = json!({"platform": "custom", "settings": {"auth": {"scheme": "bearer"}}});
        assert_eq!(made(&client, only_bearer).await["url_with_secret"], Value::Null);

        let source = made(&client, json!({"platform": "custom", "secret": "a/b c%d"})).await;
        let address = text(&source, "url_with_secret").strip_prefix("http://").expect("an address");
        let body = json!({"event": "call.completed", "call_id": "c", "status": "completed"});
        let answer = app.anon().post(address, &body).await;
        assert_eq!(answer.status, 200, "the secret is found in the address: {}", answer.shown());
    });
}

#[test]
fn the_same_request_makes_one_source() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let (body, key) = (json!({"platform": "vapi"}), [("idempotency-key", "a")]);
        let first = client.post_with("/v1/sources", &key, &body).await;
        let again = client.post_with("/v1/sources", &key, &body).await;
        assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
        assert_eq!(first.json()["data"], again.json()["data"], "with its secret");
        assert_eq!(again.header("idempotent-replayed"), "true");
        let other = client.post_with("/v1/sources", &key, &json!({"platform": "retell"})).await;
        assert_eq!((other.status.as_u16(), other.code().as_str()), (409, "conflict"));
        assert_eq!(client.data("/v1/sources").await.as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn what_is_wrong_with_a_source_is_named() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut told = Vec::new();
        for body in [
            json!({}),
            json!({"platform": "api"}),
            json!({"platform": "fax"}),
            json!({"platform": "vapi", "secret": ""}),
            json!({"platform": "vapi", "secret": " \t\u{a0}"}),
            json!({"platform": "vapi", "secret": "a".repeat(1001)}),
            json!({"platform": "vapi", "name": ""}),
            json!({"platform": "vapi", "sekret": "a"}),
            json!({"platform": "vapi", "settings": []}),
            json!({"platform": "vapi", "settings": {"auth": {"scheme": "guess"}}}),
            json!({"platform": "custom", "settings": {"call_id": "id", "status": "$.state["}}),
        ] {
            told.push(client.post("/v1/sources", &body).await.error());
        }
        assert_eq!(client.data("/v1/sources").await, json!([]), "nothing of all that was made");
        let source = made(&client, json!({"platform": "vapi"})).await;
        for body in [
            json!({"name": null}),
            json!({"secret": "  "}),
            json!({"platform": "retell"}),
            json!({"settings": {"auth": 5}}),
        ] {
            told.push(client.patch(&path(&source), &body).await.error());
        }
        let rotate = format!("{}/rotate-secret", path(&source));
        for body in
            [json!({"overlap_seconds": -1}), json!({"overlap_seconds": 604_801}), json!({"secret": ""})]
        {
            told.push(client.post(&rotate, &body).await.error());
        }
        let retell = made(&client, json!({"platform": "retell"})).await;
        told.push(client.post(&format!("{}/rotate-secret", path(&retell)), &json!({})).await.error());
        told.push(client.get("/v1/sources?platform=vapi").await.error());
        told.push(client.get("/v1/sources/5").await.error());
        assert_snapshot!(told.join("\n"), @r#"
        400 bad_request: Wrong field: missing field `platform` at line 1 column 2
        400 bad_request: Wrong field `platform`: `api` is not a platform with webhooks: there are vapi, retell, elevenlabs, bland, twilio, livekit, telnyx, synthflow, custom at line 1 column 18
        400 bad_request: Wrong field `platform`: `fax` is not a platform with webhooks: there are vapi, retell, elevenlabs, bland, twilio, livekit, telnyx, synthflow, custom at line 1 column 18
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        400 bad_request: Wrong field `name`: must have 1 to 200 characters
        400 bad_request: Wrong field: unknown field `sekret`, expected one of `platform`, `name`, `secret`, `settings`, `platform_api_key`, `platform_api_url` at line 1 column 27
        400 bad_request: Wrong field `settings`: must be an object
        400 bad_request: Wrong field `settings`: settings.auth.scheme: unknown variant `guess`, expected one of `any`, `secret`, `bearer`, `hmac`
        400 bad_request: Wrong field `settings`: settings.call_id: "id" is no path: paths begin with $
        400 bad_request: Wrong field `name`: invalid type: null, expected a string at line 1 column 12
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        400 bad_request: Wrong field: unknown field `platform`, expected one of `name`, `secret`, `settings`, `platform_api_key`, `platform_api_url` at line 1 column 11
        400 bad_request: Wrong field `settings`: settings.auth must be an object
        400 bad_request: Wrong field `overlap_seconds`: must be a whole number from 0 to 604800
        400 bad_request: Wrong field `overlap_seconds`: must be a whole number from 0 to 604800
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        409 conflict: retell signs with your Retell API key that has the webhook badge: send it as `secret`
        400 bad_request: Wrong query parameter: unknown field `platform`, expected one of `limit`, `cursor`, `since`
        404 not_found: There is no record with this id
        "#);
    });
}

#[test]
fn a_change_counts_from_the_next_message() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let source = made(&client, json!({"platform": "vapi", "secret": "the first secret"})).await;
        let before = client.get(&path(&source)).await;
        app.clock.advance(Duration::from_secs(5));
        let answer = client.patch(&path(&source), &json!({"name": "Front desk"})).await;
        let changed = answer.json()["data"].take();
        assert_eq!((answer.status.as_u16(), text(&changed, "name")), (200, "Front desk"));
        assert!(text(&changed, "updated_at") > text(&source, "updated_at"));
        assert_ne!(answer.header("etag"), before.header("etag"));
        assert_eq!(post(app, &source, "the first secret", "a").await, 200, "the rest stayed");

        let hmac = json!({"settings": {"auth": {"scheme": "hmac"}}, "secret": "the second secret"});
        let changed = client.patch(&path(&source), &hmac).await.json()["data"].take();
        assert_eq!(changed["settings"], hmac["settings"]);
        assert_eq!(
            (text(&changed, "secret_last4"), &changed["previous_secret_until"]),
            ("cret", &Value::Null)
        );
        assert_eq!(post(app, &source, "the second secret", "b").await, 401, "a keyed hash is wanted now");
        client.patch(&path(&source), &json!({"settings": null})).await;
        assert_eq!(post(app, &source, "the second secret", "b").await, 200);
        assert_eq!(post(app, &source, "the first secret", "c").await, 401, "it was replaced");
        assert_eq!(client.data(&path(&source)).await["settings"], json!({}));
    });
}

#[test]
fn a_rotated_secret_leaves_the_one_before_good_for_a_while() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let source = made(&client, json!({"platform": "vapi", "secret": "the first secret"})).await;
        let rotate = format!("{}/rotate-secret", path(&source));
        let rotated = client.post_with(&rotate, &[("idempotency-key", "r")], &json!({})).await;
        let rotated = rotated.json()["data"].take();
        let second = text(&rotated, "secret").to_owned();
        assert_eq!(text(&rotated, "previous_secret_until"), "2026-02-25T21:00:00.000Z");
        assert!(!rotated.to_string().contains("the first secret"));
        for (secret, status) in [("the first secret", 200), (&second, 200), ("another", 401)] {
            assert_eq!(post(app, &source, secret, "a").await, status, "{secret}");
        }
        // Sent again, it neither makes another secret nor pushes out the first.
        let again = client.post_with(&rotate, &[("idempotency-key", "r")], &json!({})).await;
        assert_eq!(again.json()["data"], rotated);
        client.post(&rotate, &json!({"secret": second})).await;
        app.tick(Duration::from_secs(86_399)).await;
        assert_eq!(post(app, &source, "the first secret", "b").await, 200);
        app.tick(Duration::from_secs(1)).await;
        assert_eq!(post(app, &source, "the first secret", "c").await, 401, "the day is over");
        assert_eq!(client.data(&path(&source)).await["previous_secret_until"], Value::Null);
        assert_eq!(post(app, &source, &second, "c").await, 200);

        let third = json!({"secret": "the third secret", "overlap_seconds": 0});
        let rotated = client.post(&rotate, &third).await.json()["data"].take();
        assert_eq!(rotated["previous_secret_until"], Value::Null);
        assert_eq!(post(app, &source, &second, "d").await, 401, "no overlap was wanted");
        assert_eq!(post(app, &source, "the third secret", "d").await, 200);
    });
}

#[test]
fn a_deleted_source_is_closed_and_its_calls_stay() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let source = made(&client, json!({"platform": "vapi", "secret": "the first secret"})).await;
        assert_eq!(post(app, &source, "the first secret", "a").await, 200);
        let answer = client.delete(&path(&source)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["data"], json!({"id": source["id"], "deleted": true}));
        assert_eq!(post(app, &source, "the first secret", "b").await, 404);
        assert_eq!(client.data("/v1/sources").await, json!([]));
        assert_eq!(client.data("/v1/calls").await.as_array().map(Vec::len), Some(1));
        let rotate = format!("{}/rotate-secret", path(&source));
        for answer in [
            client.get(&path(&source)).await,
            client.delete(&path(&source)).await,
            client.patch(&path(&source), &json!({"name": "x"})).await,
            client.post(&rotate, &json!({})).await,
            client.get(&format!("{}/events", path(&source))).await,
        ] {
            assert_eq!(answer.error(), "404 not_found: There is no source with this id");
        }
    });
}

#[test]
fn the_source_of_the_api_itself_is_nobody_s_to_change() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let own = org.records.api_source().await.expect("a reading").expect("a source");
        let path = format!("/v1/sources/{}", own.id);
        for answer in [
            client.get(&path).await,
            client.delete(&path).await,
            client.patch(&path, &json!({"name": "x"})).await,
        ] {
            assert_eq!(answer.status, 404, "{}", answer.shown());
        }
        client.write_call(json!({"summary": "It still takes calls"})).await;
    });
}

#[test]
fn sources_are_walked_without_repeating_or_skipping_one() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut names = Vec::new();
        for number in 0..7 {
            // Those of the command line come beside those of the API, all in the same moment.
            let name = if number % 2 == 0 {
                text(&made(&client, json!({"platform": "vapi"})).await, "id").to_owned()
            } else {
                org.source(Platform::Vapi).await.source.to_string()
            };
            names.push(name);
        }
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/v1/sources?limit=2{cursor}")).await.json();
            let ids = page["data"].as_array().expect("a list").iter();
            walked.extend(ids.map(|source| text(source, "id").to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        walked.sort();
        names.sort();
        assert_eq!(walked, names);
    });
}

#[test]
fn a_preview_tells_what_a_message_would_become_and_keeps_nothing() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let preview = async |body: Value| {
            let answer = client.post("/v1/sources/preview", &body).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
            answer.json()["data"].take()
        };
        let message = report("c", json!("+14155550142"), json!({}));
        let shown = preview(json!({"platform": "vapi", "message": message})).await;
        assert_eq!((text(&shown, "outcome"), text(&shown, "external_id")), ("accepted", "c"));
        assert_eq!(shown["changes"][0]["facts"]["caller_phone"], "+14155550142");
        let as_json: Value = serde_json::from_str(&message).expect("JSON");
        assert_eq!(preview(json!({"platform": "vapi", "message": as_json})).await, shown);
        let nothing = json!({"message": {"type": "a-new-event", "call": {"id": "c"}}});
        assert_eq!(preview(json!({"platform": "vapi", "message": nothing})).await["outcome"], "ignored");
        let unreadable = preview(json!({"platform": "vapi", "message": 5})).await;
        assert_eq!(
            (text(&unreadable, "outcome"), text(&unreadable, "reason")),
            ("failed", "message is missing")
        );

        let mapping = json!({"call_id": "$.id", "status": "completed", "fields": {"caller_phone": "$.from"}});
        let custom = json!({"platform": "custom", "settings": mapping, "message": {"id": "c", "form": "+1"}});
        let missed = preview(custom).await;
        assert_eq!(missed["missed"][0]["setting"], "settings.fields.caller_phone");
        let wrong = json!({"platform": "custom", "settings": {"call_id": "$.id["}, "message": {}});
        assert_snapshot!(client.post("/v1/sources/preview", &wrong).await.error(), @r#"400 bad_request: Wrong field `settings`: settings.call_id: "$.id[" has a [ without its ]"#);
        assert_eq!(client.data("/v1/sources").await, json!([]));
        assert_eq!(client.data("/v1/calls").await, json!([]));
    });
}

#[test]
fn a_change_is_answered_with_what_was_changed_whatever_version_the_client_knows() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let source = made(&client, json!({"platform": "vapi"})).await;
        let headers = [("content-type", "application/json"), ("if-none-match", "*")];
        let change = json!({"name": "Front desk"}).to_string().into_bytes();
        let answer = client.send(http::Method::PATCH, &path(&source), &headers, change).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["data"]["name"]), (200, &json!("Front desk")));
        let read = client.get_with(&path(&source), &[("if-none-match", "*")]).await;
        assert_eq!(read.status, 304, "who only reads is told that it is there");
    });
}
