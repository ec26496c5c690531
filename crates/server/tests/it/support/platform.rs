//! Voice platforms, as they post and sign their webhooks.

use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use model::{Platform, SourceId};
use serde_json::Value;
use sha2::Sha256;

use super::{
    app::TestApp,
    client::{Answer, Client},
};

/// A message of a platform, as it is posted.
pub(crate) type Message = String;

/// A source, and what its platform signs with.
pub(crate) struct Signing {
    pub(crate) platform: Platform,
    pub(crate) source: SourceId,
    pub(crate) secret: String,
}

impl Signing {
    /// The address that is set in the platform.
    pub(crate) fn path(&self) -> String {
        format!("/ingest/{}/{}", self.platform.as_str(), self.source)
    }

    /// Posts a message, signed as the platform signs by default.
    pub(crate) async fn post(&self, app: &TestApp, message: &str) -> Answer {
        let (name, value) = self.signature(app, message);
        let seconds = app.now().unix_seconds().to_string();
        let headers = [(name, value.as_str()), ("x-timestamp", seconds.as_str())];
        self.post_with(&app.anon(), &headers, message).await
    }

    /// Posts a message that must be accepted.
    pub(crate) async fn accept(&self, app: &TestApp, message: &str) {
        let answer = self.post(app, message).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        assert_eq!(answer.json()["data"]["outcome"], "accepted", "{}", answer.shown());
    }

    /// Posts a message with headers of one's own.
    pub(crate) async fn post_with(
        &self,
        client: &Client<'_>,
        headers: &[(&str, &str)],
        message: &str,
    ) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        client.send(Method::POST, &self.path(), &all, message.as_bytes().to_vec()).await
    }

    pub(crate) fn signature(&self, app: &TestApp, message: &str) -> (&'static str, String) {
        let (seconds, millis) =
            (app.now().unix_seconds().to_string(), (app.now().micros() / 1000).to_string());
        match self.platform {
            Platform::Retell => {
                let digest = self.mac(&[message, &millis]);
                ("x-retell-signature", format!("v={millis},d={digest}"))
            }
            Platform::Vapi | Platform::Api => ("x-signature", self.mac(&[&seconds, ".", message])),
        }
    }

    fn mac(&self, parts: &[&str]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("a key");
        parts.iter().for_each(|part| mac.update(part.as_bytes()));
        hex::encode(mac.finalize().into_bytes())
    }
}

/// A call of Vapi's that is over: a report with the caller's number, and what else is told of it.
pub(crate) fn report(id: &str, phone: Value, rest: Value) -> Message {
    let mut message = serde_json::json!({
        "type": "end-of-call-report", "timestamp": 1_771_966_800_000_i64, "endedReason": "customer-ended-call",
        "startedAt": "2026-02-24T20:58:00.000Z", "endedAt": "2026-02-24T20:59:00.000Z",
        "call": {"id": id, "type": "inboundPhoneCall", "assistantId": "front desk"},
        "customer": {"number": phone}, "analysis": {"summary": "The boiler leaks."}, "artifact": {"messages": []},
    });
    let fields = message.as_object_mut().expect("an object");
    fields.extend(rest.as_object().cloned().unwrap_or_default());
    serde_json::json!({ "message": message }).to_string()
}

/// What a report has more where the assistant booked an appointment.
pub(crate) fn booking() -> Value {
    booking_answered(serde_json::json!({"success": true, "booking_id": "bk_1"}))
}

/// The same with another answer of the calendar.
pub(crate) fn booking_answered(result: Value) -> Value {
    let arguments =
        serde_json::json!({"name": "Ada Reyes", "start": "2026-03-04T10:00:00Z", "service": "Boiler check"});
    serde_json::json!({"artifact": {"messages": [
        {"role": "tool_calls", "secondsFromStart": 5,
         "toolCalls": [{"id": "t", "function": {"name": "book_appointment", "arguments": arguments.to_string()}}]},
        {"role": "tool_call_result", "toolCallId": "t", "name": "book_appointment", "secondsFromStart": 6, "result": result},
    ]}})
}
