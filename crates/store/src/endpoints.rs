//! Webhook endpoints.

use std::{fmt, sync::Arc};

use model::{
    EndpointId, EventFilter, EventType, Ordering, OrgId, Pacing, PacingChange, SourceId, Stamp, Telling, Time,
};

use crate::{
    Aside, OrgStore, Result, SOURCE_MESSAGE, Trouble, circuit, forwards,
    outbox::Destination,
    tx::Tx,
    value::{Cells, params},
};

/// An address that asked to be told of events.
#[derive(Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its address.
    pub url: String,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// The events it asked for, in the words of [`EventFilter`]; empty for `all`.
    pub events: Vec<String>,
    /// The secret that its webhooks are signed with.
    pub secret: Option<String>,
    /// The secret before the last rotation. It signs only until `previous_secret_until`.
    pub previous_secret: Option<String>,
    /// Until when the previous secret signs.
    pub previous_secret_until: Option<Time>,
    /// Whether it is told.
    pub state: EndpointState,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Stamp,
    /// The source whose messages it is sent as they came; then it is told no events.
    pub source: Option<SourceId>,
    /// How fast it is sent what it is owed, and in which order.
    pub pacing: Pacing,
    /// What it is told beyond that, and how.
    pub telling: Telling,
    /// How it fails, if it does.
    pub trouble: Option<Trouble>,
}

impl Endpoint {
    /// The longest description, in characters.
    pub const DESCRIPTION_CHARS: usize = 500;

    /// Until when the secret before the last rotation signs too, if it does.
    pub fn overlap_until(&self, now: Time) -> Option<Time> {
        self.previous_secret.as_ref().and(self.previous_secret_until).filter(|until| *until > now)
    }
}

/// Never the secret, nor the address, which often holds one.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({} {})", self.id, self.state.as_str())
    }
}

/// Whether an endpoint is told of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// It is told.
    Enabled,
    /// Somebody stopped it for a while; what comes up is held.
    Paused,
    /// It is not told any more; what comes up is held.
    Disabled,
    /// It answered 410 (Gone): the receiver asked not to be told again.
    Gone,
}

impl EndpointState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Enabled, Self::Paused, Self::Disabled, Self::Gone];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Gone => "gone",
        }
    }

    /// Whether what the endpoint is owed waits until it is enabled.
    pub(crate) const fn holds(self) -> bool {
        matches!(self, Self::Paused | Self::Disabled)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What is asked of a new endpoint.
pub struct NewEndpoint {
    /// Its address.
    pub url: String,
    /// The events it asks for.
    pub events: EventFilter,
    /// The secret to sign with.
    pub secret: Option<String>,
    /// The source whose messages it is sent as they came, in the place of events.
    pub source: Option<SourceId>,
    /// What it is told beyond that, and how.
    pub telling: Telling,
}

pub(crate) const COLUMNS: &str = "id, url, description, events, secret, previous_secret, previous_secret_until, state, \
     created_at, updated_at, source_id, rate, ordering, telling, failures, failing_since, last_error, opened_at, \
     probe_at, disable_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Endpoint> {
    Ok(Endpoint {
        id: row.get()?,
        url: row.get()?,
        description: row.get()?,
        events: row.get::<String>()?.split_ascii_whitespace().map(str::to_owned).collect(),
        secret: row.get()?,
        previous_secret: row.get()?,
        previous_secret_until: row.get()?,
        state: row.word("endpoint state", EndpointState::parse)?,
        created_at: row.get()?,
        updated_at: row.get()?,
        source: row.get()?,
        pacing: read_pacing(row)?,
        telling: row.json_or_null("telling")?.unwrap_or_default(),
        trouble: circuit::read(row)?,
    })
}

/// Reads `rate, ordering`.
pub(crate) fn read_pacing(row: &mut Cells<'_>) -> Result<Pacing> {
    let rate = row.get::<Option<i64>>()?.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX));
    Ok(Pacing { rate, ordering: row.word("ordering", Ordering::parse)? })
}

/// Writes a new endpoint.
pub(crate) async fn insert(tx: &mut Tx<'_>, org: OrgId, endpoint: &Endpoint) -> Result<()> {
    tx.known.subscribers.remove(&org);
    let sql = "INSERT INTO endpoints (id, org_id, url, description, events, secret, state, created_at, updated_at, \
                                      source_id, rate, ordering, telling) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let (events, state) = (endpoint.events.join(" "), endpoint.state.as_str());
    let telling = endpoint.telling.to_stored();
    let values = params![
        endpoint.id,
        org,
        &endpoint.url,
        &endpoint.description,
        &events,
        &endpoint.secret,
        state,
        endpoint.created_at,
        endpoint.updated_at,
        endpoint.source,
        endpoint.pacing.rate.map(i64::from),
        endpoint.pacing.ordering.as_str(),
        &telling,
    ];
    note_opt_in(tx, org, &events).await?;
    if let Some(source) = endpoint.source {
        forwards::note(tx, org, source).await?;
    }
    tx.execute(sql, values).await.map(drop)
}

/// Notes beside the record clock that somebody asks for opt-in events, where they do (see [`crate::stamps`]). That
/// stays when nobody does any more: to look once too often is no harm.
pub(crate) async fn note_opt_in(tx: &mut Tx<'_>, org: OrgId, events: &str) -> Result<()> {
    if !EventFilter::from_stored(events).opts_in() {
        return Ok(());
    }
    tx.known.opted_in.insert(org);
    let sql = "UPDATE org_clocks SET opt_in = TRUE WHERE org_id = ?1";
    tx.execute(sql, params![org]).await.map(drop)
}

impl OrgStore {
    /// Makes an endpoint, sent what it is owed as is usual for its address.
    pub async fn create_endpoint(&self, new: NewEndpoint) -> Result<Endpoint> {
        self.create_paced_endpoint(new, PacingChange::default()).await
    }

    /// Makes an endpoint, sent what it is owed otherwise than is usual for its address.
    pub async fn create_paced_endpoint(&self, new: NewEndpoint, pacing: PacingChange) -> Result<Endpoint> {
        let now = self.store.0.clock.now();
        let aside = Aside { description: None, pacing };
        let endpoint = self.new_endpoint(new, aside, now, Stamp::from_micros(now.micros()));
        let made = endpoint.clone();
        let org = self.org;
        self.store.write(move |tx| Box::pin(async move { insert(tx, org, &made).await })).await?;
        Ok(endpoint)
    }

    pub(crate) fn new_endpoint(
        &self,
        new: NewEndpoint,
        aside: Aside,
        created_at: Time,
        updated_at: Stamp,
    ) -> Endpoint {
        let events = match new.source {
            Some(_) => vec![SOURCE_MESSAGE.to_owned()],
            None => words_of(&new.events),
        };
        let mut pacing = Pacing::preset(&new.url);
        pacing.apply(aside.pacing);
        Endpoint {
            id: self.store.0.ids.id(),
            url: new.url,
            description: aside.description,
            events,
            secret: new.secret,
            previous_secret: None,
            previous_secret_until: None,
            state: EndpointState::Enabled,
            created_at,
            updated_at,
            source: new.source,
            pacing,
            telling: new.telling,
            trouble: None,
        }
    }

    /// Every endpoint, oldest first.
    pub async fn list_endpoints(&self) -> Result<Vec<Endpoint>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM endpoints WHERE org_id = ?1 AND deleted_at IS NULL ORDER BY created_at, id"
                    );
                    tx.query(&sql, params![org], read).await
                })
            })
            .await
    }
}

/// An endpoint that is told events, now or when it is enabled again.
#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) destination: Arc<Destination>,
    /// Whether what it is owed is held until it is enabled.
    pub(crate) holds: bool,
    /// Whether it has failed since it last took something.
    pub(crate) is_failing: bool,
    /// When it is probed next, where its circuit is open: what it is owed waits.
    pub(crate) probe_at: Option<Time>,
    /// Whether it is sent only so many in a second.
    pub(crate) is_limited: bool,
    events: EventFilter,
}

impl Subscriber {
    /// Whether it is sent this source's messages.
    pub(crate) fn forwards(&self, source: SourceId) -> bool {
        self.destination.source == Some(source)
    }

    /// Whether it asked for this event.
    pub(crate) fn wants(&self, event: EventType) -> bool {
        self.events.wants(event)
    }
}

/// A filter as [`Endpoint::events`] has it.
pub(crate) fn words_of(events: &EventFilter) -> Vec<String> {
    events.to_stored().split_ascii_whitespace().map(str::to_owned).collect()
}

/// Every endpoint of the organization that is told events, now or when it is enabled again.
pub(crate) async fn subscribers(tx: &mut Tx<'_>, org: OrgId) -> Result<Arc<[Subscriber]>> {
    if let Some(known) = tx.known.subscribers.get(&org) {
        return Ok(known.clone());
    }
    let sql = "SELECT id, url, secret, previous_secret, previous_secret_until, source_id, ordering, telling, \
               failing_since IS NOT NULL, state, probe_at, rate IS NOT NULL, events FROM endpoints \
               WHERE org_id = ?1 AND state <> 'gone' AND deleted_at IS NULL ORDER BY created_at, id";
    let read = |row: &mut Cells<'_>| {
        let destination = Destination {
            id: row.get()?,
            url: row.get()?,
            secret: row.get()?,
            previous_secret: row.get()?,
            previous_secret_until: row.get()?,
            source: row.get()?,
            ordering: row.word("ordering", Ordering::parse)?,
            telling: row.json_or_null("telling")?.unwrap_or_default(),
        };
        let is_failing = row.get()?;
        let holds = row.word("endpoint state", EndpointState::parse)?.holds();
        let (probe_at, is_limited) = (row.get()?, row.get()?);
        let events = EventFilter::from_stored(&row.get::<String>()?);
        Ok(Subscriber { destination: Arc::new(destination), holds, is_failing, probe_at, is_limited, events })
    };
    let found: Arc<[Subscriber]> = tx.query(sql, params![org], read).await?.into();
    tx.known.subscribers.insert(org, found.clone());
    Ok(found)
}
