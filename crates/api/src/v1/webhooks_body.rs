//! The bodies of `/v1/webhooks`: what is asked of an endpoint, and how one is shown.

use model::{EndpointId, EventFilter, Format, Redacted, SourceId, Stamp, Telling, Time, last4};
use serde::{Deserialize, Deserializer, Serialize, de};
use store::{Endpoint, EndpointChange, EndpointState, HeldChoice, OrgStore, Trouble};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr,
        schema::{AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

use crate::{
    error::ApiError,
    v1::{
        bodies::{given, whole, wrong},
        webhook_pacing::{self, Rate, WebhookOrdering},
        webhook_telling::{AskedTelling, Filters, ShownTelling, WrittenHeaders},
    },
};

/// The events that an endpoint asks for: their names, `all` or `*`.
#[derive(Clone)]
pub(crate) struct Subscription(pub(crate) EventFilter);

/// How an endpoint's events are shown.
fn shown(events: Vec<String>) -> Vec<String> {
    if events.is_empty() { vec!["all".to_owned()] } else { events }
}

impl<'de> Deserialize<'de> for Subscription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // One name for itself is what Zapier sends as `event`.
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be a list of events' names")]
        enum Written {
            List(Vec<String>),
            One(String),
        }
        let words = match Written::deserialize(deserializer)? {
            Written::List(list) => list,
            Written::One(word) => vec![word],
        };
        EventFilter::parse(words.iter().map(String::as_str)).map(Self).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Subscription {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(EventFilter::words()));
        ArrayBuilder::new().items(word).min_items(Some(1)).into()
    }
}

impl ToSchema for Subscription {}

/// What is asked of a new endpoint. For Zapier's REST hooks the address may also be called `hookUrl` or `target_url`,
/// and a single event `event`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// Where webhooks go: https, unless the operator allows the host.
    #[serde(alias = "hookUrl", alias = "targetUrl", alias = "target_url")]
    #[schema(format = "webhook-url", max_length = 2048)]
    pub url: String,
    /// The events it is told of; `all` for the four that are documented first, `*` for each there is, those to come
    /// included.
    #[serde(alias = "event")]
    pub events: Subscription,
    /// What it is for.
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// The secret that its webhooks are signed with. One is made up where the field is absent; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$")]
    pub secret: Option<Option<String>>,
    /// How many deliveries a second it is sent at most; what is more waits. Where the field is absent, 25 for
    /// `hooks.zapier.com`, which takes no more, and no limit elsewhere; null for no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub rate: Option<Rate>,
    /// Which of its deliveries wait for which; `none` where nothing is said.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub ordering: Option<WebhookOrdering>,
    /// Of which calls it is told; null for all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Filters>)]
    pub filters: Option<Option<Filters>>,
    /// What it is not told: the fields stay, and are null or masked.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    pub redact: Option<Vec<Redacted>>,
    /// The form of its webhooks' bodies.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub format: Option<Format>,
    /// Headers that it is sent beside ours, such as `Authorization`: at most 20, of printable ASCII characters, with at most
    /// 6000 bytes in all; none of ours, and none about the connection. Their values are never shown whole again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<WrittenHeaders>)]
    pub headers: Option<Option<WrittenHeaders>>,
    /// Whether the organization's Ed25519 key signs too (`v1a` in `webhook-signature`); its public key is at
    /// `/v1/signing-key`.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub sign_v1a: Option<bool>,
    /// Zapier's older name for `target_url`, which it sends beside it.
    #[serde(rename = "subscription_url")]
    #[schema(ignore)]
    _subscription_url: Option<de::IgnoredAny>,
}

/// What is to change of an endpoint. What is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedWebhook {
    /// Where webhooks go from now on, those that are tried again too.
    #[serde(default, deserialize_with = "given")]
    #[schema(format = "webhook-url", max_length = 2048, nullable = false)]
    pub url: Option<String>,
    /// What it is for; null for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub description: Option<Option<String>>,
    /// The events it is told of.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub events: Option<Subscription>,
    /// How many deliveries a second it is sent at most; null for no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub rate: Option<Rate>,
    /// Which of its deliveries wait for which, of those that wait already too.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub ordering: Option<WebhookOrdering>,
    /// Of which calls it is told; null for all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Filters>)]
    pub filters: Option<Option<Filters>>,
    /// What it is not told: the fields stay, and are null or masked.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    pub redact: Option<Vec<Redacted>>,
    /// The form of its webhooks' bodies.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub format: Option<Format>,
    /// Headers that it is sent beside ours, such as `Authorization`: at most 20, of printable ASCII characters, with at most
    /// 6000 bytes in all; none of ours, and none about the connection. Those that are named are set, or left out where they are
    /// null; the others stay. null for none at all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<WrittenHeaders>)]
    pub headers: Option<Option<WrittenHeaders>>,
    /// Whether the organization's Ed25519 key signs too (`v1a` in `webhook-signature`); its public key is at
    /// `/v1/signing-key`.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub sign_v1a: Option<bool>,
    /// Whether it is told.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub state: Option<ChosenState>,
    /// What becomes of the deliveries that were held, where `state` is `enabled` (else it is ignored): `deliver` sends
    /// them all, the oldest first; a date-time sends those made after it and calls the others off; `discard` calls all
    /// of them off. `deliver` where nothing is said.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub held: Option<ChosenHeld>,
}

impl NewWebhook {
    /// Takes what is asked of how it is told.
    pub(crate) fn take_telling(&mut self) -> AskedTelling {
        AskedTelling {
            filters: self.filters.take(),
            redact: self.redact.take(),
            format: self.format.take(),
            headers: self.headers.take(),
            sign_v1a: self.sign_v1a.take(),
        }
    }
}

impl ChangedWebhook {
    /// Whether it says something that a forward has not: which events, and what is told of them.
    pub(crate) fn is_about_events(&self) -> bool {
        self.events.is_some() || self.filters.is_some() || self.redact.is_some() || self.format.is_some()
    }

    pub(crate) async fn into_change(
        self,
        now: &Telling,
        records: &OrgStore,
    ) -> Result<EndpointChange, ApiError> {
        check_description(self.description.as_ref().and_then(Option::as_deref))?;
        let telling = AskedTelling {
            filters: self.filters,
            redact: self.redact,
            format: self.format,
            headers: self.headers,
            sign_v1a: self.sign_v1a,
        };
        Ok(EndpointChange {
            url: self.url,
            description: self.description,
            events: self.events.map(|events| events.0),
            pacing: webhook_pacing::change(self.rate, self.ordering),
            telling: telling.read(now, records).await?,
            state: self.state.map(EndpointState::from),
            held: self.held.map(|ChosenHeld(choice)| choice).unwrap_or_default(),
        })
    }
}

/// What a person can choose for an endpoint.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChosenState {
    /// It is told.
    Enabled,
    /// It is not told for now: what it is owed and what happens meanwhile is held until it is enabled.
    Paused,
}

/// What a person chooses for what was held.
pub(crate) struct ChosenHeld(HeldChoice);

impl<'de> Deserialize<'de> for ChosenHeld {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for ChosenHeld {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let time = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        AnyOfBuilder::new().item(text().enum_values(Some(HeldChoice::WORDS))).item(time).into()
    }
}

impl ToSchema for ChosenHeld {}

impl From<ChosenState> for EndpointState {
    fn from(state: ChosenState) -> Self {
        match state {
            ChosenState::Enabled => Self::Enabled,
            ChosenState::Paused => Self::Paused,
        }
    }
}

/// The new secret of an endpoint, and how long the one before is good.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateWebhookSecret {
    /// The new secret. One is made up where there is none.
    #[schema(max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$")]
    pub secret: Option<String>,
    /// For how many seconds the secret before still signs: a day where nothing is said, a week at most.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    pub overlap_seconds: Option<i64>,
    /// Ends the overlap of the last rotation, and makes no new secret: the other fields are ignored.
    pub expire_previous: Option<ExpirePrevious>,
}

/// When the previous secret ends.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExpirePrevious {
    /// At once.
    Now,
}

/// Whether an endpoint is told of events.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookState {
    /// It is told.
    Enabled,
    /// A person stopped it for a while; what it is owed is held.
    Paused,
    /// It failed for too long and is not told any more.
    Disabled,
    /// It answered 410 (Gone) and is not told any more.
    Gone,
}

impl From<EndpointState> for WebhookState {
    fn from(state: EndpointState) -> Self {
        match state {
            EndpointState::Enabled => Self::Enabled,
            EndpointState::Paused => Self::Paused,
            EndpointState::Disabled => Self::Disabled,
            EndpointState::Gone => Self::Gone,
        }
    }
}

/// How an endpoint fails. After five failures in a row, of two deliveries at least, or where it asks for time by
/// `Retry-After`, its circuit opens: what it is owed waits, and one delivery is sent now and then to see whether it is
/// well again. Then everything is sent. An endpoint that takes nothing for five days is disabled; that is foreseen a day
/// ahead.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTrouble)]
pub(crate) struct ShownTrouble {
    /// Tries that failed since the last one that did not.
    failures: u32,
    /// When the first of them was.
    failing_since: Time,
    /// Why the last one failed.
    #[schema(required)]
    last_error: Option<String>,
    /// Since when the circuit is open; null where it is not.
    #[schema(required)]
    circuit_open_since: Option<Time>,
    /// When the next delivery is sent as a probe, if one waits then; null where the circuit is not open.
    #[schema(required)]
    next_probe_at: Option<Time>,
    /// The first failure after this disables it; null while that is not foreseen. What it is owed is held then.
    #[schema(required)]
    disable_at: Option<Time>,
}

impl From<Trouble> for ShownTrouble {
    fn from(trouble: Trouble) -> Self {
        Self {
            failures: trouble.failures,
            failing_since: trouble.since,
            last_error: trouble.last_error,
            circuit_open_since: trouble.circuit.map(|circuit| circuit.opened_at),
            next_probe_at: trouble.circuit.map(|circuit| circuit.probe_at),
            disable_at: trouble.disable_at,
        }
    }
}

/// An endpoint: an address that is told of events by webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(crate) struct ShownWebhook {
    id: EndpointId,
    /// Where webhooks go.
    url: String,
    /// What it is for.
    #[schema(required)]
    description: Option<String>,
    /// The events it is told of; `all` for the four documented first, `*` for each there is. `source.message` alone where it forwards a source's messages.
    events: Vec<String>,
    /// The source whose messages are forwarded to it as they come; null where it is told events.
    #[schema(required)]
    source_id: Option<SourceId>,
    /// How many deliveries a second it is sent at most; null where there is no limit.
    #[schema(required, minimum = 1, maximum = 1000)]
    rate: Option<u32>,
    /// Which of its deliveries wait for which.
    ordering: WebhookOrdering,
    /// Whether it is told.
    state: WebhookState,
    /// Whether its webhooks are signed.
    signed: bool,
    /// The last four characters of the secret; null where there is none, or it has fewer than twelve.
    #[schema(required)]
    secret_last4: Option<String>,
    /// Until when the secret before the last rotation signs too; null where it does not. Until then
    /// `X-InboundFlow-Signature`, which holds one signature, is made with it.
    #[schema(required)]
    previous_secret_until: Option<Time>,
    #[serde(flatten)]
    telling: ShownTelling,
    /// How it fails; null where it does not, as far as is known: it took its last webhook, or was changed since.
    #[schema(required)]
    trouble: Option<ShownTrouble>,
    created_at: Stamp,
    updated_at: Stamp,
}

impl ShownWebhook {
    pub(crate) fn new(endpoint: Endpoint, now: Time) -> Self {
        let previous_secret_until = endpoint.overlap_until(now);
        Self {
            id: endpoint.id,
            url: endpoint.url,
            description: endpoint.description,
            events: shown(endpoint.events),
            source_id: endpoint.source,
            rate: endpoint.pacing.rate,
            ordering: endpoint.pacing.ordering.into(),
            state: endpoint.state.into(),
            signed: endpoint.secret.is_some(),
            secret_last4: endpoint.secret.as_deref().and_then(last4),
            previous_secret_until,
            telling: endpoint.telling.into(),
            trouble: endpoint.trouble.map(ShownTrouble::from),
            created_at: Stamp::from_micros(endpoint.created_at.micros()),
            updated_at: endpoint.updated_at,
        }
    }

    /// When anything of it changed. `None` while it fails: how it does changes without it.
    pub(crate) fn version(&self) -> Option<Stamp> {
        self.trouble.is_none().then_some(self.updated_at)
    }
}

/// An endpoint whose secret is new. The secret is in this answer and in no later one.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: ShownWebhook,
    /// The secret; null where there is none, or none was made.
    #[schema(required)]
    secret: Option<String>,
}

impl WebhookWithSecret {
    /// With its secret, which is new.
    pub(crate) fn new(endpoint: Endpoint, now: Time) -> Self {
        let secret = endpoint.secret.clone();
        Self { webhook: ShownWebhook::new(endpoint, now), secret }
    }

    /// Without its secret, which was shown before.
    pub(crate) fn without(endpoint: Endpoint, now: Time) -> Self {
        Self { webhook: ShownWebhook::new(endpoint, now), secret: None }
    }

    /// As JSON, to be answered now and when the same request comes again.
    pub(crate) fn json(endpoint: &Endpoint, now: Time) -> String {
        // Plain texts and times: there is nothing in them that JSON could not hold.
        serde_json::to_string(&Self::new(endpoint.clone(), now)).unwrap_or_else(|_| "null".into())
    }
}

/// What the types don't say of a description.
pub(crate) fn check_description(description: Option<&str>) -> Result<(), ApiError> {
    if description.is_some_and(|text| text.chars().count() > Endpoint::DESCRIPTION_CHARS) {
        let why = format!("must have at most {} characters", Endpoint::DESCRIPTION_CHARS);
        return Err(wrong("description", &why));
    }
    Ok(())
}
