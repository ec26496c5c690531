//! The bodies of `/v1/sources`: what is asked of a source, and how one is shown.

use delivery::guard::Target;
use model::{Platform, RecordingSettings, SourceId, Stamp, Time, last4, path_segment};
use reconcile::{KeyError, Keys};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};
use store::{KeyChange, ListedSource, SealedKey, ShownKey, Source, SourceChange};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use crate::{
    error::{ApiError, Code},
    v1::bodies::{check_secret, given, whole, wrong},
};

/// A platform that has webhooks: every one but our own API.
#[derive(Clone, Copy)]
pub(crate) struct SourcePlatform(pub(crate) Platform);

impl SourcePlatform {
    fn all() -> impl Iterator<Item = &'static str> {
        Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api).map(Platform::as_str)
    }
}

impl<'de> Deserialize<'de> for SourcePlatform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let platform = Platform::parse(&word).filter(|platform| *platform != Platform::Api);
        platform.map(Self).ok_or_else(|| {
            let all = Self::all().collect::<Vec<_>>().join(", ");
            de::Error::custom(format!("`{word}` is not a platform with webhooks: there are {all}"))
        })
    }
}

impl utoipa::PartialSchema for SourcePlatform {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Self::all())).into()
    }
}

impl ToSchema for SourcePlatform {}

/// What is asked of a new source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSourceBody {
    /// The platform that will send its webhooks.
    pub platform: SourcePlatform,
    /// A name for it; the platform's where there is none.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The secret that the platform signs with. One is made up where there is none, for platforms that take ours.
    #[schema(max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$")]
    pub secret: Option<String>,
    /// How the platform signs, where that can be chosen; `answers.url`, the address that answers what the platform asks; and
    /// for `custom` the mapping of its messages. For all of them, `recordings` may say that recordings are not fetched
    /// (`fetch`: false), or after how many days they are deleted (`keep_days`).
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// A key of the platform's API, with which its calls are listed: what its webhooks miss is then found, and its
    /// history can be imported. It is kept sealed and never shown. For Twilio `AccountSid:AuthToken`, or
    /// `AccountSid:KeySid:KeySecret` with an API key.
    #[schema(min_length = 1, max_length = 1000, pattern = "^[!-~]+$")]
    pub platform_api_key: Option<String>,
    /// Where the platform's API is, if not at its usual address, such as that of another region. Only beside a
    /// `platform_api_key`, because that is where the key is sent.
    #[schema(max_length = 2000)]
    pub platform_api_url: Option<String>,
}

/// What is to change of a source. What is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedSource {
    /// Its name.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// The secret, in the place of the one before, which is refused from now on. To change it without a gap, rotate it.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$", nullable = false)]
    secret: Option<String>,
    /// All its settings; null for the platform's usual ones.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// The key of the platform's API, in the place of the one before; null forgets it. It is kept sealed and never
    /// shown.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = "^[!-~]+$")]
    platform_api_key: Option<Option<String>>,
    /// Where the platform's API is, if not at its usual address. Only beside a `platform_api_key`, because that is
    /// where the key is sent.
    #[schema(max_length = 2000)]
    platform_api_url: Option<String>,
}

impl ChangedSource {
    pub(crate) fn into_change(self, source: &Source, keys: &Keys) -> Result<SourceChange, ApiError> {
        self.name.as_deref().map_or(Ok(()), check_name)?;
        check_secret(self.secret.as_deref())?;
        let platform_key = match self.platform_api_key {
            Some(None) => KeyChange::Remove,
            key => seal(keys, (source.platform, source.id), key.flatten(), self.platform_api_url)?.into(),
        };
        Ok(SourceChange { name: self.name, secret: self.secret, settings: self.settings, platform_key })
    }
}

/// Seals the key of a platform's API for a source.
pub(crate) fn seal(
    keys: &Keys,
    (platform, id): (Platform, SourceId),
    key: Option<String>,
    api_url: Option<String>,
) -> Result<Option<SealedKey>, ApiError> {
    let Some(key) = key else {
        let why = "belongs beside a `platform_api_key`: that is where the key is sent";
        return api_url.map_or(Ok(None), |_| Err(wrong("platform_api_url", why)));
    };
    match keys.seal(platform, id, &key, api_url) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(KeyError::Wrong { field, why }) => Err(wrong(field, &why)),
        // For the operator to mend, who reads the same sentence.
        Err(KeyError::Seal(error)) => {
            tracing::error!(%error, "a platform's key could not be sealed");
            Err(ApiError::new(Code::Conflict, format!("The key cannot be kept: {error}")))
        }
    }
}

/// The new secret of a source, and how long the one before is good.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateSecret {
    /// The new secret. One is made up where there is none, for platforms that take ours.
    #[schema(max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$")]
    pub secret: Option<String>,
    /// For how many seconds the secret before is still accepted: a day where nothing is said, a week at most.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    pub overlap_seconds: Option<i64>,
}

/// A source: an address that a voice platform sends its webhooks to.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct ShownSource {
    id: SourceId,
    /// The platform.
    #[schema(value_type = SourcePlatform)]
    platform: Platform,
    name: String,
    /// The address to be set in the platform.
    #[schema(example = "https://calls.example.com/ingest/vapi/0197a3c4-d5e6-7f80-91a2-b3c4d5e6f708")]
    url: String,
    /// How the platform signs, where that can be chosen, and for `custom` the mapping of its messages.
    #[schema(value_type = Object)]
    settings: Value,
    /// What the platform proves itself with, where it is the platform's to give out: that is to be this source's
    /// secret. Null where our secret is to be set in the platform.
    #[schema(required)]
    signs_with: Option<&'static str>,
    /// The last four characters of the secret; null where it has fewer than twelve.
    #[schema(required)]
    secret_last4: Option<String>,
    /// Until when the secret before the last rotation is accepted; null where it is not.
    #[schema(required)]
    previous_secret_until: Option<Time>,
    created_at: Stamp,
    updated_at: Stamp,
    /// When its last message arrived, whatever became of it.
    #[schema(required)]
    last_message_at: Option<Time>,
    /// What is known of the platform's API; null without a `platform_api_key`.
    #[schema(required)]
    platform_api: Option<PlatformApi>,
}

/// How a source's platform is asked for its calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlatformApi {
    /// The last four characters of the key; null where it has fewer than twelve.
    #[schema(required)]
    key_last4: Option<String>,
    /// When the key was set.
    key_set_at: Time,
    /// Where the API is; null for the platform's usual address.
    #[schema(required)]
    url: Option<String>,
}

impl From<ShownKey> for PlatformApi {
    fn from(key: ShownKey) -> Self {
        Self { key_last4: key.last4, key_set_at: key.set_at, url: key.api_url }
    }
}

/// A source whose secret is new. The secret is in this answer and in no later one.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceWithSecret {
    #[serde(flatten)]
    source: ShownSource,
    /// The secret.
    secret: String,
    /// The address with the secret at its end, for platforms that cannot sign; null where that is not accepted.
    #[schema(required)]
    url_with_secret: Option<String>,
}

impl ShownSource {
    pub(crate) fn new(listed: ListedSource, base: &str, now: Time) -> Self {
        let ListedSource { source, last_message_at, platform_key } = listed;
        let previous_secret_until = source.previous_secret_until.filter(|until| *until > now);
        let connector = connectors::connector(source.platform);
        Self {
            url: url(&source, base),
            id: source.id,
            platform: source.platform,
            name: source.name,
            settings: if source.settings.is_null() { Value::Object(Map::new()) } else { source.settings },
            signs_with: connector.and_then(|connector| connector.own_secret()),
            secret_last4: last4(&source.secret),
            previous_secret_until,
            created_at: Stamp::from_micros(source.created_at.micros()),
            updated_at: source.updated_at,
            last_message_at,
            platform_api: platform_key.map(PlatformApi::from),
        }
    }

    /// When anything of it changed.
    pub(crate) fn version(&self) -> Stamp {
        let last = self.last_message_at.map_or(i64::MIN, Time::micros);
        Stamp::from_micros(self.updated_at.micros().max(last))
    }
}

impl SourceWithSecret {
    /// As JSON, to be answered now and when the same request comes again.
    pub(crate) fn json(listed: ListedSource, base: &str, now: Time) -> String {
        let source = &listed.source;
        let connector = connectors::connector(source.platform);
        let in_path =
            connector.is_some_and(|connector| connector.takes_path_secret(&source.platform_settings()));
        let url_with_secret =
            in_path.then(|| format!("{}/{}", url(source, base), path_segment(&source.secret)));
        let secret = source.secret.clone();
        let shown = Self { source: ShownSource::new(listed, base, now), secret, url_with_secret };
        // Plain texts and times: there is nothing in them that JSON could not hold.
        serde_json::to_string(&shown).unwrap_or_else(|_| "null".into())
    }
}

fn url(source: &Source, base: &str) -> String {
    format!("{base}{}", source.platform.source_path(source.id))
}

/// What the types don't say of a name.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    if !(1..=200).contains(&name.chars().count()) {
        return Err(wrong("name", "must have 1 to 200 characters"));
    }
    Ok(())
}

/// Whether these can be settings of the platform's sources.
pub(crate) fn check_settings(platform: Platform, settings: &Value) -> Result<(), ApiError> {
    if !matches!(settings, Value::Null | Value::Object(_)) {
        return Err(wrong("settings", "must be an object"));
    }
    match connectors::connector(platform) {
        Some(connector) => RecordingSettings::split(settings)
            .and_then(|(_, rest)| connector.check_settings(&rest))
            .map_err(|why| wrong("settings", &why))?,
        None => return Err(wrong("platform", "has no webhooks")),
    }
    let Some(url) = connectors::answers_url(settings) else { return Ok(()) };
    Target::shape(url).map_err(|why| wrong("settings", &format!("settings.answers.url: {why}")))
}
