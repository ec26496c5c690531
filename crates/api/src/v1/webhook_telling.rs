//! What an endpoint is told beyond which events, and how, as it is asked for and shown.

use std::{collections::BTreeMap, fmt};

use model::{
    AssistantId, CallFilter, CallStatus, Format, OwnHeaders, Redacted, Telling, TellingChange, Urgency,
    WrongHeader,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};
use store::OrgStore;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, SchemaType, Type},
    },
};

use crate::{
    error::ApiError,
    v1::bodies::{whole, wrong},
};

/// How many values one list of a filter may have.
const VALUES: usize = 100;

/// Of which calls an endpoint is told: those that pass everything that is said here. What is not known of a call is none of
/// what is asked for, so an event without a call (a contact that was written through the API, `endpoint.failing`) passes no
/// filter. A call is looked at as it stands when the event happens.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookFilters)]
pub(crate) struct Filters {
    /// Only calls of these assistants.
    #[schema(min_items = 1, max_items = 100)]
    assistant_ids: Option<Vec<AssistantId>>,
    /// Only calls that stand like this.
    #[schema(min_items = 1, max_items = 100)]
    statuses: Option<Vec<CallStatus>>,
    /// Only calls as urgent as this.
    #[schema(min_items = 1, max_items = 100)]
    urgencies: Option<Vec<Urgency>>,
    /// Only calls that took so many seconds or more.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 8_640_000)]
    min_duration_seconds: Option<i64>,
    /// Only calls that took so many seconds or less.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 8_640_000)]
    max_duration_seconds: Option<i64>,
}

impl Filters {
    /// `None` where nothing is said.
    fn read(self) -> Result<Option<CallFilter>, ApiError> {
        let filter = CallFilter {
            assistants: list("filters.assistant_ids", self.assistant_ids)?,
            statuses: list("filters.statuses", self.statuses)?,
            urgencies: list("filters.urgencies", self.urgencies)?,
            min_duration_seconds: seconds("filters.min_duration_seconds", self.min_duration_seconds)?,
            max_duration_seconds: seconds("filters.max_duration_seconds", self.max_duration_seconds)?,
        };
        if let (Some(least), Some(most)) = (filter.min_duration_seconds, filter.max_duration_seconds)
            && least > most
        {
            return Err(wrong(
                "filters.max_duration_seconds",
                "must not be less than `min_duration_seconds`",
            ));
        }
        Ok((filter != CallFilter::default()).then_some(filter))
    }

    fn of(filter: CallFilter) -> Self {
        fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
            (!list.is_empty()).then_some(list)
        }
        Self {
            assistant_ids: some(filter.assistants),
            statuses: some(filter.statuses),
            urgencies: some(filter.urgencies),
            min_duration_seconds: filter.min_duration_seconds,
            max_duration_seconds: filter.max_duration_seconds,
        }
    }
}

fn list<T>(field: &str, list: Option<Vec<T>>) -> Result<Vec<T>, ApiError> {
    let Some(list) = list else { return Ok(Vec::new()) };
    if list.is_empty() || list.len() > VALUES {
        return Err(wrong(field, "must have 1 to 100 values, or be null for any"));
    }
    Ok(list)
}

fn seconds(field: &str, seconds: Option<i64>) -> Result<Option<i64>, ApiError> {
    match seconds {
        Some(seconds) if !(0..=8_640_000).contains(&seconds) => {
            Err(wrong(field, "must be a whole number from 0 to 8640000"))
        }
        seconds => Ok(seconds),
    }
}

/// Headers as they are written: names and values, null for one that is not to be there.
#[derive(Default)]
pub(crate) struct WrittenHeaders(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for WrittenHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = WrittenHeaders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers' names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut headers: Vec<(String, Option<String>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                        return Err(de::Error::custom(format!("`{name}` is there twice")));
                    }
                    headers.push((name, value));
                }
                Ok(WrittenHeaders(headers))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

impl PartialSchema for WrittenHeaders {
    fn schema() -> RefOr<Schema> {
        let text = SchemaType::Array(vec![Type::String, Type::Null]);
        let value = ObjectBuilder::new()
            .schema_type(text)
            .min_length(Some(1))
            .max_length(Some(OwnHeaders::VALUE_BYTES))
            .pattern(Some("^[!-~]([ -~\\t]*[!-~])?$"));
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(OwnHeaders::NAME_BYTES))
            .pattern(Some("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"));
        ObjectBuilder::new()
            .property_names(Some(name))
            .additional_properties(Some(value))
            .max_properties(Some(OwnHeaders::MOST))
            .into()
    }
}

impl ToSchema for WrittenHeaders {}

impl WrittenHeaders {
    /// The headers as they are with these.
    fn over(self, headers: OwnHeaders) -> Result<OwnHeaders, ApiError> {
        let wrong = |WrongHeader { name, why }| match name.as_str() {
            "" => wrong("headers", &why),
            name => wrong(&format!("headers.{name}"), &why),
        };
        // First what is left out, which makes room.
        let (out, set): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|(_, value)| value.is_none());
        let headers = out.into_iter().fold(headers, |headers, (name, _)| headers.without(&name));
        set.into_iter()
            .try_fold(headers, |headers, (name, value)| headers.with(&name, &value.unwrap_or_default()))
            .map_err(wrong)
    }
}

/// What is asked of an endpoint's telling: of a field that is not there, nothing.
#[derive(Default)]
pub(crate) struct AskedTelling {
    pub(crate) filters: Option<Option<Filters>>,
    pub(crate) redact: Option<Vec<Redacted>>,
    pub(crate) format: Option<Format>,
    pub(crate) headers: Option<Option<WrittenHeaders>>,
    pub(crate) sign_v1a: Option<bool>,
}

impl AskedTelling {
    /// What is to change of how an endpoint is told now.
    pub(crate) async fn read(self, now: &Telling, records: &OrgStore) -> Result<TellingChange, ApiError> {
        let calls = match self.filters {
            Some(Some(filters)) => Some(filters.read()?),
            Some(None) => Some(None),
            None => None,
        };
        let named = calls.iter().flatten().flat_map(|filter| filter.assistants.clone()).collect();
        if let Some(id) = records.unknown_assistant(named).await? {
            return Err(wrong("filters.assistant_ids", &format!("there is no assistant with the id {id}")));
        }
        let redact = self.redact.map(|mut redact| {
            redact.sort();
            redact.dedup();
            redact
        });
        let headers = match self.headers {
            Some(Some(written)) => Some(written.over(now.headers.clone())?),
            Some(None) => Some(OwnHeaders::default()),
            None => None,
        };
        Ok(TellingChange { calls, redact, format: self.format, headers, v1a: self.sign_v1a })
    }

    /// How a new endpoint is told.
    pub(crate) async fn of_new(self, records: &OrgStore) -> Result<Telling, ApiError> {
        let mut telling = Telling::default();
        self.read(&telling, records).await?.apply(&mut telling);
        Ok(telling)
    }
}

/// How an endpoint is told.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTelling)]
pub(crate) struct ShownTelling {
    /// Of which calls it is told; null for all.
    #[schema(required)]
    filters: Option<Filters>,
    /// What it is not told: the fields are null, or masked.
    redact: Vec<Redacted>,
    /// The form of its webhooks' bodies.
    format: Format,
    /// The headers that it is sent beside ours, by their names in small letters. Of each value only `****` is shown and,
    /// where it has twelve characters or more, the last four.
    headers: BTreeMap<String, String>,
    /// Whether the organization's Ed25519 key signs too (`v1a` in `webhook-signature`).
    sign_v1a: bool,
}

impl From<Telling> for ShownTelling {
    fn from(telling: Telling) -> Self {
        Self {
            filters: telling.calls.map(Filters::of),
            headers: telling.headers.masked().map(|(name, value)| (name.to_owned(), value)).collect(),
            redact: telling.redact,
            format: telling.format,
            sign_v1a: telling.v1a,
        }
    }
}
