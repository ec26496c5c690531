//! The bodies that platforms really sent or document, against what they must come to.

use std::{collections::BTreeSet, env, fs, path::Path};

use connectors::{Parsed, Rejection, Secrets};
use http::{HeaderName, HeaderValue};
use model::{Change, Completion, Direction, Facts, Phone, Platform, Role, Stage, Time};
use serde_json::{Value, json};

use super::{change, of, parse, tools};

/// Beside the workspace, shared with other projects; not ours to publish.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures");

#[test]
fn real_bodies_come_to_what_is_expected() {
    let Some(expected) = shared("expected-normalised.json") else { return };
    let mut checked = 0;
    for (file, row) in expected.as_object().expect("rows") {
        let platform = file.split_once('/').and_then(|(platform, _)| Platform::parse(platform));
        let Some(platform) = platform else { continue };
        let body = fs::read(Path::new(FOLDER).join(file)).expect("the file of a row");
        let parsed = parse(platform, &body).expect("a body that can be read");
        match platform {
            Platform::LiveKit => super::livekit::check(file, row, parsed),
            _ => check(file, row, parsed),
        }
        checked += 1;
    }
    assert_eq!(checked, 34, "rows have come or gone");
}

#[test]
fn requests_signed_as_documented_are_taken() {
    let Some(vector) = shared("retell/signature.vector.json") else { return };
    let header = ("x-retell-signature", text(&vector["header"]));
    let signed_at = vector["timestamp_ms"].as_i64().and_then(Time::from_millis).expect("a time");
    assert_eq!(verify(Platform::Retell, &vector, "api_key", &[header], signed_at), Ok(()));

    let Some(vector) = shared("vapi/hmac.generated-vector.json") else { return };
    let headers =
        [("x-signature", text(&vector["signature_hex"])), ("x-timestamp", text(&vector["timestamp"]))];
    let signed_at = text(&vector["timestamp"]).parse().ok().and_then(Time::from_millis).expect("a time");
    assert_eq!(verify(Platform::Vapi, &vector, "secret", &headers, signed_at), Ok(()));

    let Some(vector) = shared("elevenlabs/signature.generated-vector.json") else { return };
    let header = ("elevenlabs-signature", text(&vector["header"]));
    let seconds: i64 = text(&vector["timestamp"]).parse().expect("seconds");
    let signed_at = Time::from_micros(seconds * 1_000_000);
    assert_eq!(verify(Platform::ElevenLabs, &vector, "secret", &[header], signed_at), Ok(()));

    let Some(vector) = shared("bland/signature.generated-vector.json") else { return };
    let header = ("x-webhook-signature", text(&vector["x-webhook-signature"]));
    assert_eq!(verify(Platform::Bland, &vector, "secret", &[header], Time::from_micros(0)), Ok(()));
}

#[test]
fn a_real_request_without_a_secret_is_not_taken() {
    let Some(captured) = shared("vapi/request-headers.captured.json") else { return };
    let captured = captured.as_object().expect("headers");
    let headers: Vec<_> = captured.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let vector = json!({"body": "{}", "secret": "a-secret"});
    let verdict = verify(Platform::Vapi, &vector, "secret", &headers, Time::from_micros(0));
    assert!(matches!(verdict, Err(Rejection::Missing(_))), "the header is there, but empty: {verdict:?}");
}

/// Conversations that are not whole messages, in a message.
#[test]
fn recorded_uses_of_tools_are_paired() {
    let Some(call) = shared("retell/transcript_with_tool_calls.thirdparty.json") else { return };
    let ended = json!({"event": "call_ended", "call": call});
    let expected = [("extract_update_dynamic_variable", Some(true)), ("transfer_call", Some(false))];
    assert_eq!(outcomes(Platform::Retell, &ended), expected.map(|(name, ok)| (name.to_owned(), ok)));

    let Some(messages) = shared("vapi/messages.tool-call-pair.thirdparty.json") else { return };
    let report =
        json!({"type": "end-of-call-report", "call": {"id": "c"}, "artifact": {"messages": messages}});
    let outcomes = outcomes(Platform::Vapi, &json!({ "message": report }));
    assert_eq!(outcomes, [("search_patient".to_owned(), Some(false))]);
}

fn outcomes(platform: Platform, body: &Value) -> Vec<(String, Option<bool>)> {
    let facts = change(parse(platform, body.to_string().as_bytes()).expect("a message")).facts;
    let messages = facts.messages.expect("messages");
    tools(&messages).iter().map(|tool| (tool.name.clone(), tool.ok)).collect()
}

/// A shared file; `None` where they are not there, which only CI may not let pass.
#[expect(clippy::print_stderr, reason = "a test that checks nothing should say so")]
pub(crate) fn shared(file: &str) -> Option<Value> {
    let path = Path::new(FOLDER).join(file);
    match fs::read_to_string(&path) {
        Ok(text) => {
            eprintln!("checking {}", path.display());
            Some(serde_json::from_str(&text).expect("JSON"))
        }
        Err(error) => {
            let is_ci = env::var("CI").as_deref() == Ok("true");
            assert!(!is_ci, "{} is needed: {error}", path.display());
            eprintln!("skipped, because {} is not there: {error}", path.display());
            None
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn verify(
    platform: Platform,
    vector: &Value,
    secret: &str,
    headers: &[(&str, &str)],
    now: Time,
) -> Result<(), Rejection> {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    let headers = headers.iter().map(header).collect();
    let secrets = Secrets { current: text(&vector[secret]), previous: None };
    let request = super::request(&headers, text(&vector["body"]).as_bytes());
    of(platform).verify(&secrets, &Value::Null, &request, now)
}

fn check(file: &str, row: &Value, parsed: Parsed) {
    assert_eq!(row["event"], parsed.event, "event of {file}");
    let Change { external_id, facts, stage, completion, .. } = change(parsed);
    assert_eq!(row["provider_call_id"], external_id, "provider_call_id of {file}");
    let mut ours = normalized(&facts);
    if file.starts_with("elevenlabs/") {
        // Its recordings have no address: they come in a message of their own, for which the other one waits.
        ours["recording"] = (stage == Stage::Audio || completion == Completion::Wait).into();
    }
    // A row tells these whenever the message does, but for a few, where the rules say more than the row.
    let always = ["status", "raw_status", "caller_phone", "started_at", "ended_at", "duration_seconds"];
    let always = always.into_iter().chain(["tools", "analysis_fields"]);
    for name in always.filter(|name| !is_left_out(file, name)) {
        assert_eq!(row[name], ours[name], "{name} of {file}");
    }
    for (name, value) in row.as_object().expect("a row is an object") {
        // How the platform names the roles is not kept, nor how long a recording is.
        if !["event", "provider_call_id", "roles", "recording_seconds"].contains(&name.as_str()) {
            assert_eq!(*value, ours[name], "{name} of {file}");
        }
    }
}

/// What a row leaves out, though the body tells it and the rules say how.
fn is_left_out(file: &str, name: &str) -> bool {
    match file {
        "retell/transfer_started.thirdparty-minimal.json" => name == "status",
        // `started_at`, `end_at`, and `variables` beyond those that every call has.
        "bland/call-completed.docs-plus-filled.json" => {
            ["started_at", "ended_at", "analysis_fields"].contains(&name)
        }
        // `end_at`.
        "bland/transfer-failed.captured.json" => name == "ended_at",
        // `Timestamp`, less `CallDuration` for a call that took place.
        "twilio/call-status.busy.docs.urlencoded" => name == "ended_at",
        "twilio/call-status.completed-inbound.derived.urlencoded" => {
            ["started_at", "ended_at"].contains(&name)
        }
        _ => false,
    }
}

/// Our facts in the shape of a row.
fn normalized(facts: &Facts) -> Value {
    let messages = facts.messages.as_deref().unwrap_or_default();
    let names: Vec<_> = tools(messages).iter().map(|tool| tool.name.as_str()).collect();
    json!({
        "status": facts.status.map(|status| status.as_str()),
        "raw_status": facts.ended_reason,
        "direction": facts.direction.map(Direction::as_str),
        "caller_phone": facts.caller_phone.as_ref().map(Phone::as_str),
        "duration_seconds": facts.duration_seconds.or_else(|| lasted(facts)),
        "started_at": facts.started_at.map(|time| time.to_string()),
        "ended_at": facts.ended_at.map(|time| time.to_string()),
        "summary_len": facts.summary.as_ref().map_or(0, |summary| summary.chars().count()),
        "messages": messages.iter().filter(|message| message.role != Role::Tool).count(),
        "tools": (!names.is_empty()).then_some(names),
        "recording": facts.recording_url.is_some(),
        "assistant_id": facts.assistant.as_ref().map(|assistant| &assistant.external_id),
        "transfer_status": facts.transfer_status,
        "transfer_to": facts.transfer_destination,
        "analysis_fields": facts.captured.as_ref().map(|captured| captured.keys().collect::<BTreeSet<_>>()),
    })
}

/// From start to end in whole seconds, half up.
fn lasted(facts: &Facts) -> Option<i64> {
    let micros = facts.ended_at.map(Time::micros)? - facts.started_at.map(Time::micros)?;
    Some((micros + 500_000).div_euclid(1_000_000))
}
