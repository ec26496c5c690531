//! How platforms are asked for their calls, and that no answer of theirs can do harm.

use connectors::{
    History,
    history::{Ask, Kept, Listed, Standing, Window},
};
use model::{Completion, Platform, Time};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{of, properties::any_json};

const LISTED: [Platform; 6] = [
    Platform::Vapi,
    Platform::Retell,
    Platform::ElevenLabs,
    Platform::Bland,
    Platform::Twilio,
    Platform::Telnyx,
];

fn history(platform: Platform) -> &'static dyn History {
    of(platform).history().expect("a list of calls")
}

fn key(platform: Platform) -> &'static str {
    if platform == Platform::Twilio { "AC0155:token" } else { "key" }
}

fn window() -> Window {
    let time = |text: &str| text.parse::<Time>().expect("a time");
    Window { since: time("2026-02-24T20:00:00Z"), until: time("2026-02-24T21:00:00Z") }
}

fn shown(ask: &Ask) -> String {
    let headers: Vec<_> = ask.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = ask.json.as_ref().map_or_else(String::new, |json| format!(" {json}"));
    format!("{} [{}]{body}", ask.path, headers.join(", "))
}

#[test]
fn each_platform_is_asked_in_its_own_way() {
    let asked: Vec<_> = LISTED
        .iter()
        .map(|&platform| shown(&history(platform).list(key(platform), window(), None)))
        .collect();
    let expected = [
        "/call?limit=20&createdAtGe=2026-02-24T20%3A00%3A00.000Z&createdAtLe=2026-02-24T21%3A00%3A00.000Z \
         [authorization: Bearer key]",
        "/v3/list-calls [authorization: Bearer key] {\"filter_criteria\":{\"start_timestamp\":{\"type\":\"range\",\
         \"op\":\"bt\",\"value\":[1771963200000,1771966800000]}},\"sort_order\":\"ascending\",\"limit\":50}",
        "/v1/convai/conversations?page_size=50&call_start_after_unix=1771963200&call_start_before_unix=1771966801 \
         [xi-api-key: key]",
        "/v1/calls?from=0&limit=50&ascending=true&sort_by=created_at&start_date=2026-02-24T20%3A00%3A00.000Z\
         &end_date=2026-02-24T21%3A00%3A00.000Z [authorization: key]",
        "/2010-04-01/Accounts/AC0155/Calls.json?StartTime%3E=2026-02-24T20%3A00%3A00Z\
         &StartTime%3C=2026-02-24T21%3A00%3A00Z&PageSize=50 [authorization: Basic QUMwMTU1OnRva2Vu]",
        "/v2/ai/conversations?created_at=gte.2026-02-24T20%3A00%3A00.000Z&order=created_at.asc&limit=50 \
         [authorization: Bearer key]",
    ];
    assert_eq!(asked, expected);
}

#[test]
fn an_id_or_a_next_page_of_a_platform_s_leads_nowhere_else_in_its_api() {
    for platform in LISTED {
        if let Some(ask) = history(platform).one(key(platform), "../../v1/keys?all=1#") {
            let path = ask.path.split('?').next().unwrap_or_default();
            assert!(!path.contains("..") && !ask.path.contains('#'), "{platform:?}: {}", ask.path);
        }
    }
    let answer = json!({"calls": [], "next_page_uri": "https://elsewhere.example/?PageToken=PA0155"});
    let twilio = history(Platform::Twilio);
    let page = twilio.page(window(), None, answer.to_string().as_bytes()).expect("a page");
    let next = twilio.list(key(Platform::Twilio), window(), page.next.as_deref());
    assert_eq!(next.path, "/2010-04-01/Accounts/AC0155/Calls.json?PageToken=PA0155");
}

/// Else an API that changed would look like a day without calls.
#[test]
fn an_answer_without_a_list_is_an_error_and_not_an_empty_page() {
    for platform in LISTED {
        for answer in ["{}", "null", "\"maintenance\"", "<html>", "{\"message\": \"ok\"}"] {
            let page = history(platform).page(window(), None, answer.as_bytes());
            assert!(page.is_err(), "{platform:?} {answer}");
        }
    }
}

#[test]
fn a_list_that_leads_back_to_the_same_page_ends() {
    for (platform, answer) in [
        (Platform::Retell, json!({"items": [], "has_more": true, "pagination_key": "here"})),
        (Platform::ElevenLabs, json!({"conversations": [], "has_more": true, "next_cursor": "here"})),
        (Platform::Twilio, json!({"calls": [], "next_page_uri": "/2010-04-01/Accounts/AC/Calls.json?here"})),
    ] {
        let page = history(platform).page(window(), Some("here"), answer.to_string().as_bytes());
        assert_eq!(page.expect("a page").next, None, "{platform:?}");
    }
    // A page of one moment is passed, not asked for for ever.
    let made = "2026-02-24T20:30:00.000Z";
    let vapi: Vec<Value> = vec![json!({"id": "a", "status": "ended", "createdAt": made}); 20];
    let page = history(Platform::Vapi).page(window(), Some(made), Value::from(vapi).to_string().as_bytes());
    assert_eq!(page.expect("a page").next.as_deref(), Some("2026-02-24T20:29:59.999Z"));
    let telnyx = json!({"data": vec![json!({"id": "a", "created_at": made}); 50]}).to_string();
    let asked = format!("gte.{made}");
    let page = history(Platform::Telnyx).page(window(), Some(&asked), telnyx.as_bytes()).expect("a page");
    assert_eq!(page.next, Some(format!("gt.{made}")));
}

#[test]
fn keys_that_cannot_be_one_are_refused_in_words() {
    for platform in LISTED {
        assert_eq!(history(platform).check_key(key(platform)), Ok(()), "{platform:?}");
        for wrong in ["", " ", "two words", "a\r\nb: c", "schlüssel"] {
            assert!(history(platform).check_key(wrong).is_err(), "{platform:?} {wrong:?}");
        }
    }
    let twilio = history(Platform::Twilio);
    assert_eq!(twilio.check_key("AC0155:SK0155:secret"), Ok(()));
    for wrong in ["token", "SK0155:secret", "AC0155:", "AC0155::secret", "AC0155:a:b:c"] {
        assert!(twilio.check_key(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_recording_that_may_never_be_sent_is_not_waited_for() {
    let call = json!({"conversation_id": "c", "status": "done", "has_audio": true});
    let parsed = history(Platform::ElevenLabs).read(&Value::Null, &Kept { call, details: vec![] });
    let changes = parsed.expect("it can be read").changes;
    assert_eq!(changes[0].completion, Completion::Now);
    // But an analysis that Retell is still making is.
    let call = json!({"call_id": "c", "call_status": "ended"});
    let parsed = history(Platform::Retell).read(&Value::Null, &Kept { call, details: vec![] });
    assert_eq!(parsed.expect("it can be read").changes[0].completion, Completion::Wait);
}

proptest! {
    #[test]
    fn no_answer_makes_anything_panic(value in any_json(), details in proptest::collection::vec(any_json(), 0..3)) {
        for platform in LISTED {
            let history = history(platform);
            for wrapped in [
                value.clone(),
                json!([value]),
                json!({"items": [value], "conversations": [value], "calls": [value], "data": [value],
                    "has_more": value, "next_cursor": value, "pagination_key": value, "next_page_uri": value}),
            ] {
                let _ = history.page(window(), None, wrapped.to_string().as_bytes());
                let _ = history.single(window(), wrapped.to_string().as_bytes());
            }
            let kept = Kept { call: value.clone(), details: details.clone() };
            let _ = history.read(&Value::Null, &kept);
            let listed = Listed {
                external_id: value.to_string(),
                began_at: None,
                standing: Standing::UnderWay,
                call: value.clone(),
            };
            let _ = history.details(key(platform), &listed);
        }
    }
}
