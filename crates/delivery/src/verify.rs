//! Whether a webhook's signatures are right and, where one is not, which part is wrong: for people who build a receiver.
//! A receiver itself needs none of this, and compares in constant time.

use crate::sign::{check_public_key, hex_hmac, standard_hmac, standard_key};

/// A webhook as it was received.
pub struct Received<'a> {
    /// The secret that it should be signed with.
    pub secret: &'a str,
    /// Its headers; names in any case.
    pub headers: &'a [(String, String)],
    /// Its body, as the bytes that arrived.
    pub body: &'a [u8],
}

/// What was found of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The header that holds it.
    pub header: &'static str,
    /// What is wrong, in words; `None` where it is right.
    pub wrong: Option<String>,
}

/// The header of the contract.
const FIXED: &str = "X-InboundFlow-Signature";

/// The header of Standard Webhooks.
const STANDARD: &str = "webhook-signature";

/// Its signatures by the organization's Ed25519 key.
const BY_KEY: &str = "webhook-signature (v1a)";

/// Why a signature is not right.
enum Fault {
    /// It cannot be compared at all, or the culprit is known.
    Known(String),
    /// It is of something else.
    Differs,
}

impl Received<'_> {
    /// Looks at each signature that the webhook carries: none, one or two.
    pub fn check(&self) -> Vec<Finding> {
        let (fixed, standard) = (self.fixed(), self.standard());
        let (fixed_is_right, standard_is_right) =
            (matches!(fixed, Some(Ok(()))), matches!(standard, Some(Ok(()))));
        let finding = |header, result: Result<(), Fault>, otherwise: &str| Finding {
            header,
            wrong: result.err().map(|fault| match fault {
                Fault::Known(words) => words,
                Fault::Differs => otherwise.to_owned(),
            }),
        };
        let neither = "the secret or the body is not what it was made with";
        let of_fixed = match standard_is_right {
            true => {
                "it was made with another secret: while a secret is rotated this header stays on the one before"
            }
            false => neither,
        };
        let of_standard = match fixed_is_right {
            true => {
                "secret and body are right, so `webhook-id` or `webhook-timestamp` is not what was signed"
            }
            false => neither,
        };
        let fixed = fixed.map(|result| finding(FIXED, result, of_fixed));
        let standard = standard.map(|result| finding(STANDARD, result, of_standard));
        fixed.into_iter().chain(standard).collect()
    }

    /// Looks at the signatures that can be checked with a public key, `whpk_…`. `None` where the webhook has no header
    /// that would hold one.
    pub fn check_public_key(&self, public_key: &str) -> Option<Finding> {
        let given = self.header(STANDARD)?;
        let checked = || {
            let id = self.header("webhook-id").ok_or("`webhook-id` is missing")?;
            let time = self.header("webhook-timestamp").ok_or("`webhook-timestamp` is missing")?;
            let seconds = time.parse().map_err(|_| "`webhook-timestamp` is no number of Unix seconds")?;
            match check_public_key(public_key, given, id, seconds, self.body)? {
                true => Ok(()),
                false => {
                    Err("the key, the body, `webhook-id` or `webhook-timestamp` is not what it was made with")
                }
            }
        };
        Some(Finding { header: BY_KEY, wrong: checked().err().map(str::to_owned) })
    }

    /// The time that the webhook says it was signed at, in Unix seconds.
    pub fn signed_at(&self) -> Option<i64> {
        self.header("webhook-timestamp").or_else(|| self.header("x-inboundflow-timestamp"))?.parse().ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    fn fixed(&self) -> Option<Result<(), Fault>> {
        let given = self.header(FIXED)?;
        let known = |words: &str| Some(Err(Fault::Known(words.to_owned())));
        let Some(digits) = given.strip_prefix("sha256=") else {
            return known("it does not begin with `sha256=`");
        };
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return known("`sha256=` is not followed by 64 hexadecimal digits");
        }
        let is_of = |key: &[u8], body: &[u8]| hex_hmac(key, body).eq_ignore_ascii_case(given);
        if is_of(self.secret.as_bytes(), self.body) {
            return Some(Ok(()));
        }
        let decoded =
            "it was made with what the secret decodes to; this header's key is the secret's own characters";
        let keys = [
            (standard_key(self.secret), decoded),
            (format!("whsec_{}", self.secret).into_bytes(), WITHOUT_PREFIX),
        ];
        Some(Err(self.culprit(self.secret.as_bytes(), &keys, is_of)))
    }

    fn standard(&self) -> Option<Result<(), Fault>> {
        let given = self.header(STANDARD)?;
        Some(self.compare_standard(given))
    }

    fn compare_standard(&self, given: &str) -> Result<(), Fault> {
        let known = |words: &str| Fault::Known(words.to_owned());
        let id = self.header("webhook-id").ok_or_else(|| known("`webhook-id` is missing"))?;
        let time = self.header("webhook-timestamp").ok_or_else(|| known("`webhook-timestamp` is missing"))?;
        let seconds: i64 =
            time.parse().map_err(|_| known("`webhook-timestamp` is no number of Unix seconds"))?;
        if !given.split(' ').any(|signature| signature.starts_with("v1,")) {
            return Err(known("none of its signatures begins with `v1,`"));
        }
        let is_of = |key: &[u8], id: &str, seconds: i64, body: &[u8]| {
            let made = standard_hmac(key, id, seconds, body);
            given.split(' ').any(|signature| signature == made)
        };
        let key = standard_key(self.secret);
        if is_of(&key, id, seconds, self.body) {
            return Ok(());
        }
        for other in self.other_ids() {
            if is_of(&key, &other, seconds, self.body) {
                return Err(Fault::Known(format!("`webhook-id` is not what was signed: that was {other}")));
            }
        }
        let other = self.header("x-inboundflow-timestamp").and_then(|text| text.parse().ok());
        if let Some(other) = other.filter(|other| is_of(&key, id, *other, self.body)) {
            return Err(Fault::Known(format!(
                "`webhook-timestamp` is not what was signed: that was {other}"
            )));
        }
        let own = "it was made with the secret's own characters; this header's key is what follows `whsec_`, decoded";
        let keys = [
            (self.secret.as_bytes().to_vec(), own),
            (standard_key(&format!("whsec_{}", self.secret)), WITHOUT_PREFIX),
        ];
        Err(self.culprit(&key, &keys, |key, body| is_of(key, id, seconds, body)))
    }

    /// Where else the webhook says which delivery it is.
    fn other_ids(&self) -> impl Iterator<Item = String> {
        let body: Option<serde_json::Value> = serde_json::from_slice(self.body).ok();
        let in_body = body.and_then(|body| body["delivery_id"].as_str().map(str::to_owned));
        let in_headers = self.header("x-inboundflow-delivery-id").map(str::to_owned);
        in_body.into_iter().chain(in_headers)
    }

    /// Tries the mistakes that people make.
    fn culprit(&self, key: &[u8], keys: &[(Vec<u8>, &str)], is_of: impl Fn(&[u8], &[u8]) -> bool) -> Fault {
        let ended = self.body.strip_suffix(b"\n").map(|body| body.strip_suffix(b"\r").unwrap_or(body));
        if ended.is_some_and(|body| is_of(key, body)) {
            return Fault::Known("the body has a line break at its end that was not sent".to_owned());
        }
        let compact: Option<serde_json::Value> = serde_json::from_slice(self.body).ok();
        if compact.is_some_and(|body| is_of(key, body.to_string().as_bytes())) {
            let words = "the body was read and written anew: what was signed are the bytes as they arrived";
            return Fault::Known(words.to_owned());
        }
        let found = keys.iter().find(|(key, _)| is_of(key, self.body));
        found.map_or(Fault::Differs, |(_, words)| Fault::Known((*words).to_owned()))
    }
}

const WITHOUT_PREFIX: &str = "the secret lacks its beginning, `whsec_`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{hex_signature, standard_signature};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &str = r#"{"event":"call.completed","delivery_id":"one"}"#;

    fn headers() -> Vec<(String, String)> {
        let pairs = [
            ("X-InboundFlow-Delivery-Id", "one".to_owned()),
            ("X-InboundFlow-Timestamp", "1771966800".to_owned()),
            (FIXED, hex_signature(SECRET, BODY.as_bytes())),
            ("Webhook-Id", "one".to_owned()),
            ("Webhook-Timestamp", "1771966800".to_owned()),
            (STANDARD, standard_signature(SECRET, "one", 1_771_966_800, BODY.as_bytes())),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// The headers with one of them changed.
    fn with(name: &str, value: &str) -> Vec<(String, String)> {
        let mut headers = headers();
        for header in &mut headers {
            if header.0.eq_ignore_ascii_case(name) {
                value.clone_into(&mut header.1);
            }
        }
        headers
    }

    fn without(name: &str) -> Vec<(String, String)> {
        headers().into_iter().filter(|(header, _)| !header.eq_ignore_ascii_case(name)).collect()
    }

    /// What is said of the fixed header and of the standard one.
    fn found(secret: &str, headers: &[(String, String)], body: &str) -> [Option<String>; 2] {
        let findings = Received { secret, headers, body: body.as_bytes() }.check();
        assert_eq!(findings.iter().map(|finding| finding.header).collect::<Vec<_>>(), [FIXED, STANDARD]);
        let mut wrong = findings.into_iter().map(|finding| finding.wrong);
        [wrong.next().flatten(), wrong.next().flatten()]
    }

    /// Both say this.
    fn both(words: &str) -> [Option<String>; 2] {
        [Some(words.to_owned()), Some(words.to_owned())]
    }

    #[test]
    fn what_is_right_is_right_and_only_what_is_there_is_looked_at() {
        assert_eq!(found(SECRET, &headers(), BODY), [None, None]);
        let fixed = without(STANDARD);
        let findings = Received { secret: SECRET, headers: &fixed, body: BODY.as_bytes() }.check();
        assert_eq!(findings, [Finding { header: FIXED, wrong: None }]);
        assert_eq!(Received { secret: SECRET, headers: &[], body: b"" }.check(), []);
    }

    #[test]
    fn a_wrong_secret_or_body_is_told_and_the_usual_mistakes_by_name() {
        let neither = both("the secret or the body is not what it was made with");
        assert_eq!(found(OTHER, &headers(), BODY), neither);
        assert_eq!(found(SECRET, &headers(), r#"{"event":"call.completed"}"#), neither);
        let ended = format!("{BODY}\r\n");
        assert_eq!(
            found(SECRET, &headers(), &ended),
            both("the body has a line break at its end that was not sent")
        );
        let pretty = "{\n  \"event\": \"call.completed\",\n  \"delivery_id\": \"one\"\n}";
        let anew = both("the body was read and written anew: what was signed are the bytes as they arrived");
        assert_eq!(found(SECRET, &headers(), pretty), anew);
        let bare = SECRET.trim_start_matches("whsec_");
        assert_eq!(found(bare, &headers(), BODY), both(WITHOUT_PREFIX));
    }

    #[test]
    fn each_header_has_its_own_key() {
        let swapped = hex_hmac(&standard_key(SECRET), BODY.as_bytes());
        let [fixed, standard] = found(SECRET, &with(FIXED, &swapped), BODY);
        assert!(
            fixed.is_some_and(|words| words.contains("the secret's own characters")) && standard.is_none()
        );
        let swapped = standard_hmac(SECRET.as_bytes(), "one", 1_771_966_800, BODY.as_bytes());
        let [fixed, standard] = found(SECRET, &with(STANDARD, &swapped), BODY);
        assert!(fixed.is_none() && standard.is_some_and(|words| words.contains("decoded")));
    }

    #[test]
    fn in_a_rotation_the_fixed_header_may_be_of_the_secret_before() {
        let new = standard_signature(OTHER, "one", 1_771_966_800, BODY.as_bytes());
        let old = standard_signature(SECRET, "one", 1_771_966_800, BODY.as_bytes());
        let [fixed, standard] = found(OTHER, &with(STANDARD, &format!("{new} {old}")), BODY);
        assert!(fixed.is_some_and(|words| words.contains("the one before")) && standard.is_none());
    }

    #[test]
    fn an_id_or_a_time_that_was_not_signed_is_named() {
        let said = |headers: &[(String, String)]| found(SECRET, headers, BODY);
        let id = "`webhook-id` is not what was signed: that was one".to_owned();
        assert_eq!(said(&with("webhook-id", "two")), [None, Some(id)]);
        let time = "`webhook-timestamp` is not what was signed: that was 1771966800".to_owned();
        assert_eq!(said(&with("webhook-timestamp", "1771966801")), [None, Some(time)]);
        let either =
            "secret and body are right, so `webhook-id` or `webhook-timestamp` is not what was signed";
        let made = standard_signature(SECRET, "three", 5, BODY.as_bytes());
        assert_eq!(said(&with(STANDARD, &made)), [None, Some(either.to_owned())]);
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        let wrong = |headers: &[(String, String)]| {
            let words = found(SECRET, headers, BODY).into_iter().flatten().collect::<Vec<_>>();
            words.join(" ")
        };
        let made = hex_signature(SECRET, BODY.as_bytes());
        let bare = made.trim_start_matches("sha256=");
        assert_eq!(wrong(&with(FIXED, bare)), "it does not begin with `sha256=`");
        assert_eq!(wrong(&with(FIXED, "sha256=12")), "`sha256=` is not followed by 64 hexadecimal digits");
        assert_eq!(wrong(&with(FIXED, &made.to_uppercase().replace("SHA", "sha"))), "");
        assert_eq!(wrong(&without("webhook-id")), "`webhook-id` is missing");
        assert_eq!(wrong(&without("webhook-timestamp")), "`webhook-timestamp` is missing");
        let word = "`webhook-timestamp` is no number of Unix seconds";
        assert_eq!(wrong(&with("webhook-timestamp", "now")), word);
        assert_eq!(wrong(&with(STANDARD, "v1a,abc")), "none of its signatures begins with `v1,`");
    }

    #[test]
    fn a_public_key_says_of_its_own_signatures_whether_they_are_right() {
        let key = crate::sign::SigningKey::of(&[7; 32]);
        let signature = key.signature("one", 1_771_966_800, BODY.as_bytes());
        let both = with(STANDARD, &format!("v1,AAAA {signature}"));
        let said = |headers: &[(String, String)], public_key: &str, body: &str| {
            let received = Received { secret: "", headers, body: body.as_bytes() };
            received.check_public_key(public_key).map(|finding| finding.wrong.unwrap_or_default())
        };
        let public_key = key.public_key();
        assert_eq!(said(&both, &public_key, BODY).as_deref(), Some(""));
        let other = "the key, the body, `webhook-id` or `webhook-timestamp` is not what it was made with";
        assert_eq!(said(&both, &public_key, "{}").as_deref(), Some(other));
        let none = "none of its signatures is one of `v1a,`";
        assert_eq!(said(&headers(), &public_key, BODY).as_deref(), Some(none));
        assert_eq!(said(&without(STANDARD), &public_key, BODY), None);
        assert!(said(&both, SECRET, BODY).is_some_and(|words| words.contains("whpk_")));
    }
}
