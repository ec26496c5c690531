//! Hallo: its signature, and its one message.

use model::{CallStatus, Completion, Facts, Phone, Platform, Stage, Time, Transfer};
use serde_json::Value;

use crate::{
    Connector, Parsed, Rejection, Request, Said, Secrets, Setup, Unreadable, read, settings,
    signature::{self, Algorithm},
};

const SIGNATURE: &str = "x-hallo-signature";

/// The connector for Hallo.
pub(crate) struct Hallo;

impl Connector for Hallo {
    fn platform(&self) -> Platform {
        Platform::Custom
    }

    fn setup(&self) -> Setup {
        Setup {
            name: "Hallo",
            secret: None,
            steps: &["In Hallo, open “Webhooks”, paste the address and give it the secret."],
        }
    }

    /// `X-Hallo-Signature: <hex>`: HMAC-SHA256 over the body.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        _settings: &Value,
        request: &Request<'_>,
        _now: Time,
    ) -> Result<(), Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        let header = signature::header(request.headers, SIGNATURE)
            .ok_or_else(|| Rejection::Missing(format!("header {SIGNATURE}")))?;
        let mac = hex::decode(header).map_err(|_| Rejection::Malformed {
            header: SIGNATURE.into(),
            expected: "a hash in hexadecimal",
        })?;
        let ours =
            |secret: &str| signature::matches(Algorithm::Sha256, secret.as_bytes(), &[request.body], &mac);
        if secrets.each().any(ours) { Ok(()) } else { Err(Rejection::Mismatch { header: SIGNATURE.into() }) }
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        settings::known(settings, "Hallo", &[]).map(drop)
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        let event = read::text(&body["kind"]).ok_or_else(|| Unreadable::new("kind is missing"))?;
        let external_id = read::id(&body["id"]);
        if event != "ended" {
            return Ok(Parsed { event, event_id: None, external_id, changes: vec![] });
        }
        let external_id = external_id.ok_or_else(|| Unreadable::new("id is missing"))?;
        let facts = Facts {
            status: Some(CallStatus::Completed),
            caller_phone: read::text(&body["from"]).and_then(|number| Phone::parse(&number, None)),
            duration_seconds: read::number(&body["seconds"]).and_then(read::whole_seconds),
            ..Facts::default()
        };
        let said = Said { stage: Stage::Ended, completion: Completion::Now, transfer: Transfer::None, facts };
        let change = said.into_change(external_id.clone(), None);
        Ok(Parsed { event, event_id: None, external_id: Some(external_id), changes: vec![change] })
    }
}
