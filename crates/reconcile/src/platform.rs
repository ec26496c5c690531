//! A platform's API, asked with a source's key, through the guard that every request passes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use connectors::{History, history::Ask};
use delivery::{
    client::{Answer, FetchError},
    guard::Target,
    schedule::retry_after,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use model::SourceId;
use store::Source;

use crate::Reconciler;

/// A source whose platform can be asked.
pub(crate) struct Account {
    pub(crate) source: Arc<Source>,
    pub(crate) history: &'static dyn History,
    pub(crate) key: String,
    address: String,
}

/// Why a question was not answered.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Until a person changes something it stays so.
    Lasting(String),
    /// The platform asks to wait.
    Wait(Duration),
    /// It may be better soon.
    Passing(String),
    /// The platform does not know what it was asked for, or not any more.
    Refused(u16),
    /// Our own database.
    Store(store::Error),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// The longest answer that is read: a page of calls with everything that was said in them.
const ANSWER_BYTES: usize = 32 << 20;

/// How long is waited where the platform does not say how long.
const WAIT: Duration = Duration::from_secs(60);

/// No platform can put us off for longer than this at once.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

impl Reconciler {
    /// The platform's API for a source.
    pub(crate) async fn account(&self, id: SourceId) -> Result<Account, Trouble> {
        let lasting = |why: &str| Trouble::Lasting(why.to_owned());
        let source = self.store.find_source(id).await?.ok_or_else(|| lasting("the source was deleted"))?;
        let history = connectors::connector(source.platform).and_then(|connector| connector.history());
        let history = history.ok_or_else(|| lasting("the calls of this platform cannot be listed"))?;
        let key = self.store.org(source.org).platform_key(id).await?;
        let key = key.ok_or_else(|| lasting("the source has no `platform_api_key`"))?;
        let opened = self.options.keys.open(id, &key);
        let opened = opened.map_err(|error| Trouble::Lasting(error.to_string()))?;
        let address = key.api_url.unwrap_or_else(|| history.address().to_owned());
        Ok(Account { source, history, key: opened, address: address.trim_end_matches('/').to_owned() })
    }

    /// Asks; the body of a good answer. A platform that asked to wait is not asked for anything before that is over.
    pub(crate) async fn ask(&self, account: &Account, ask: Ask) -> Result<Vec<u8>, Trouble> {
        let (source, now) = (account.source.id, self.clock.now());
        let waits_until = self.told_to_wait().get(&source).copied().filter(|until| *until > now);
        if let Some(until) = waits_until {
            return Err(Trouble::Wait(until.since(now)));
        }
        let answer = self.send(account, ask).await;
        let now = self.clock.now();
        let mut told_to_wait = self.told_to_wait();
        told_to_wait.retain(|_, until| *until > now);
        if let Err(Trouble::Wait(wait)) = &answer {
            told_to_wait.insert(source, now + *wait);
        }
        answer
    }

    async fn send(&self, account: &Account, ask: Ask) -> Result<Vec<u8>, Trouble> {
        let url = format!("{}{}", account.address, ask.path);
        let target = Target::parse(&url, self.options.keys.allow())
            .map_err(|error| Trouble::Lasting(format!("the platform's API cannot be asked: {error}")))?;
        let mut headers = HeaderMap::new();
        for (name, value) in ask.headers {
            // Keys are printable ASCII; they were checked before they were sealed.
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| Trouble::Lasting("the platform's key cannot be sent".into()))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("InboundFlow/1.0"));
        let body = ask.json.map(|json| {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Bytes::from(json.to_string())
        });
        match self.options.client.fetch(&target, headers, body, ANSWER_BYTES).await {
            Ok(answer) => self.judge(answer),
            Err(FetchError::Failed(cause)) => Err(Trouble::Passing(cause.to_string())),
            Err(error @ FetchError::TooLong { .. }) => Err(Trouble::Lasting(error.to_string())),
        }
    }

    fn judge(&self, answer: Answer) -> Result<Vec<u8>, Trouble> {
        let wait = retry_after(&answer.headers, self.clock.now());
        match (answer.status, wait) {
            (200..=299, _) => Ok(answer.body),
            (401 | 403, _) => Err(Trouble::Lasting(format!(
                "the platform refuses the API key: it answered {}",
                answer.status
            ))),
            (429, wait) => {
                Err(Trouble::Wait(wait.unwrap_or(WAIT).clamp(Duration::from_secs(1), LONGEST_WAIT)))
            }
            (503, Some(wait)) => Err(Trouble::Wait(wait.clamp(Duration::from_secs(1), LONGEST_WAIT))),
            // It took too long to ask, or is too early to: not that there is nothing to ask for.
            (408 | 425, _) => Err(Trouble::Passing(format!("the platform answered {}", answer.status))),
            (400..=499, _) => Err(Trouble::Refused(answer.status)),
            (status, _) => Err(Trouble::Passing(format!("the platform answered {status}"))),
        }
    }
}
