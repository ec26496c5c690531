//! Another server that speaks the contract, asked no more often than it allows.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use delivery::{
    client::{Answer, Client, ClientOptions, FetchError},
    guard::{AllowList, Target},
    schedule::retry_after,
};
use model::{Clock, Time};
use reqwest::{
    Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde_json::Value;
use store::ImportKind;
use uuid::Uuid;

use crate::output;

/// How long a page may be, in bytes: a hundred calls with long transcripts.
const ANSWER_BYTES: usize = 256 << 20;

/// How long an answer may take, its body included.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How many records a page has: as many as the contract allows, because pages are counted.
const PAGE: &str = "100";

/// How long it waits where the other server does not say how long.
const WINDOW: Duration = Duration::from_secs(60);

/// How often in a row it asks again where no good answer comes, waiting twice as long each time, from a second on.
const TRIES: u32 = 6;

/// The other server.
pub struct Remote {
    client: Client,
    allow: Arc<AllowList>,
    clock: Arc<dyn Clock>,
    origin: String,
    headers: HeaderMap,
    /// It asked not to be asked before this.
    not_before: Option<Time>,
}

/// A page of a list, newest first.
pub(super) struct Page {
    pub(super) records: Vec<Value>,
    pub(super) next: Option<String>,
}

impl Remote {
    /// The server at an address, such as `https://calls.example.com`, asked with an API key of its own.
    pub fn new(url: &str, key: &str, allow: AllowList, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let origin = url.trim_end_matches('/').trim_end_matches("/v1").to_owned();
        let allow = Arc::new(allow);
        Target::parse(&origin, &allow)?;
        let mut key = HeaderValue::try_from(format!("Bearer {key}")).context("the key has odd characters")?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, key),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let client = Client::new(&ClientOptions { timeout: TIMEOUT, ..ClientOptions::new(allow.clone()) })?;
        Ok(Self { client, allow, clock, origin, headers, not_before: None })
    }

    /// Its address, by which it is remembered.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A page of a list; `None` where it has no such list.
    pub(super) async fn list(
        &mut self,
        kind: ImportKind,
        since: Option<&str>,
        cursor: Option<&str>,
    ) -> anyhow::Result<Option<Page>> {
        let mut url = self.url(&[kind.as_str()])?;
        let query = [("limit", Some(PAGE)), ("since", since), ("cursor", cursor)];
        url.query_pairs_mut().extend_pairs(query.iter().filter_map(|(name, value)| Some((name, (*value)?))));
        let Some(mut body) = self.get(&url).await? else { return Ok(None) };
        let Value::Array(records) = body["data"].take() else { bail!("{} is no list", shown(&url)) };
        let next = body["next_cursor"].as_str().map(str::to_owned);
        Ok(Some(Page { records, next }))
    }

    /// A record with all that is known of it; `None` where there is none.
    pub(super) async fn one(&mut self, kind: ImportKind, id: Uuid) -> anyhow::Result<Option<Value>> {
        let url = self.url(&[kind.as_str(), &id.to_string()])?;
        Ok(self.get(&url).await?.map(|mut body| body["data"].take()).filter(Value::is_object))
    }

    fn url(&self, path: &[&str]) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("{}/v1/{}", self.origin, path.join("/")))?)
    }

    /// Asks until an answer comes that is one.
    async fn get(&mut self, url: &Url) -> anyhow::Result<Option<Value>> {
        let target = Target::parse(url.as_str(), &self.allow)?;
        let mut failures = 0;
        loop {
            self.wait().await;
            let result = self.client.fetch(&target, self.headers.clone(), None, ANSWER_BYTES).await;
            let now = self.clock.now();
            let why = match result {
                Ok(answer) => {
                    self.not_before = pause(&answer, now).map(|pause| now + pause);
                    match answer.status {
                        200 => {
                            return serde_json::from_slice(&answer.body).map(Some).map_err(|_| broken(url));
                        }
                        404 => return Ok(None),
                        429 => {
                            failures = 0;
                            continue;
                        }
                        401 => bail!("{} does not take the key (401)", self.origin),
                        403 => bail!("the key may not read {} (403)", shown(url)),
                        500.. => format!("it answered {}", answer.status),
                        status => bail!("{} was answered with {status}", shown(url)),
                    }
                }
                Err(FetchError::Failed(cause)) => cause.to_string(),
                Err(too_long @ FetchError::TooLong { .. }) => bail!("{}: {too_long}", shown(url)),
            };
            if failures == TRIES {
                bail!("{}: {why}. Give the same command again to go on from here", shown(url));
            }
            let after = now + Duration::from_secs(1 << failures);
            self.not_before = Some(self.not_before.map_or(after, |asked| asked.max(after)));
            failures += 1;
        }
    }

    async fn wait(&mut self) {
        let Some(until) = self.not_before.take() else { return };
        let seconds = until.since(self.clock.now()).as_secs_f64().ceil();
        if seconds > 0.0 {
            output::mention(&format!("waiting {seconds} s for the other server"));
            self.clock.sleep_until(until).await;
        }
    }
}

/// How long the other server wants to be left alone: as it says, or until its window closes that is used up.
fn pause(answer: &Answer, now: Time) -> Option<Duration> {
    let header = |name: &str| answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    if answer.status == 429 {
        return Some(retry_after(&answer.headers, now).unwrap_or(WINDOW));
    }
    if answer.status == 503 {
        return retry_after(&answer.headers, now);
    }
    if header("x-ratelimit-remaining")?.trim() != "0" {
        return None;
    }
    let resets_at: i64 = header("x-ratelimit-reset")?.trim().parse().ok()?;
    let seconds = u64::try_from(resets_at - now.unix_seconds()).ok()?;
    // A window is a minute. Where it seems longer, the two clocks differ, and a 429 will say more.
    Some(Duration::from_secs(seconds).min(WINDOW))
}

fn broken(url: &Url) -> anyhow::Error {
    anyhow::anyhow!("the answer to {} is not JSON", shown(url))
}

/// The address without its query.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
