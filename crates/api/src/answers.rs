//! What platforms ask: passed on to the address that the source's settings name, as it came, and its answer passed
//! back; or else answered with what the platform can go on with.

mod places;

use std::{sync::Arc, time::Duration};

use ::ingest::Asked;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use connectors::{Expects, Reply};
use delivery::{
    client::{Bounds, Client, Outcome},
    forward::NOT_PASSED_ON,
    guard::{AllowList, Target},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use store::{AnswerSummary, AnsweredBy, KeptAnswer, via_mark};

use self::places::Places;
use crate::AppState;

/// Asks the addresses that owners of sources name.
pub struct Answerer {
    client: Client,
    allow: Arc<AllowList>,
    places: Places,
}

/// How long an answer may be: some are audio.
const LONGEST_BYTES: usize = 4 << 20;

impl Answerer {
    /// One that sends with a client, to whatever the operator allows.
    pub fn new(client: Client, allow: Arc<AllowList>) -> Self {
        Self { client, allow, places: Places::default() }
    }

    /// Asks an address. The error says for the source's owner why there is no answer that the platform could use.
    async fn ask(&self, url: &str, question: Passed<'_>, body: Bytes) -> Result<Given, String> {
        let Passed { asked, headers, left } = question;
        let mark = via_mark(asked.source.id);
        if is_marked(headers, &mark) {
            return Err("settings.answers.url leads back to this source".into());
        }
        let target = Target::parse(url, &self.allow).map_err(|error| error.to_string())?;
        if left.is_zero() {
            return Err("there was no time left to ask settings.answers.url".into());
        }
        let _place =
            self.places.take(asked.source.id).ok_or("too many questions wait for an answer at once")?;
        // One byte more tells a longer answer from one that just fits.
        let bounds = Bounds { timeout: left, read_bytes: LONGEST_BYTES + 1, kept_bytes: LONGEST_BYTES + 1 };
        let outcome = self.client.post_within(&target, passed_on(headers, &mark), body, bounds).await;
        usable(outcome, asked.question.expects)
    }
}

/// A question on its way to the address.
struct Passed<'a> {
    asked: &'a Asked,
    headers: &'a HeaderMap,
    /// How long the answer may take.
    left: Duration,
}

/// An answer that goes back to the platform.
struct Given {
    by: AnsweredBy,
    status: StatusCode,
    content_type: Option<String>,
    content_encoding: Option<String>,
    body: Bytes,
    fault: Option<String>,
}

impl Given {
    /// Ours.
    fn own(reply: &Reply, fault: Option<String>) -> Self {
        Self {
            by: AnsweredBy::InboundFlow,
            status: StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK),
            content_type: Some(reply.content_type.to_owned()),
            content_encoding: None,
            body: reply.body.clone().into(),
            fault,
        }
    }

    fn kept(&self, took: Duration) -> KeptAnswer {
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let summary = AnswerSummary {
            by: self.by,
            took_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            status: i64::from(self.status.as_u16()),
            content_type: self.content_type.clone(),
            size: whole(self.body.len()),
            fault: self.fault.clone(),
        };
        KeptAnswer { summary, body: self.body.to_vec() }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let named =
            [(header::CONTENT_TYPE, self.content_type), (header::CONTENT_ENCODING, self.content_encoding)];
        for (name, value) in named {
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Answers a message that asks something, within the platform's time, and writes down what was answered.
pub(crate) async fn answer(state: &AppState, asked: &Asked, headers: &HeaderMap, body: Bytes) -> Response {
    let given = match connectors::answers_url(&asked.source.settings) {
        None => Given::own(&asked.question.unset, None),
        Some(url) => {
            let spent = state.clock.now().since(asked.received_at);
            let left = ours_of(asked.question.within).saturating_sub(spent);
            match state.answerer.ask(url, Passed { asked, headers, left }, body).await {
                Ok(given) => given,
                Err(fault) => {
                    let (source, message) = (asked.source.id, asked.message);
                    tracing::warn!(%source, %message, fault, "message {message} of source {source} was answered by us");
                    Given::own(&asked.question.unanswered, Some(fault))
                }
            }
        }
    };
    let took = state.clock.now().since(asked.received_at);
    let records = state.store.org(asked.source.org);
    if let Err(error) = records.keep_answer(asked.message, given.kept(took)).await {
        // The platform waits, and what it is told matters more than that it is written down.
        tracing::error!(%error, message = %asked.message, "the answer to message {} could not be kept", asked.message);
    }
    given.into_response()
}

/// The part of the platform's time that an answer may take: the rest is for the ways there and back.
fn ours_of(within: Duration) -> Duration {
    within * 9 / 10
}

/// What came back, if the platform can go by it.
fn usable(outcome: Outcome, expects: Expects) -> Result<Given, String> {
    if let Some(cause) = outcome.error {
        return Err(cause.to_string());
    }
    let header = |wanted: HeaderName| {
        let found = outcome.response_headers.iter().find(|(name, _)| *name == wanted.as_str());
        found.map(|(_, value)| value.clone())
    };
    let status = outcome.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default();
    if !status.is_success() {
        return Err(match header(header::LOCATION).filter(|_| status.is_redirection()) {
            Some(to) => {
                format!("it answered {}, a redirect to {to}; redirects are never followed", status.as_u16())
            }
            None => format!("it answered {}", status.as_u16()),
        });
    }
    let body = outcome.response_body;
    if body.len() > LONGEST_BYTES {
        return Err(format!("its answer is longer than {} MiB", LONGEST_BYTES >> 20));
    }
    if body.is_empty() {
        return Err(format!("it answered {} without a body", status.as_u16()));
    }
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
    if expects == Expects::Json && !is_json() {
        return Err("its answer is not JSON".into());
    }
    Ok(Given {
        by: AnsweredBy::Url,
        status,
        content_type: header(header::CONTENT_TYPE),
        content_encoding: header(header::CONTENT_ENCODING),
        body: body.into(),
        fault: None,
    })
}

/// The platform's own headers, its proofs among them, and the mark.
fn passed_on(headers: &HeaderMap, mark: &str) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| !NOT_PASSED_ON.contains(&name.as_str()));
    let mut passed: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Ok(mark) = HeaderValue::from_str(mark) {
        passed.append(header::VIA, mark);
    }
    passed
}

/// Whether a question comes back.
fn is_marked(headers: &HeaderMap, mark: &str) -> bool {
    headers.get_all(header::VIA).iter().any(|via| via.to_str().is_ok_and(|via| via.contains(mark)))
}
