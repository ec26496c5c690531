//! Messages that ask something: passed on to their source's owner, or answered so that the platform can go on.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderName, StatusCode},
    response::IntoResponse,
};
use model::Platform;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, Client, Org, Signing, TestApp, on_both, spawn};

/// What an owner's address answers: status, headers and body.
type Told = (u16, &'static [(&'static str, &'static str)], &'static [u8]);

/// What an owner's address got: headers and body.
type Got = Arc<std::sync::Mutex<Vec<(HeaderMap, Bytes)>>>;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// An owner's address, which answers the same to everything after some time.
async fn owner(told: Told, after: Duration) -> (String, Got) {
    let got = Got::default();
    let notes = got.clone();
    let router = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
        notes.lock().expect("the notes").push((headers, body));
        tokio::time::sleep(after).await;
        let (status, headers, body) = told;
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
        let status = StatusCode::from_u16(status).expect("a status");
        (status, headers.collect::<HeaderMap>(), body).into_response()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/tools?for=us", listener.local_addr().expect("an address"));
    spawn(async move { axum::serve(listener, router).await });
    (url, got)
}

async fn answering_at(org: &Org, platform: Platform, url: &str) -> Signing {
    org.source_with(platform, json!({"answers": {"url": url}})).await
}

/// Vapi's message that a tool is to be run.
fn tool_calls() -> String {
    json!({"message": {"type": "tool-calls", "call": {"id": "c"}, "toolCallList": [
        {"id": "t1", "type": "function", "function": {"name": "book", "arguments": "{\"day\":\"Tuesday\"}"}},
        {"id": "t2", "name": "look_up", "parameters": {}},
    ]}})
    .to_string()
}

fn asking(kind: &str) -> String {
    json!({"message": {"type": kind, "call": {"id": "c"}}}).to_string()
}

/// The newest event of a source.
async fn event(client: &Client<'_>, source: &Signing) -> Value {
    let path = format!("/v1/sources/{}/events", source.source);
    let id = client.data(&path).await[0]["id"].as_str().expect("an id").to_owned();
    client.data(&format!("{path}/{id}")).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).expect("UTF-8")
}

#[test]
fn a_question_is_passed_on_as_it_came_and_its_answer_comes_back_unchanged() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let body = br#"{ "results": [{"toolCallId": "t1", "result": "booked"}] }"#;
        let told: Told = (201, &[("content-type", "application/json; charset=utf-8"), ("x-own", "1")], body);
        let (url, got) = owner(told, Duration::ZERO).await;
        let vapi = answering_at(&org, Platform::Vapi, &url).await;
        let asked = tool_calls();
        let answer = vapi.post(app, &asked).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type"), answer.bytes.as_slice()),
            (201, "application/json; charset=utf-8", &body[..])
        );

        let (headers, passed) = got.lock().expect("the notes").remove(0);
        assert_eq!(passed, asked.as_bytes(), "byte for byte");
        for (name, value) in vapi.signature(app, &asked) {
            assert_eq!(headers[name], value, "the platform's proof is the owner's to check too");
        }
        assert_eq!(headers["via"], format!("1.1 inboundflow-{}", vapi.source));

        let event = event(&app.key(&org), &vapi).await;
        assert_eq!((&event["event"], &event["outcome"]), (&json!("tool-calls"), &json!("accepted")));
        let kept = json!({"by": "url", "status": 201, "content_type": "application/json; charset=utf-8", "size": 57,
            "took_ms": 0, "fault": null});
        assert_eq!(event["answer"], kept);
        assert_eq!(event["answer_body"], String::from_utf8_lossy(body).as_ref());
        assert_eq!(event["answer_body_base64"], Value::Null);
    });
}

/// What to answer where nobody is set up to: status, type and a part of the body.
const UNSET: [(Platform, &str, &str); 12] = [
    (
        Platform::Vapi,
        "assistant-request",
        r#"{"error":"Sorry, this number is not set up to take calls yet."}"#,
    ),
    (
        Platform::Vapi,
        "function-call",
        r#"{"result":"Nothing was done: no server is configured to answer this"#,
    ),
    (
        Platform::Vapi,
        "transfer-destination-request",
        r#"{"error":"Nothing was done: no server is configured"#,
    ),
    (Platform::Vapi, "handoff-destination-request", r#"{"error":"Nothing was done: no server is configured"#),
    (Platform::Vapi, "knowledge-base-request", r#"{"documents":[]}"#),
    (Platform::Vapi, "call.endpointing.request", r#"{"timeoutSeconds":0.5}"#),
    (Platform::Retell, r#"{"event":"call_inbound","call_inbound":{}}"#, r#"{"call_inbound":{}}"#),
    (Platform::Retell, r#"{"event":"chat_inbound","chat_inbound":{}}"#, r#"{"chat_inbound":{}}"#),
    (Platform::Retell, r#"{"name":"book","args":{},"call":{}}"#, r#"{"error":"Nothing was done: no server"#),
    (
        Platform::Telnyx,
        r#"{"data":{"id":"e","event_type":"assistant.initialization","payload":{}}}"#,
        r#"{"dynamic_variables":{}}"#,
    ),
    (
        Platform::Synthflow,
        r#"{"event":"call_inbound","call_inbound":{"from_number":"+14155550142"}}"#,
        r#"{"call_inbound":{"override_model_id":""}}"#,
    ),
    (
        Platform::Twilio,
        "CallSid=CA1&AccountSid=AC1&From=%2B14155550142&To=%2B14155550100&CallStatus=ringing&Direction=inbound",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Say>Sorry, this number is not set up"#,
    ),
];

#[test]
fn without_an_address_every_platform_is_answered_in_its_own_form() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        for (platform, message, expected) in UNSET {
            let source = org.source(platform).await;
            let message = if platform == Platform::Vapi { asking(message) } else { message.to_owned() };
            let answer = source.post(app, &message).await;
            assert_eq!(answer.status, 200, "{message}: {}", answer.shown());
            let is_xml = platform == Platform::Twilio;
            assert_eq!(answer.header("content-type"), if is_xml { "text/xml" } else { "application/json" });
            assert!(text(&answer).starts_with(expected), "{message}: {}", answer.shown());
            let event = event(&app.key(&org), &source).await;
            assert_eq!(
                (&event["answer"]["by"], &event["answer"]["fault"]),
                (&json!("inboundflow"), &Value::Null)
            );
            assert_eq!(event["answer_body"], text(&answer));
        }
        let vapi = org.source(Platform::Vapi).await;
        let answer = vapi.post(app, &tool_calls()).await;
        let words = "Nothing was done: no server is configured to answer this (InboundFlow: the source has no \
                     answers.url).";
        let results = json!({"results": [
            {"toolCallId": "t1", "name": "book", "error": words},
            {"toolCallId": "t2", "name": "look_up", "error": words},
        ]});
        assert_eq!((answer.status.as_u16(), answer.json()), (200, results));
        // Silence would pass for audio; after a failure Vapi speaks with another voice.
        let answer = vapi.post(app, &asking("voice-request")).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (503, json!({ "error": words })));
    });
}

/// A source of Vapi's is asked by a message; why its owner's address was of no use.
async fn fault(app: &TestApp, org: &Org, platform: Platform, url: &str, message: &str) -> String {
    let source = answering_at(org, platform, url).await;
    let answer = source.post(app, message).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    let event = event(&app.key(org), &source).await;
    assert_eq!(event["answer"]["by"], "inboundflow");
    assert_eq!(event["answer_body"], text(&answer));
    event["answer"]["fault"].as_str().expect("a reason").to_owned()
}

#[test]
fn an_address_that_is_of_no_use_costs_no_caller_the_answer() {
    let told: [(Told, &str); 6] = [
        ((404, JSON, b"{}"), "it answered 404"),
        ((500, JSON, b""), "it answered 500"),
        (
            (302, &[("location", "https://example.com/")], b""),
            "it answered 302, a redirect to https://example.com/; redirects are never followed",
        ),
        ((200, JSON, b""), "it answered 200 without a body"),
        ((204, &[], b""), "it answered 204 without a body"),
        ((200, &[("content-type", "text/html")], b"<h1>Parked</h1>"), "its answer is not JSON"),
    ];
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        for (told, why) in told {
            let (url, _) = owner(told, Duration::ZERO).await;
            assert_eq!(fault(app, &org, Platform::Vapi, &url, &tool_calls()).await, why);
        }
        let unused =
            TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let dead = fault(app, &org, Platform::Vapi, &format!("http://{unused}"), &tool_calls()).await;
        assert_eq!(dead, format!("connection refused by {unused}"));
        let private = fault(app, &org, Platform::Vapi, "https://10.0.0.1/", &tool_calls()).await;
        assert!(private.starts_with("the address 10.0.0.1 is "), "{private}");

        // Telnyx waits for a second, and is answered before it is over.
        let (slow, _) = owner((200, JSON, b"{}"), Duration::from_secs(30)).await;
        let message = UNSET[9].1;
        assert_eq!(fault(app, &org, Platform::Telnyx, &slow, message).await, "no answer within 0.9 s");
    });
}

#[test]
fn a_question_that_comes_back_to_its_source_goes_round_no_more() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (url, got) = owner((200, JSON, b"{}"), Duration::ZERO).await;
        let vapi = answering_at(&org, Platform::Vapi, &url).await;
        let message = tool_calls();
        let via = format!("1.0 proxy, 1.1 inboundflow-{}", vapi.source);
        let mut headers = vec![("via", via.as_str())];
        let signature = vapi.signature(app, &message);
        headers.extend(signature.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = vapi.post_with(&app.anon(), &headers, &message).await;
        assert_eq!(answer.status, 200);
        assert!(got.lock().expect("the notes").is_empty());
        let event = event(&app.key(&org), &vapi).await;
        assert_eq!(event["answer"]["fault"], "settings.answers.url leads back to this source");
    });
}

#[test]
fn nobody_is_asked_by_strangers_nor_when_a_message_is_read_again() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (url, got) = owner((200, JSON, b"{}"), Duration::ZERO).await;
        let vapi = answering_at(&org, Platform::Vapi, &url).await;
        let answer = vapi.post_with(&app.anon(), &[("x-vapi-secret", "a wrong one")], &tool_calls()).await;
        assert_eq!(answer.code(), "unauthorized");
        assert!(got.lock().expect("the notes").is_empty());

        vapi.post(app, &tool_calls()).await;
        assert_eq!(got.lock().expect("the notes").len(), 1);
        let client = app.key(&org);
        let id = event(&client, &vapi).await["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/sources/{}/events/{id}/reprocess", vapi.source);
        let again = client.post(&path, &json!({})).await.json();
        assert_eq!(again["data"]["answer"]["by"], "url", "what was answered then stays");
        assert_eq!(got.lock().expect("the notes").len(), 1);
    });
}

#[test]
fn the_address_that_answers_is_looked_at_before_it_is_kept() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let refused = async |platform: &str, answers: Value| {
            let body = json!({"platform": platform, "settings": {"answers": answers}});
            client.post("/v1/sources", &body).await.error()
        };
        for (platform, answers, why) in [
            ("vapi", json!("https://example.com"), "settings.answers must be an object"),
            ("retell", json!({}), "settings.answers.url must be the address that answers"),
            ("telnyx", json!({"uri": "x"}), "settings.answers.uri is not a setting: there is `url`"),
            (
                "twilio",
                json!({"url": "example.com"}),
                "settings.answers.url: the URL must begin with https://",
            ),
            (
                "custom",
                json!({"url": "x"}),
                "settings.answers does not go without `like`: the platform that asks",
            ),
            (
                "livekit",
                json!({"url": "x"}),
                "settings.answers is not a setting: LiveKit sources have `api_key`",
            ),
            (
                "elevenlabs",
                json!({"url": "x"}),
                "settings.answers is not a setting: ElevenLabs sources have none",
            ),
            ("bland", json!({"url": "x"}), "settings.answers is not a setting: Bland sources have none"),
        ] {
            let expected = format!("400 bad_request: Wrong field `settings`: {why}");
            assert_eq!(refused(platform, answers).await, expected);
        }
        let like = async |platform: &str, url: Value| {
            let settings = json!({"like": platform, "answers": {"url": url}});
            let body = json!({"platform": "custom", "settings": settings});
            let answer = client.post("/v1/sources", &body).await;
            if answer.status == 201 { String::new() } else { answer.error() }
        };
        for (platform, url, why) in [
            (
                "bland",
                json!("https://example.com"),
                "settings.answers is not a setting: Bland sources have none",
            ),
            ("vapi", json!(5), "settings.answers.url must be the address that answers"),
            (
                "vapi",
                json!("ftp://example.com"),
                "settings.answers.url: the URL must begin with https://, not ftp:",
            ),
        ] {
            let expected = format!("400 bad_request: Wrong field `settings`: {why}");
            assert_eq!(like(platform, url).await, expected);
        }
        assert_eq!(like("vapi", json!("https://example.com/x")).await, "");
    });
}
