//! What an endpoint is told beyond which events, and how: filters, redaction, forms and headers of its own.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::dashboard::{get, person, post};
use crate::support::{Client, Got, Receiver, Reply, Setup, on_both, on_both_with};

const API: &str = "http://127.0.0.1:8080";

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// A new endpoint's path, and its secret.
async fn endpoint(client: &Client<'_>, mut body: Value, url: String) -> (String, String) {
    body["url"] = json!(url);
    if body.get("events").is_none() {
        body["events"] = json!(["call.completed"]);
    }
    let made = client.made("/v1/webhooks", body).await;
    (format!("/v1/webhooks/{}", text(&made["id"])), text(&made["secret"]).to_owned())
}

/// A call that is over.
async fn over(client: &Client<'_>, id: &str, more: Value) -> Value {
    let mut call = json!({"external_id": id, "status": "completed", "caller_phone": "+14155550142",
        "summary": format!("Call {id} of +14155550142"), "transcript": "AI: Hello"});
    for (name, value) in more.as_object().expect("fields") {
        call[name] = value.clone();
    }
    client.write_call(call).await
}

/// Where webhooks went, and of which calls they told, in alphabetical order.
fn told(receiver: &Receiver) -> Vec<String> {
    let line = |got: &Got| {
        let summary = got.json()["data"]["summary"].as_str().unwrap_or_default().to_owned();
        format!("{} {}", got.path, summary.split(' ').nth(1).unwrap_or("?"))
    };
    let mut told: Vec<_> = receiver.take().iter().map(line).collect();
    told.sort();
    told
}

#[test]
fn a_filter_lets_pass_what_is_known_to_be_asked_for_and_owes_nothing_else() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let first = over(&client, "first", json!({"assistant_id": "desk"})).await;
        endpoint(&client, json!({}), receiver.url("/all")).await;
        let urgent = json!({"filters": {"urgencies": ["high"], "min_duration_seconds": 60}});
        let (urgent, _) = endpoint(&client, urgent, receiver.url("/urgent")).await;
        let desk = json!({"filters": {"assistant_ids": [first["assistant_id"]]}});
        endpoint(&client, desk, receiver.url("/desk")).await;
        for (id, more) in [
            ("a", json!({"urgency": "high", "duration_seconds": 94})),
            ("b", json!({"urgency": "low", "duration_seconds": 94, "assistant_id": "desk"})),
            ("c", json!({"urgency": "high", "duration_seconds": 59, "assistant_id": "cellar"})),
            ("d", json!({"duration_seconds": 94})),
        ] {
            over(&client, id, more).await;
        }
        assert_eq!(told(&receiver), ["/all a", "/all b", "/all c", "/all d", "/desk b", "/urgent a"]);

        let id = urgent.rsplit('/').next().expect("an id");
        let owed = client.data(&format!("/v1/deliveries?webhook_id={id}")).await;
        assert_eq!(owed.as_array().map(Vec::len), Some(1), "no delivery is made for what does not pass");
        assert_eq!(client.data(&format!("{urgent}/missed")).await.as_array().map(Vec::len), Some(1));
        let discarded = json!({"states": ["exhausted", "cancelled"]});
        assert_eq!(client.made(&format!("{urgent}/recover"), discarded).await["total"], 0);

        client.changed(&urgent, json!({"filters": null})).await;
        over(&client, "e", json!({})).await;
        assert_eq!(told(&receiver), ["/all e", "/urgent e"]);
    });
}

#[test]
fn an_event_without_a_call_passes_no_filter_and_is_not_kept_for_one() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let filters = json!({"statuses": ["completed", "in-progress"]});
        let body = json!({"events": ["*"], "filters": filters});
        let (path, _) = endpoint(&client, body, receiver.url("/")).await;
        client.made("/v1/contacts", json!({"phone": "+14155550143"})).await;
        assert!(receiver.take().is_empty());
        assert_eq!(client.data("/v1/events").await, json!([]), "what nobody asks for is not kept");

        let call = json!({"external_id": "a", "caller_phone": "+14155550142", "status": "in-progress"});
        client.write_call(call).await;
        assert_eq!(
            receiver.take_events(),
            ["call.started", "contact.created"],
            "events of a call that passes"
        );
        client.changed(&path, json!({"filters": {"statuses": ["failed"]}})).await;
        over(&client, "a", json!({})).await;
        assert!(receiver.take().is_empty());
        let kept = client.data("/v1/events?type=call.completed,call.updated,contact.updated").await;
        let kept: Vec<_> = kept.as_array().expect("a list").iter().map(|event| &event["event"]).collect();
        assert_eq!(kept, ["call.completed"], "the documented ones are kept whoever is told");
    });
}

#[test]
fn a_sample_passes_by_what_it_says_and_a_test_says_what_passes() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let filters = json!({"urgencies": ["low"], "max_duration_seconds": 30});
        let (path, secret) = endpoint(&client, json!({"filters": filters}), receiver.url("/")).await;
        for (set, deliveries) in [
            (json!({}), 0),
            (json!({"urgency": "low"}), 0),
            (json!({"urgency": "low", "duration_seconds": 9}), 1),
        ] {
            let told = client.made("/v1/event-types/call.completed/trigger", json!({"set": set})).await;
            assert_eq!(told["deliveries"], deliveries, "{set}");
        }
        receiver.take();
        let body = json!({"url": receiver.url("/"), "secret": secret, "filters": filters});
        for test in [(format!("{path}/test"), json!({})), ("/v1/webhooks/test".to_owned(), body)] {
            assert_eq!(client.post(&test.0, &test.1).await.json()["data"]["delivered"], true);
            let got = receiver.take().pop().expect("a test");
            got.verify(&secret);
            let data = &got.json()["data"];
            assert_eq!(
                (&data["urgency"], &data["duration_seconds"]),
                (&json!("low"), &json!(30)),
                "{}",
                test.0
            );
        }
    });
}

#[test]
fn what_is_redacted_leaves_the_log_whole_and_each_try_shows_what_it_sent() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let body = json!({"redact": ["phone", "transcript", "recording"], "format": "standard"});
        let (path, secret) = endpoint(&client, body, receiver.url("/")).await;
        let call = over(&client, "a", json!({"recording_url": "https://recordings.example.com/a.wav"})).await;
        let first = receiver.take().pop().expect("a webhook");
        first.verify(&secret);
        let (json, call) = (first.json(), text(&call["id"]).to_owned());
        assert_eq!((&json["type"], &json["event"]), (&json!("call.completed"), &json!("call.completed")));
        assert_eq!(
            (&json["data"]["caller_phone"], &json["data"]["transcript"], &json["data"]["recording_url"]),
            (&json!("+*********42"), &Value::Null, &Value::Null)
        );
        assert_eq!(json["data"]["summary"], "Call a of +14155550142", "numbers in texts are not looked for");
        let logged = client.data("/v1/events").await[0].take();
        assert_eq!(
            (&logged["data"]["caller_phone"], &logged["data"]["transcript"]),
            (&json!("+14155550142"), &json!("AI: Hello"))
        );

        client.changed(&path, json!({"redact": [], "format": "thin"})).await;
        let delivery = text(&json["delivery_id"]).to_owned();
        client.post(&format!("/v1/deliveries/{delivery}/resend"), &json!({})).await;
        let second = receiver.take().pop().expect("a webhook");
        second.verify(&secret);
        assert_eq!(second.json()["data"], json!({"call_id": call}));
        assert_eq!(second.json()["api_url"], format!("{API}/v1/calls/{call}"));
        let shown = client.data(&format!("/v1/deliveries/{delivery}")).await;
        let bodies = |attempt: usize| text(&shown["attempts"][attempt]["request"]["body"]).to_owned();
        assert_eq!((bodies(0), bodies(1)), (first.body.clone(), second.body.clone()), "byte for byte");
        let missed = client.data(&format!("{path}/missed")).await[0]["body"].to_string();
        assert_eq!(missed, second.body, "what was missed is told as the endpoint is told now");

        client.changed(&path, json!({"format": "inboundflow"})).await;
        client.post(&format!("/v1/deliveries/{delivery}/resend"), &json!({})).await;
        let third = receiver.take().pop().expect("a webhook");
        let shown = client.data(&format!("/v1/deliveries/{delivery}")).await;
        assert_eq!(text(&shown["attempts"][2]["request"]["body"]), third.body);
        assert_eq!(third.json()["data"]["transcript"], "AI: Hello");
        assert_eq!(third.json().get("type"), None);
    });
}

#[test]
fn a_body_that_is_too_long_says_what_it_lacks_and_where_that_is() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let (path, secret) = endpoint(&client, json!({}), receiver.url("/")).await;
        let transcript = vec!["A: hello"; 40_000].join("\n");
        let call = over(&client, "a", json!({"transcript": transcript})).await;
        let got = receiver.take().pop().expect("a webhook");
        got.verify(&secret);
        assert!(got.body.len() < 2000, "{}", got.body.len());
        let json = got.json();
        assert_eq!(
            (&json["data"]["transcript"], &json["truncated_fields"]),
            (&Value::Null, &json!(["transcript"]))
        );
        let rest = text(&json["api_url"]).strip_prefix(API).expect("an address of the API").to_owned();
        assert_eq!(client.data(&rest).await["transcript"].as_str().map(str::len), Some(transcript.len()));
        assert_eq!(json["data"]["call_id"], call["id"]);
        let shown = client.data(&format!("/v1/deliveries/{}", text(&json["delivery_id"]))).await;
        assert_eq!(text(&shown["attempts"][0]["request"]["body"]), got.body);
        assert_eq!(client.data(&format!("{path}/missed")).await[0]["body"].to_string(), got.body);
        let logged = client.data("/v1/events").await[0]["data"]["transcript"].as_str().map(str::len);
        assert!(logged.is_some_and(|length| length > 300_000), "the log has all of it");
    });
}

#[test]
fn an_endpoint_s_own_headers_are_sent_and_never_shown_whole() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let key = "Bearer the-key-of-the-receiver-4711";
        let body = json!({"headers": {"Authorization": key, "X-Tenant": "blue"}});
        let (path, secret) = endpoint(&client, body, receiver.url("/")).await;
        let shown = json!({"authorization": "****4711", "x-tenant": "****"});
        assert_eq!(client.data(&path).await["headers"], shown);
        receiver.reply([Reply(500, &[])]);
        over(&client, "a", json!({})).await;
        let got = receiver.take().pop().expect("a webhook");
        got.verify(&secret);
        assert_eq!((got.header("authorization"), got.header("x-tenant")), (key, "blue"));
        client.post(&format!("{path}/test"), &json!({})).await;
        let got = receiver.take().pop().expect("a test");
        assert_eq!(got.header("authorization"), key);

        let owner = person(app, &org, model::OrgRole::Owner).await;
        let delivery = text(&client.data("/v1/deliveries").await[0]["id"]).to_owned();
        let attempts = client.data(&format!("/v1/deliveries/{delivery}")).await;
        let line = json!({"name": "authorization", "value": "****4711"});
        let headers = attempts["attempts"][0]["request"]["headers"].as_array().expect("headers");
        assert!(headers.contains(&line), "{headers:?}");
        let test = client.post(&format!("{path}/test"), &json!({})).await.json().to_string();
        let pages = [
            attempts.to_string(),
            test,
            client.data("/v1/webhooks").await.to_string(),
            client.get("/v1/export/webhooks").await.shown(),
            get(app, &format!("/deliveries/{delivery}"), &owner).await.shown(),
            get(app, &path.replace("/v1/webhooks", "/settings/integrations"), &owner).await.shown(),
        ];
        for page in pages {
            assert!(!page.contains("the-key-of"), "{page}");
        }

        // What is named is set or left out, the rest stays.
        let changed = client.changed(&path, json!({"headers": {"X-TENANT": null, "X-More": "1"}})).await;
        assert_eq!(changed["headers"], json!({"authorization": "****4711", "x-more": "****"}));
        receiver.take();
        over(&client, "b", json!({})).await;
        let got = receiver.take().pop().expect("a webhook");
        assert_eq!(
            (got.header("authorization"), got.header("x-tenant"), got.header("x-more")),
            (key, "", "1")
        );
        assert_eq!(client.changed(&path, json!({"headers": null})).await["headers"], json!({}));
        app.tick(Duration::from_secs(6)).await;
        let retried = receiver.take().pop().expect("the first one once more");
        assert_eq!(
            (retried.json()["data"]["summary"].as_str(), retried.header("authorization")),
            (Some("Call a of +14155550142"), "")
        );
    });
}

#[test]
fn what_is_wrong_with_how_an_endpoint_is_told_is_said_by_field() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let many: Value = (0..21)
            .map(|number| (format!("x-{number}"), json!("v")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut told = Vec::new();
        for field in [
            json!({"filters": {"urgencies": []}}),
            json!({"filters": {"urgencies": ["urgent"]}}),
            json!({"filters": {"min_duration_seconds": 60, "max_duration_seconds": 59}}),
            json!({"filters": {"min_duration_seconds": -1}}),
            json!({"filters": {"assistant_ids": ["0197a3c4-0000-7000-8000-00000000dead"]}}),
            json!({"filters": {"urgency": ["high"]}}),
            json!({"redact": ["email"]}),
            json!({"format": "xml"}),
            json!({"headers": {"X-InboundFlow-Event": "x"}}),
            json!({"headers": {"Host": "example.com"}}),
            json!({"headers": {"x y": "x"}}),
            json!({"headers": {"x-key": "a-secret\r\nx-more: b"}}),
            json!({"headers": {"x-key": "a", "X-Key": "b"}}),
            json!({"headers": many}),
            json!({"sign_v1a": "yes"}),
        ] {
            let mut body = json!({"url": "https://hooks.example.com/in", "events": ["all"]});
            body.as_object_mut().expect("an object").extend(field.as_object().expect("an object").clone());
            let error = client.post("/v1/webhooks", &body).await.error();
            assert!(!error.contains("a-secret"), "{error}");
            told.push(error.split(" at line").next().unwrap_or_default().to_owned());
        }
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong field `filters.urgencies`: must have 1 to 100 values, or be null for any
        400 bad_request: Wrong field `filters.urgencies[0]`: unknown variant `urgent`, expected one of `low`, `medium`, `high`
        400 bad_request: Wrong field `filters.max_duration_seconds`: must not be less than `min_duration_seconds`
        400 bad_request: Wrong field `filters.min_duration_seconds`: must be a whole number from 0 to 8640000
        400 bad_request: Wrong field `filters.assistant_ids`: there is no assistant with the id 0197a3c4-0000-7000-8000-00000000dead
        400 bad_request: Wrong field `filters.urgency`: unknown field `urgency`, expected one of `assistant_ids`, `statuses`, `urgencies`, `min_duration_seconds`, `max_duration_seconds`
        400 bad_request: Wrong field `redact[0]`: unknown variant `email`, expected one of `transcript`, `recording`, `phone`
        400 bad_request: Wrong field `format`: unknown variant `xml`, expected one of `inboundflow`, `standard`, `thin`
        400 bad_request: Wrong field `headers.X-InboundFlow-Event`: is one of our own
        400 bad_request: Wrong field `headers.Host`: is about the connection, and the HTTP client's to write
        400 bad_request: Wrong field `headers.x y`: is no name of a header
        400 bad_request: Wrong field `headers.x-key`: has a value with something else than printable ASCII characters in it
        400 bad_request: Wrong field `headers`: `X-Key` is there twice
        400 bad_request: Wrong field `headers`: must be at most 20
        400 bad_request: Wrong field `sign_v1a`: invalid type: string \"yes\", expected a boolean
        ");
        assert_eq!(client.data("/v1/webhooks").await, json!([]));
    });
}

#[test]
fn a_person_leaves_things_out_and_chooses_a_form() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let owner = person(app, &org, model::OrgRole::Owner).await;
        let body = json!({"headers": {"x-key": "the-key-of-the-receiver"}, "sign_v1a": true});
        let (path, _) = endpoint(&client, body, receiver.url("/")).await;
        let page = path.replace("/v1/webhooks", "/settings/integrations");
        let url = receiver.url("/").replace(':', "%3A").replace('/', "%2F");
        let form = format!("url={url}&event=call.completed&redact=phone&redact=transcript&format=thin");
        assert_eq!(post(app, &page, &owner, &form).await.status, 303);
        let shown = client.data(&path).await;
        assert_eq!((&shown["redact"], &shown["format"]), (&json!(["phone", "transcript"]), &json!("thin")));
        assert_eq!(
            (&shown["headers"], &shown["sign_v1a"]),
            (&json!({"x-key": "****iver"}), &json!(true)),
            "the rest stays"
        );
        let html = get(app, &page, &owner).await.shown();
        for ticked in [r#"value="phone" checked"#, r#"value="thin" selected"#] {
            assert!(html.contains(ticked), "{ticked} in {html}");
        }
        assert!(!html.contains(r#"value="recording" checked"#));
        let wrong = post(app, &page, &owner, &form.replace("thin", "fat")).await;
        assert!(
            wrong.status == 422 && wrong.shown().contains("Choose one of the forms."),
            "{}",
            wrong.shown()
        );
        assert_eq!(post(app, &page, &owner, &format!("url={url}&event=call.completed")).await.status, 303);
        let shown = client.data(&path).await;
        assert_eq!((&shown["redact"], &shown["format"]), (&json!([]), &json!("inboundflow")));
    });
}
