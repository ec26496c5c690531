//! Platforms' APIs, as far as they list calls: pages, filters, keys and limits as each platform has published them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::{Platform, Time};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{app::spawn, receiver::Reply};

/// A platform's API that listens.
#[derive(Clone)]
pub(crate) struct StandIn {
    base: String,
    platform: Platform,
    account: Arc<Mutex<Account>>,
}

#[derive(Default)]
struct Account {
    /// As the platform answers for a single one.
    calls: Vec<Value>,
    asked: Vec<String>,
    replies: VecDeque<Reply>,
}

impl StandIn {
    pub(crate) async fn start(platform: Platform) -> Self {
        let account = Arc::<Mutex<Account>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let stand_in = Self { base, platform, account };
        let router = Router::new().fallback(answer).with_state(stand_in.clone());
        spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.base.clone()
    }

    /// A key that it takes.
    pub(crate) fn key(&self) -> &'static str {
        match self.platform {
            Platform::Twilio => "AC0155:a-token-of-a-stand-in",
            _ => "a-key-of-a-stand-in",
        }
    }

    /// Has these calls.
    pub(crate) fn has(&self, calls: impl IntoIterator<Item = Value>) {
        self.account.lock().expect("the account").calls.extend(calls);
    }

    /// Says from now on that a call is over.
    pub(crate) fn ends(&self, id: &str) {
        let mut account = self.account.lock().expect("the account");
        let call = account.calls.iter_mut().find(|call| call["id"] == id).expect("the call");
        call["status"] = "ended".into();
    }

    /// Answers the next requests like this, one after the other; a status of 200 lets one pass.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.account.lock().expect("the account").replies.extend(replies);
    }

    /// What it was asked since the last look.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.account.lock().expect("the account").asked)
    }

    fn is_key(&self, headers: &HeaderMap) -> bool {
        let (name, value) = match self.platform {
            Platform::ElevenLabs => ("xi-api-key", self.key().to_owned()),
            Platform::Bland => ("authorization", self.key().to_owned()),
            Platform::Twilio => ("authorization", format!("Basic {}", BASE64.encode(self.key()))),
            _ => ("authorization", format!("Bearer {}", self.key())),
        };
        headers.get(name).is_some_and(|header| *header == value)
    }
}

async fn answer(State(stand_in): State<StandIn>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let reply = {
        let mut account = stand_in.account.lock().expect("the account");
        account.asked.push(uri.path().to_owned());
        account.replies.pop_front()
    };
    if let Some(Reply(status, headers)) = reply.filter(|reply| reply.0 != 200) {
        let mut response = StatusCode::from_u16(status).expect("a status").into_response();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        return response;
    }
    if !stand_in.is_key(&headers) {
        return (StatusCode::UNAUTHORIZED, "{\"message\": \"Invalid key\"}").into_response();
    }
    let calls = stand_in.account.lock().expect("the account").calls.clone();
    let query = uri.query().unwrap_or_default().as_bytes();
    let query: HashMap<String, String> = url::form_urlencoded::parse(query).into_owned().collect();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let asked = Asked { path: uri.path(), query: &query, body: &body, calls };
    let answer = match stand_in.platform {
        Platform::Vapi => asked.vapi(),
        Platform::Retell => asked.retell(),
        Platform::ElevenLabs => asked.elevenlabs(),
        Platform::Bland => asked.bland(),
        Platform::Twilio => asked.twilio(),
        Platform::Telnyx => asked.telnyx(),
        other => panic!("{other:?} lists no calls"),
    };
    match answer {
        Some(answer) => ([("content-type", "application/json")], answer.to_string()).into_response(),
        None => (StatusCode::NOT_FOUND, "{\"message\": \"Not found\"}").into_response(),
    }
}

struct Asked<'a> {
    path: &'a str,
    query: &'a HashMap<String, String>,
    body: &'a Value,
    calls: Vec<Value>,
}

impl Asked<'_> {
    fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name)?.parse().ok()
    }

    fn one(&self, before: &str, field: &str) -> Option<Value> {
        let id = self.path.strip_prefix(before)?;
        self.calls.iter().find(|call| call[field] == id).cloned()
    }

    /// Newest first and without a cursor.
    fn vapi(self) -> Option<Value> {
        if self.path != "/call" {
            return self.one("/call/", "id");
        }
        let time = |text: &str| text.parse::<Time>().expect("a time");
        let (since, until) = (time(self.query("createdAtGe")), time(self.query("createdAtLe")));
        let made = |call: &Value| time(call["createdAt"].as_str().expect("a time"));
        let mut calls = self.calls.clone();
        calls.retain(|call| since <= made(call) && made(call) <= until);
        calls.sort_by_key(|call| std::cmp::Reverse(made(call)));
        calls.truncate(self.number("limit").unwrap_or(100));
        Some(calls.into())
    }

    /// Without what was said.
    fn retell(self) -> Option<Value> {
        if self.path != "/v3/list-calls" {
            return self.one("/v2/get-call/", "call_id");
        }
        let filter = &self.body["filter_criteria"]["start_timestamp"];
        assert_eq!((&filter["type"], &filter["op"]), (&json!("range"), &json!("bt")));
        let (since, until) = (filter["value"][0].as_i64(), filter["value"][1].as_i64());
        let began = |call: &Value| call["start_timestamp"].as_i64();
        let mut calls = self.calls.clone();
        calls.retain(|call| since <= began(call) && began(call) <= until);
        calls.sort_by_key(began);
        if let Some(last) = self.body["pagination_key"].as_str() {
            let at = calls.iter().position(|call| call["call_id"] == last).expect("a key of ours");
            calls.drain(..=at);
        }
        let limit = self.body["limit"].as_u64().unwrap_or(50) as usize;
        let has_more = calls.len() > limit;
        calls.truncate(limit);
        for call in &mut calls {
            let fields = call.as_object_mut().expect("an object");
            for left_out in ["transcript", "transcript_object", "transcript_with_tool_calls", "recording_url"]
            {
                fields.remove(left_out);
            }
        }
        let key = calls.last().filter(|_| has_more).map_or(Value::Null, |call| call["call_id"].clone());
        Some(json!({"items": calls, "has_more": has_more, "pagination_key": key}))
    }

    /// Newest first, with hardly more than the id.
    fn elevenlabs(self) -> Option<Value> {
        if self.path != "/v1/convai/conversations" {
            return self.one("/v1/convai/conversations/", "conversation_id");
        }
        let bound = |name| self.number(name).expect("a time in seconds") as i64;
        let (since, until) = (bound("call_start_after_unix"), bound("call_start_before_unix"));
        let began = |call: &Value| call["metadata"]["start_time_unix_secs"].as_i64().expect("seconds");
        let mut calls = self.calls.clone();
        calls.retain(|call| since <= began(call) && began(call) <= until);
        calls.sort_by_key(|call| std::cmp::Reverse(began(call)));
        let (from, size) = (self.number("cursor").unwrap_or(0), self.number("page_size").unwrap_or(30));
        let (page, has_more) = cut(&calls, from, size);
        let page = page.iter().map(|call| {
            json!({"agent_id": call["agent_id"], "conversation_id": call["conversation_id"],
                "start_time_unix_secs": began(call), "call_duration_secs": call["metadata"]["call_duration_secs"],
                "status": call["status"], "call_successful": "success", "message_count": 2})
        });
        let next = has_more.then(|| (from + size).to_string());
        Some(json!({"conversations": page.collect::<Vec<_>>(), "has_more": has_more, "next_cursor": next}))
    }

    /// Counted, with the call's frame only.
    fn bland(self) -> Option<Value> {
        if self.path != "/v1/calls" {
            return self.one("/v1/calls/", "call_id");
        }
        let time = |text: &str| text.parse::<Time>().expect("a time");
        let (since, until) = (time(self.query("start_date")), time(self.query("end_date")));
        let made = |call: &Value| time(call["created_at"].as_str().expect("a time"));
        let mut calls = self.calls.clone();
        calls.retain(|call| since <= made(call) && made(call) <= until);
        calls.sort_by_key(made);
        assert_eq!(self.query("ascending"), "true");
        let (page, _) = cut(&calls, self.number("from").unwrap_or(0), self.number("limit").unwrap_or(1000));
        let page = page.iter().map(|call| {
            json!({"call_id": call["call_id"], "created_at": call["created_at"], "call_length": call["call_length"],
                "to": call["to"], "from": call["from"], "completed": call["completed"],
                "queue_status": call["queue_status"], "error_message": null, "answered_by": "human"})
        });
        Some(json!({"count": calls.len(), "calls": page.collect::<Vec<_>>()}))
    }

    /// Newest first, and the next page's address in each.
    fn twilio(self) -> Option<Value> {
        let account = "/2010-04-01/Accounts/AC0155/Calls";
        if self.path != format!("{account}.json") {
            let path = self.path.strip_suffix(".json")?;
            return Asked { path, ..self }.one(&format!("{account}/"), "sid");
        }
        let time = |text: &str| text.parse::<Time>().expect("a time");
        let (since, until) = (self.query("StartTime>"), self.query("StartTime<"));
        let (since, until) = (time(since), time(until));
        let began = |call: &Value| mail_time(call["start_time"].as_str().expect("a time"));
        let mut calls = self.calls.clone();
        calls.retain(|call| since <= began(call) && began(call) <= until);
        calls.sort_by_key(|call| std::cmp::Reverse(began(call)));
        let (page, size) = (self.number("Page").unwrap_or(0), self.number("PageSize").unwrap_or(50));
        let (items, has_more) = cut(&calls, page * size, size);
        let next = has_more.then(|| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for name in ["StartTime>", "StartTime<", "PageSize"] {
                query.append_pair(name, self.query(name));
            }
            query.append_pair("Page", &(page + 1).to_string()).append_pair("PageToken", "PA0155");
            format!("{account}.json?{}", query.finish())
        });
        Some(json!({"calls": items, "page": page, "page_size": size, "next_page_uri": next}))
    }

    /// PostgREST's filters, and what was said under addresses of its own.
    fn telnyx(self) -> Option<Value> {
        if self.path != "/v2/ai/conversations" {
            let (id, rest) = self.path.strip_prefix("/v2/ai/conversations/")?.split_once('/')?;
            let call = self.calls.iter().find(|call| call["conversation"]["id"] == id)?;
            return Some(json!({ "data": call[rest] }));
        }
        let conversations: Vec<Value> = self.calls.iter().map(|call| call["conversation"].clone()).collect();
        if let Some(session) = self.query.get("metadata->call_session_id") {
            let is_it =
                |call: &&Value| session == &format!("eq.{}", text(&call["metadata"]["call_session_id"]));
            return Some(json!({ "data": conversations.iter().filter(is_it).collect::<Vec<_>>() }));
        }
        let (operator, since) = self.query("created_at").split_once('.').expect("an operator");
        let since: Time = since.parse().expect("a time");
        let made = |call: &Value| text(&call["created_at"]).parse::<Time>().expect("a time");
        let mut calls = conversations;
        calls.retain(|call| if operator == "gt" { made(call) > since } else { made(call) >= since });
        assert_eq!(self.query("order"), "created_at.asc");
        calls.sort_by_key(made);
        calls.truncate(self.number("limit").unwrap_or(20));
        Some(json!({ "data": calls }))
    }
}

fn cut(calls: &[Value], from: usize, size: usize) -> (&[Value], bool) {
    let (from, end) = (from.min(calls.len()), (from + size).min(calls.len()));
    (&calls[from..end], end < calls.len())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn mail_time(text: &str) -> Time {
    jiff::fmt::rfc2822::parse(text).expect("a time").timestamp().into()
}

/// A call of a minute that is over, as its platform answers for it.
pub(crate) fn finished(platform: Platform, id: &str, began: Time) -> Value {
    let ended = began + Duration::from_secs(60);
    let millis = |time: Time| time.micros() / 1000;
    let mail = |time: Time| time.timestamp().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let phone = "+14155550142";
    let summary = "The boiler leaks.";
    match platform {
        Platform::Vapi => json!({"id": id, "type": "inboundPhoneCall", "status": "ended",
            "endedReason": "customer-ended-call", "createdAt": began, "startedAt": began, "endedAt": ended,
            "updatedAt": ended, "assistantId": "front desk", "customer": {"number": phone},
            "analysis": {"summary": summary}, "artifact": {"transcript": "User: It leaks.", "messages": []}}),
        Platform::Retell => json!({"call_id": id, "call_type": "phone_call", "agent_id": "front desk",
            "call_status": "ended", "direction": "inbound", "from_number": phone, "to_number": "+14155550100",
            "start_timestamp": millis(began), "end_timestamp": millis(ended), "duration_ms": 60_000,
            "disconnection_reason": "user_hangup", "transcript": "User: It leaks.",
            "call_analysis": {"call_summary": summary}}),
        Platform::ElevenLabs => json!({"conversation_id": id, "agent_id": "front desk", "status": "done",
            "has_audio": true, "analysis": {"transcript_summary": summary, "call_successful": "success"},
            "metadata": {"start_time_unix_secs": began.unix_seconds(), "call_duration_secs": 60,
                "phone_call": {"direction": "inbound", "external_number": phone, "agent_number": "+14155550100"}},
            "transcript": [{"role": "user", "message": "It leaks.", "time_in_call_secs": 1}]}),
        Platform::Bland => json!({"call_id": id, "created_at": began, "started_at": began, "end_at": ended,
            "completed": true, "queue_status": "complete", "status": "completed", "inbound": true, "from": phone,
            "to": "+14155550100", "call_length": 1.0, "corrected_duration": "60", "summary": summary,
            "concatenated_transcript": "user: It leaks.", "error_message": null}),
        Platform::Twilio => json!({"sid": id, "account_sid": "AC0155", "from": phone, "to": "+14155550100",
            "status": "completed", "direction": "inbound", "start_time": mail(began), "end_time": mail(ended),
            "duration": "60", "parent_call_sid": null, "caller_name": null}),
        Platform::Telnyx => json!({
            "conversation": {"id": format!("conversation-{id}"), "created_at": began, "last_message_at": ended,
                "name": "", "metadata": {"telnyx_conversation_channel": "phone_call", "call_session_id": id,
                    "call_control_id": "v3:0155", "assistant_id": "front desk", "telnyx_end_user_target": phone,
                    "telnyx_agent_target": "+14155550100"}},
            "messages": [{"role": "user", "text": "It leaks.", "sent_at": began}],
            "conversations-insights": [{"id": "i", "status": "completed",
                "conversation_insights": [{"insight_id": "s", "result": summary}]}]}),
        other => panic!("{other:?} lists no calls"),
    }
}
