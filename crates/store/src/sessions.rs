//! Sessions of people, and the door that one opens: to one organization, for what the person's role permits.

use std::time::Duration;

use model::{OrgId, OrgRole, Permission, SessionId, Time, UserId};

use crate::{
    OrgStore, Result, Store,
    value::{Cells, params},
};

/// What is asked of a new session.
#[derive(Clone)]
pub struct NewSession {
    /// Who signed in.
    pub user: UserId,
    /// SHA-256 of the token that their cookie holds.
    pub hash: [u8; 32],
    /// What their browser calls itself.
    pub user_agent: Option<String>,
    /// Until when it is good.
    pub expires_at: Time,
}

/// A person who is signed in, and the only way from one to an organization's records.
#[derive(Clone)]
pub struct Visitor {
    /// The session.
    pub session: SessionId,
    /// Who it is.
    pub user: UserId,
    /// What they signed in with.
    pub email: String,
    /// What they are in the organization.
    pub role: OrgRole,
    /// The organization.
    pub org: OrgId,
    /// Its name.
    pub org_name: String,
    /// Its time zone (IANA), where one was said.
    pub time_zone: Option<String>,
    last_seen_at: Time,
    store: Store,
}

/// The person's role does not permit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPermitted(pub Permission);

impl Visitor {
    /// The door to the organization's records, for something that the person does there.
    pub fn door(&self, permission: Permission) -> std::result::Result<OrgStore, NotPermitted> {
        if self.role.permits(permission) {
            Ok(self.store.org(self.org))
        } else {
            Err(NotPermitted(permission))
        }
    }
}

/// How often it is written down that a session is in use.
const SEEN_EVERY: Duration = Duration::from_secs(15 * 60);

impl Store {
    /// Signs a person in: to the organization that they came to first. False where they belong to none.
    pub async fn open_session(&self, new: NewSession) -> Result<bool> {
        let (id, now): (SessionId, Time) = (self.0.ids.id(), self.0.clock.now());
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO sessions \
                               (id, hash, user_id, org_id, user_agent, created_at, last_seen_at, expires_at) \
                           SELECT ?1, ?2, user_id, org_id, ?4, ?5, ?5, ?6 FROM memberships \
                           WHERE user_id = ?3 ORDER BY created_at LIMIT 1";
                let values = params![id, new.hash.as_slice(), new.user, &new.user_agent, now, new.expires_at];
                Ok(tx.execute(sql, values).await? > 0)
            })
        })
        .await
    }

    /// Who has the session with this token's hash, if it is good now.
    pub async fn visitor(&self, hash: [u8; 32]) -> Result<Option<Visitor>> {
        let (store, now) = (self.clone(), self.0.clock.now());
        let found = self
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT s.id, s.user_id, u.email, m.role, s.org_id, o.name, o.time_zone, s.last_seen_at \
                               FROM sessions s JOIN users u ON u.id = s.user_id \
                               JOIN memberships m ON m.user_id = s.user_id AND m.org_id = s.org_id \
                               JOIN organizations o ON o.id = s.org_id \
                               WHERE s.hash = ?1 AND s.expires_at > ?2";
                    tx.first(sql, params![hash.as_slice(), now], |row| read(row, store.clone())).await
                })
            })
            .await?;
        if let Some(visitor) = &found
            && now.since(visitor.last_seen_at) >= SEEN_EVERY
        {
            let id = visitor.session;
            let sql = "UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1";
            self.write(move |tx| Box::pin(async move { tx.execute(sql, params![id, now]).await })).await?;
        }
        Ok(found)
    }

    /// Signs a person out.
    pub async fn close_session(&self, hash: [u8; 32]) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "DELETE FROM sessions WHERE hash = ?1";
                tx.execute(sql, params![hash.as_slice()]).await.map(drop)
            })
        })
        .await
    }
}

fn read(row: &mut Cells<'_>, store: Store) -> Result<Visitor> {
    Ok(Visitor {
        session: row.get()?,
        user: row.get()?,
        email: row.get()?,
        role: row.word("role", OrgRole::parse)?,
        org: row.get()?,
        org_name: row.get()?,
        time_zone: row.get()?,
        last_seen_at: row.get()?,
        store,
    })
}
