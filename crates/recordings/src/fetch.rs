//! One try to fetch a recording: to where the platform has it, through the address guard at every hop, piece by piece
//! into the vault.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use delivery::{
    client::{Cause, Client, Download},
    guard::{AllowList, Target},
};
use http::{HeaderMap, HeaderValue, header};
use model::Platform;
use seal::Sealer;
use store::{Fetch, Store, StoredObject};

use crate::{
    account::Account,
    schedule::Kind,
    sniff::{LOOKED_AT, sniff},
    vault::{Upload, Vault, VaultError},
};

/// How we call ourselves to platforms.
const USER_AGENT: &str = "InboundFlow-Recordings/1.0";

/// How many redirects are followed: platforms send one on to where the file is.
const REDIRECTS: usize = 3;

/// How much and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest recording that is kept, in bytes.
    pub bytes: u64,
    /// How long a try may take in all.
    pub time: Duration,
}

/// What a try needs.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) store: Store,
    pub(crate) sealer: Sealer,
    pub(crate) client: Client,
    pub(crate) allow: Arc<AllowList>,
    pub(crate) vault: Vault,
    pub(crate) limits: Limits,
}

/// Why a try failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// In words, for the owner of the recording. Holds no address with its query: signatures stand there.
    pub(crate) words: String,
    /// How long the platform wants us to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into(), retry_after: None }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        let kind = if matches!(cause, Cause::Forbidden(_)) { Kind::Final } else { Kind::Passing };
        Self::new(kind, cause.to_string())
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        // What it says may name folders and buckets, which are the operator's.
        tracing::error!(error = ?error, "a recording could not be written to the object store");
        Self::new(Kind::Passing, "this server could not store it: see its log")
    }
}

/// Fetches a recording into the vault.
pub(crate) async fn fetch(fetch: &Fetch, means: &Means) -> Result<StoredObject, Failure> {
    let limit = means.limits.time;
    match tokio::time::timeout(limit, follow(fetch, means)).await {
        Ok(result) => result,
        Err(_) => {
            let words = format!("the recording did not come within {} s", limit.as_secs());
            Err(Failure::new(Kind::Passing, words))
        }
    }
}

/// First where the message said, then where the platform's API has it: addresses are private, or stop being good, and
/// some recordings have none.
async fn follow(fetch: &Fetch, means: &Means) -> Result<StoredObject, Failure> {
    let account = Account::of(fetch, means).await?;
    let account = account.as_ref();
    let in_api = account.and_then(|account| account.recording_beside(&fetch.url));
    if fetch.url.is_empty() {
        let words = "the platform gives it out by its API alone, and the source has no key of that";
        let url = in_api.ok_or_else(|| Failure::new(Kind::Refused, words))?;
        return follow_from(url, fetch, (account, means)).await;
    }
    match (follow_from(&fetch.url, fetch, (account, means)).await, in_api) {
        (Err(Failure { kind: Kind::Refused | Kind::NotSound, .. }), Some(url)) => {
            follow_from(url, fetch, (account, means)).await
        }
        (result, _) => result,
    }
}

async fn follow_from(
    url: &str,
    fetch: &Fetch,
    (account, means): (Option<&Account>, &Means),
) -> Result<StoredObject, Failure> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS {
        // Each hop is looked at as if a person had typed it.
        let target = Target::parse(&url, &means.allow)
            .map_err(|error| Failure::new(Kind::Final, error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static("audio/*, video/*;q=0.8, */*;q=0.1"));
        let shown = account.map_or(Ok(&[][..]), |account| account.headers_for(&target))?;
        headers.extend(shown.iter().cloned());
        if shown.is_empty()
            && let Some(credentials) = credentials(fetch, &target)
        {
            headers.insert(header::AUTHORIZATION, credentials);
        }
        let download = means.client.get(&target, headers).await?;
        match download.status {
            200 => return keep(download, fetch, means).await,
            301 | 302 | 303 | 307 | 308 => {
                let next = download.header(header::LOCATION).and_then(|place| target.url().join(place).ok());
                let unclear =
                    || Failure::new(Kind::NotSound, "the platform redirects, and does not say where to");
                url = next.ok_or_else(unclear)?.into();
            }
            status @ (401 | 403) if !shown.is_empty() => {
                let words = format!("the platform refuses the source's API key: it answered {status}");
                return Err(Failure::new(Kind::Refused, words));
            }
            status => return Err(refusal(status, &download)),
        }
    }
    Err(Failure::new(Kind::NotSound, format!("the platform redirects more than {REDIRECTS} times")))
}

/// What the platform wants to see before it gives a recording out, where the source has no key of its API. Goes to the
/// platform's own hosts and nowhere else, wherever a message says that a recording is, and whatever redirects there are.
fn credentials(fetch: &Fetch, target: &Target) -> Option<HeaderValue> {
    match fetch.platform {
        Platform::Twilio => twilio(fetch, target),
        _ => None,
    }
}

/// Basic authentication with the account's SID, which stands in the address, and its auth token, which is what Twilio
/// signs webhooks with (<https://www.twilio.com/docs/voice/api/recording>).
fn twilio(fetch: &Fetch, target: &Target) -> Option<HeaderValue> {
    let host = target.host();
    if host != "api.twilio.com" && !host.ends_with(".twilio.com") {
        return None;
    }
    let mut segments = target.url().path_segments()?;
    let account = segments.find(|segment| *segment == "Accounts").and_then(|_| segments.next())?;
    if !account.starts_with("AC") || fetch.secret.is_empty() {
        return None;
    }
    let mut value =
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{account}:{}", fetch.secret))))
            .ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn refusal(status: u16, download: &Download) -> Failure {
    let kind = match status {
        408 | 425 | 429 | 500.. => Kind::Passing,
        _ => Kind::Refused,
    };
    let why = match status {
        401 | 403 => ": it is private, or its address is no longer good",
        404 | 410 => ": it is not there, or not any more",
        _ => "",
    };
    let seconds = download.header(header::RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    Failure {
        kind,
        words: format!("the platform answered {status}{why}"),
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// Keeps what comes, if it is sound.
async fn keep(mut download: Download, fetch: &Fetch, means: &Means) -> Result<StoredObject, Failure> {
    let limit = means.limits.bytes;
    let too_long = || Failure::new(Kind::Final, format!("the recording is larger than {limit} bytes"));
    if download.length().is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let mut head = BytesMut::new();
    while head.len() < LOOKED_AT
        && let Some(piece) = download.chunk().await?
    {
        head.extend_from_slice(&piece);
    }
    let declared = download.header(header::CONTENT_TYPE);
    let sound = sniff(&head, declared).map_err(|why| Failure::new(Kind::NotSound, why.to_string()))?;
    let mut upload = means.vault.put(&fetch.key, sound);
    match pour(&mut download, head.freeze(), &mut upload, limit).await {
        Ok(Poured::All) => Ok(upload.finish().await?),
        Ok(Poured::TooMuch) => {
            upload.abort().await;
            Err(too_long())
        }
        Err(failure) => {
            upload.abort().await;
            Err(failure)
        }
    }
}

enum Poured {
    All,
    TooMuch,
}

async fn pour(
    download: &mut Download,
    head: Bytes,
    upload: &mut Upload,
    limit: u64,
) -> Result<Poured, Failure> {
    let mut next = Some(head);
    while let Some(piece) = next {
        if upload.size() + piece.len() as u64 > limit {
            return Ok(Poured::TooMuch);
        }
        upload.write(piece).await?;
        next = download.chunk().await?;
    }
    Ok(Poured::All)
}

#[cfg(test)]
mod tests {
    use model::{CallId, OrgId, SourceId, Variant};
    use uuid::Uuid;

    use super::*;

    fn recording(platform: Platform, url: &str) -> Fetch {
        Fetch {
            call: CallId::new(Uuid::from_u128(1)),
            variant: Variant::Mono,
            org: OrgId::new(Uuid::from_u128(2)),
            source: SourceId::new(Uuid::from_u128(3)),
            platform,
            secret: "the-auth-token".into(),
            external_id: None,
            url: url.into(),
            attempt: 1,
            key: "key".into(),
        }
    }

    #[test]
    fn credentials_go_to_the_platform_s_own_hosts_alone() {
        let shown = |platform, url: &str| {
            let target = Target::parse(url, &AllowList::default()).expect("a target");
            let value = credentials(&recording(platform, url), &target);
            value.map(|value| value.to_str().expect("text").to_owned())
        };
        let url = "https://api.twilio.com/2010-04-01/Accounts/AC5515550100/Recordings/RE1";
        // Computed with `printf %s 'AC5515550100:the-auth-token' | base64`.
        assert_eq!(
            shown(Platform::Twilio, url).as_deref(),
            Some("Basic QUM1NTE1NTUwMTAwOnRoZS1hdXRoLXRva2Vu")
        );
        for (platform, url) in [
            (Platform::Bland, url),
            (Platform::Twilio, "https://api.twilio.com/Recordings/RE1"),
            (Platform::Twilio, "https://api.twilio.com.example.com/Accounts/AC1/Recordings/RE1"),
            (Platform::Twilio, "https://eviltwilio.com/Accounts/AC1/Recordings/RE1"),
            (Platform::Twilio, "https://media.example.com/Accounts/AC1/Recordings/RE1"),
        ] {
            assert_eq!(shown(platform, url), None, "{url}");
        }
    }
}
