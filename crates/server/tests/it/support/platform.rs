//! Voice platforms, as they post and sign their webhooks.

use std::sync::LazyLock;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as URL_SAFE},
};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use model::{Platform, SourceId, Time};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

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
    /// A platform with a secret of its kind.
    pub(crate) fn secret_for(platform: Platform) -> String {
        match platform {
            Platform::Telnyx => BASE64.encode(TELNYX.verifying_key().as_bytes()),
            _ => "a platform's secret".to_owned(),
        }
    }

    /// The address that is set in the platform.
    pub(crate) fn path(&self) -> String {
        let path = format!("/ingest/{}/{}", self.platform.as_str(), self.source);
        match self.platform {
            Platform::Synthflow => format!("{path}/a%20platform's%20secret"),
            _ => path,
        }
    }

    /// Posts a message, signed as the platform signs by default.
    pub(crate) async fn post(&self, app: &TestApp, message: &str) -> Answer {
        let headers = self.signature(app, message);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
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
        let mut all = vec![("content-type", content_type(message))];
        all.extend_from_slice(headers);
        client.send(Method::POST, &self.path(), &all, message.as_bytes().to_vec()).await
    }

    /// The headers by which the platform proves that it sent the message now.
    pub(crate) fn signature(&self, app: &TestApp, message: &str) -> Vec<(&'static str, String)> {
        // The client of the tests has no host.
        self.signature_at(app.now(), "http://", message)
    }

    /// The same at a time, for a server with some address.
    pub(crate) fn signature_at(&self, now: Time, base: &str, message: &str) -> Vec<(&'static str, String)> {
        let (seconds, millis) = (now.unix_seconds().to_string(), (now.micros() / 1000).to_string());
        let hex = |parts: &[&str]| hex::encode(self.mac(parts));
        match self.platform {
            Platform::Vapi | Platform::Api => {
                vec![("x-signature", hex(&[&seconds, ".", message])), ("x-timestamp", seconds)]
            }
            Platform::Retell => {
                vec![("x-retell-signature", format!("v={millis},d={}", hex(&[message, &millis])))]
            }
            Platform::ElevenLabs => {
                let mac = hex(&[&seconds, ".", message]);
                vec![("elevenlabs-signature", format!("t={seconds},v0={mac}"))]
            }
            Platform::Bland => vec![("x-webhook-signature", hex(&[message]))],
            Platform::Twilio => vec![("x-twilio-signature", self.twilio(base, message))],
            Platform::LiveKit => vec![("authorization", self.livekit(now, message))],
            Platform::Telnyx => {
                let signature = TELNYX.sign(format!("{seconds}|{message}").as_bytes());
                let signature = BASE64.encode(signature.to_bytes());
                vec![("telnyx-signature-ed25519", signature), ("telnyx-timestamp", seconds)]
            }
            // Its secret is in the path.
            Platform::Synthflow => vec![],
            Platform::Custom => vec![("authorization", format!("Bearer {}", self.secret))],
        }
    }

    fn mac(&self, parts: &[&str]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("a key");
        parts.iter().for_each(|part| mac.update(part.as_bytes()));
        mac.finalize().into_bytes().to_vec()
    }

    /// Over the address with the form's fields, sorted, behind it.
    fn twilio(&self, base: &str, form: &str) -> String {
        let mut fields: Vec<(String, String)> =
            url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        fields.sort();
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).expect("a key");
        mac.update(format!("{base}{}", self.path()).as_bytes());
        fields.iter().for_each(|(name, value)| mac.update(format!("{name}{value}").as_bytes()));
        BASE64.encode(mac.finalize().into_bytes())
    }

    /// A token (RFC 7519) that holds the hash of the body.
    fn livekit(&self, now: Time, message: &str) -> String {
        let claims = serde_json::json!({
            "iss": "key", "nbf": now.unix_seconds(), "exp": now.unix_seconds() + 300,
            "sha256": BASE64.encode(Sha256::digest(message)),
        });
        let part = |text: String| URL_SAFE.encode(text);
        let head = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#.into()), part(claims.to_string()));
        format!("{head}.{}", URL_SAFE.encode(self.mac(&[&head])))
    }
}

/// The key pair of a made-up Telnyx account.
static TELNYX: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

pub(crate) fn content_type(message: &str) -> &'static str {
    if message.starts_with(['{', '[']) { "application/json" } else { "application/x-www-form-urlencoded" }
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
