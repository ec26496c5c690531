//! The key of a platform's API that a source has, for recordings that the API gives out to its account alone.

use connectors::History;
use delivery::guard::Target;
use http::{HeaderName, HeaderValue};
use store::Fetch;
use url::Url;

use crate::{
    fetch::{Failure, Means},
    schedule::Kind,
};

/// The headers that prove who asks, and where they may go.
pub(crate) struct Account {
    api: Url,
    /// Where the API has the recording, if it gives recordings out.
    recording: Option<String>,
    /// Or why there are none.
    headers: Result<Vec<(HeaderName, HeaderValue)>, Failure>,
}

impl Account {
    /// The account of a recording's source. `None` where the source has no key.
    pub(crate) async fn of(fetch: &Fetch, means: &Means) -> Result<Option<Self>, Failure> {
        let unusable = |words: &str| Failure::new(Kind::Passing, words);
        let history = connectors::connector(fetch.platform).and_then(|connector| connector.history());
        let Some(history) = history else { return Ok(None) };
        let key = means.store.org(fetch.org).platform_key(fetch.source).await.map_err(|error| {
            tracing::error!(%error, "the key of a source could not be read");
            unusable("the source's API key could not be read: see this server's log")
        })?;
        let Some(key) = key else { return Ok(None) };
        let address = key.api_url.unwrap_or_else(|| history.address().to_owned());
        let account = match means.sealer.open(&key.sealed, &seal::platform_key(fetch.source)) {
            Ok(opened) => Self::new(history, &address, &opened),
            // That holds up nothing that is to be had without it.
            Err(error) => {
                let failure = unusable(&format!("the source's API key cannot be opened: {error}"));
                Url::parse(&address).ok().map(|api| Self { api, recording: None, headers: Err(failure) })
            }
        };
        let path = fetch.external_id.as_deref().and_then(|id| history.recording(id, fetch.variant));
        let recording = path.map(|path| format!("{}{path}", address.trim_end_matches('/')));
        Ok(account.map(|account| Self { recording, ..account }))
    }

    fn new(history: &dyn History, address: &str, key: &str) -> Option<Self> {
        let header = |(name, value): (&'static str, String)| {
            let mut value = HeaderValue::try_from(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_static(name), value))
        };
        let headers: Vec<_> = history.credentials(key).into_iter().map(header).collect::<Option<_>>()?;
        Some(Self { api: Url::parse(address).ok()?, recording: None, headers: Ok(headers) })
    }

    /// Where the API has the recording, if it gives recordings out and nobody else said that it is there.
    pub(crate) fn recording_beside(&self, told: &str) -> Option<&str> {
        let is_told = Url::parse(told).is_ok_and(|told| told.origin() == self.api.origin());
        self.recording.as_deref().filter(|_| !is_told)
    }

    /// What goes to a place: everything to the API itself, by scheme, host and port, and nothing to anywhere else,
    /// whatever a message or a redirect says.
    pub(crate) fn headers_for(&self, target: &Target) -> Result<&[(HeaderName, HeaderValue)], Failure> {
        if target.url().origin() != self.api.origin() {
            return Ok(&[]);
        }
        self.headers.as_deref().map_err(Failure::clone)
    }
}

#[cfg(test)]
mod tests {
    use delivery::guard::AllowList;
    use model::Platform;

    use super::*;

    #[test]
    fn a_key_that_cannot_be_opened_holds_up_its_own_api_alone() {
        let failure = Failure::new(Kind::Passing, "the source's API key cannot be opened");
        let api = Url::parse("https://api.vapi.ai").expect("an address");
        let account = Account { api, recording: None, headers: Err(failure) };
        let shown = |url: &str| {
            let target = Target::parse(url, &AllowList::default()).expect("a target");
            account.headers_for(&target).map(<[_]>::len).map_err(|failure| failure.words)
        };
        assert_eq!(shown("https://storage.vapi.ai/1.wav"), Ok(0));
        let words = "the source's API key cannot be opened".to_owned();
        assert_eq!(shown("https://api.vapi.ai/call/1/mono-recording"), Err(words));
    }

    #[test]
    fn a_key_goes_to_its_own_api_alone_in_the_header_that_the_platform_reads() {
        let sent = |platform, address: Option<&str>, url: &str| {
            let history = connectors::connector(platform).and_then(|connector| connector.history());
            let history = history.expect("a platform with an API");
            let key = if platform == Platform::Twilio { "AC5515550100:token" } else { "key" };
            let account = Account::new(history, address.unwrap_or(history.address()), key).expect("headers");
            let target = Target::parse(url, &AllowList::default()).expect("a target");
            let headers = account.headers_for(&target).expect("a key").iter();
            let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
            headers.map(|(name, value)| format!("{name}: {}", text(value))).collect::<Vec<_>>()
        };
        for (platform, url, header) in [
            (Platform::Vapi, "https://api.vapi.ai/call/1/mono-recording", "authorization: Bearer key"),
            (Platform::ElevenLabs, "https://api.elevenlabs.io/v1/a/audio", "xi-api-key: key"),
            (Platform::Bland, "https://api.bland.ai/v1/recordings/1", "authorization: key"),
        ] {
            assert_eq!(sent(platform, None, url), [header]);
        }
        for url in [
            "https://storage.vapi.ai/1.wav",
            "https://api.vapi.ai.example.com/1.wav",
            "https://api.vapi.ai:8443/1.wav",
            "https://example.com/api.vapi.ai/1.wav",
        ] {
            assert!(sent(Platform::Vapi, None, url).is_empty(), "{url}");
        }
        let own = Some("https://eu.example.com/base");
        assert_eq!(sent(Platform::Vapi, own, "https://eu.example.com/1.wav").len(), 1);
        assert!(sent(Platform::Vapi, own, "https://api.vapi.ai/1.wav").is_empty());
    }
}
