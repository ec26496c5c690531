//! A keyed hash over a request that the platform's owner can shape in many ways: which header, which algorithm, over
//! what. Vapi has it so; what else signs its webhooks mostly fits into it.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use model::Time;
use serde::Deserialize;

use crate::{
    Rejection, Request, Secrets, plain, read,
    signature::{self, Algorithm, Tolerance},
    template::{Filling, Part, Template},
};

/// Base64 as people paste it, padded or not.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A keyed hash. The fields are those of Vapi's own plan (`HMACAuthenticationPlan`).
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keyed {
    algorithm: Algorithm,
    pub(crate) signature_header: String,
    /// What stands before the hash, such as `v1,`.
    signature_prefix: String,
    timestamp_header: String,
    include_timestamp: bool,
    message_id_header: String,
    /// What the hash is over; see [`Template`].
    payload_format: Option<String>,
    encoding: Encoding,
    secret_is_base64: bool,
    tolerance_seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Hex,
    Base64,
}

impl Default for Keyed {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            signature_header: "x-signature".into(),
            signature_prefix: String::new(),
            timestamp_header: "x-timestamp".into(),
            include_timestamp: true,
            message_id_header: "svix-id".into(),
            payload_format: None,
            encoding: Encoding::Hex,
            secret_is_base64: false,
            tolerance_seconds: 300,
        }
    }
}

impl Keyed {
    /// What the types don't say.
    pub(crate) fn check(&self) -> Result<(), String> {
        plain::check_header("signature_header", &self.signature_header)?;
        plain::check_header("timestamp_header", &self.timestamp_header)?;
        plain::check_header("message_id_header", &self.message_id_header)?;
        if !(1..=86_400).contains(&self.tolerance_seconds) {
            return Err("settings.auth.tolerance_seconds must be between 1 and 86400".into());
        }
        let template = self.template()?;
        if template.has(Part::Timestamp) && !self.include_timestamp {
            return Err("settings.auth.payload_format has {timestamp}, but include_timestamp is false".into());
        }
        Ok(())
    }

    fn template(&self) -> Result<Template<'_>, String> {
        let default = if self.include_timestamp { "{timestamp}.{body}" } else { "{body}" };
        Template::parse(self.payload_format.as_deref().unwrap_or(default))
            .map_err(|error| format!("settings.auth.payload_format {error}"))
    }

    /// Whether the request has the hash.
    pub(crate) fn verify(
        &self,
        secrets: &Secrets<'_>,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let template = self.template().map_err(Rejection::Settings)?;
        let mac = self.mac(plain::required(request, &self.signature_header)?)?;
        let (mut timestamp, mut message_id): (&[u8], &[u8]) = (b"", b"");
        if template.has(Part::Timestamp) {
            timestamp = plain::required(request, &self.timestamp_header)?;
        }
        if template.has(Part::MessageId) {
            message_id = plain::required(request, &self.message_id_header)?;
        }
        let payload =
            template.fill(Filling { body: request.body, timestamp, message_id, url: request.url.as_bytes() });
        let keys = self.keys(secrets)?;
        let ours = |key: &Vec<u8>| signature::matches(self.algorithm, key, &payload, &mac);
        plain::matched(keys.iter().any(ours), &self.signature_header)?;
        // A time that is not signed could be anybody's, so it proves nothing and is not looked at.
        if template.has(Part::Timestamp) { self.check_age(timestamp, now) } else { Ok(()) }
    }

    fn mac(&self, header: &[u8]) -> Result<Vec<u8>, Rejection> {
        let (decoded, expected) = match (header.strip_prefix(self.signature_prefix.as_bytes()), self.encoding)
        {
            (None, _) => (None, "the configured `signature_prefix` and the hash"),
            (Some(hash), Encoding::Hex) => (hex::decode(hash).ok(), "a hash in hexadecimal"),
            (Some(hash), Encoding::Base64) => (BASE64.decode(hash).ok(), "a hash in base64"),
        };
        decoded.ok_or_else(|| Rejection::Malformed { header: self.signature_header.clone(), expected })
    }

    /// The bytes of the secrets.
    fn keys(&self, secrets: &Secrets<'_>) -> Result<Vec<Vec<u8>>, Rejection> {
        // Standard Webhooks writes `whsec_` before the secret.
        let from_base64 = |secret: &str| BASE64.decode(secret.trim().trim_start_matches("whsec_")).ok();
        let key = |secret: &str| {
            if self.secret_is_base64 { from_base64(secret) } else { Some(secret.as_bytes().to_vec()) }
        };
        let keys: Vec<_> = secrets.each().filter_map(key).collect();
        if keys.is_empty() { Err(Rejection::SecretNotBase64) } else { Ok(keys) }
    }

    /// Few say whether the time is in seconds or milliseconds; [`read::time`] takes both.
    fn check_age(&self, timestamp: &[u8], now: Time) -> Result<(), Rejection> {
        let signed_at = signature::digits(timestamp).and_then(|number| read::time(&number.into()));
        let signed_at = signed_at.ok_or_else(|| Rejection::Malformed {
            header: self.timestamp_header.clone(),
            expected: "seconds or milliseconds since 1970",
        })?;
        signature::check_age(signed_at, now, Tolerance { seconds: self.tolerance_seconds })
    }
}
