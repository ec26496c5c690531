//! Webhook endpoints.

use std::{fmt, sync::Arc};

use model::{EndpointId, EventFilter, EventType, OrgId, Time};

use crate::{
    OrgStore, Result,
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
    /// The events it asked for.
    pub events: EventFilter,
    /// The secret that its webhooks are signed with.
    pub secret: Option<String>,
    /// Whether it is told.
    pub state: EndpointState,
    /// When it was made.
    pub created_at: Time,
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
    /// It is not told any more; what comes up is held.
    Disabled,
    /// It answered 410 (Gone): the receiver asked not to be told again.
    Gone,
}

impl EndpointState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::Gone];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Gone => "gone",
        }
    }

    fn parse(word: &str) -> Option<Self> {
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
}

const COLUMNS: &str = "id, url, events, secret, state, created_at";

fn read(row: &mut Cells<'_>) -> Result<Endpoint> {
    Ok(Endpoint {
        id: row.get()?,
        url: row.get()?,
        events: EventFilter::from_stored(&row.get::<String>()?),
        secret: row.get()?,
        state: row.word("endpoint state", EndpointState::parse)?,
        created_at: row.get()?,
    })
}

impl OrgStore {
    /// Makes an endpoint.
    pub async fn create_endpoint(&self, new: NewEndpoint) -> Result<Endpoint> {
        let org = self.org;
        let endpoint = Endpoint {
            id: self.store.0.ids.id(),
            url: new.url,
            events: new.events,
            secret: new.secret,
            state: EndpointState::Enabled,
            created_at: self.store.0.clock.now(),
        };
        let made = endpoint.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO endpoints (id, org_id, url, events, secret, state, created_at, updated_at) \
                               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
                    let events = made.events.stored();
                    let state = made.state.as_str();
                    let values = params![made.id, org, &made.url, &events, &made.secret, state, made.created_at];
                    tx.execute(sql, values).await
                })
            })
            .await?;
        Ok(endpoint)
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

/// An endpoint that is told events.
pub(crate) struct Subscriber {
    pub(crate) destination: Arc<Destination>,
    events: EventFilter,
}

impl Subscriber {
    /// Whether it asked for this event.
    pub(crate) fn wants(&self, event: EventType) -> bool {
        self.events.wants(event)
    }
}

/// Every endpoint of the organization that is told events.
pub(crate) async fn subscribers(tx: &mut Tx<'_>, org: OrgId) -> Result<Arc<[Subscriber]>> {
    if let Some(known) = tx.known.subscribers.get(&org) {
        return Ok(known.clone());
    }
    let sql = "SELECT id, url, secret, previous_secret, events FROM endpoints \
               WHERE org_id = ?1 AND state = 'enabled' AND deleted_at IS NULL ORDER BY created_at, id";
    let read = |row: &mut Cells<'_>| {
        let destination =
            Destination { id: row.get()?, url: row.get()?, secret: row.get()?, previous_secret: row.get()? };
        let events = EventFilter::from_stored(&row.get::<String>()?);
        Ok(Subscriber { destination: Arc::new(destination), events })
    };
    let found: Arc<[Subscriber]> = tx.query(sql, params![org], read).await?.into();
    tx.known.subscribers.insert(org, found.clone());
    Ok(found)
}
