//! Organizations themselves: what an operator makes.

use model::{OrgId, Platform, SourceId, Stamp, Time};

use crate::{Result, Store, sources, tx::Tx, value::params};

/// An organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Time,
}

impl Store {
    /// Makes an organization, with the source that takes calls written through the API.
    pub async fn create_org(&self, name: &str) -> Result<Organization> {
        let now = self.0.clock.now();
        let org = Organization { id: self.0.ids.id(), name: name.to_owned(), created_at: now };
        let (made, source) = (org.clone(), self.0.ids.id());
        self.write(move |tx| Box::pin(async move { insert(tx, &made, source).await })).await?;
        Ok(org)
    }

    /// The oldest organizations, at most so many.
    pub async fn list_orgs(&self, limit: u32) -> Result<Vec<Organization>> {
        self.read(move |tx| {
            Box::pin(async move {
                let sql = "SELECT id, name, created_at FROM organizations ORDER BY created_at, id LIMIT ?1";
                tx.query(sql, params![i64::from(limit)], |row| {
                    Ok(Organization { id: row.get()?, name: row.get()?, created_at: row.get()? })
                })
                .await
            })
        })
        .await
    }

    /// An organization, if there is one with this id.
    pub async fn find_org(&self, id: OrgId) -> Result<Option<Organization>> {
        self.read(move |tx| {
            Box::pin(async move {
                let sql = "SELECT id, name, created_at FROM organizations WHERE id = ?1";
                tx.first(sql, params![id], |row| {
                    Ok(Organization { id: row.get()?, name: row.get()?, created_at: row.get()? })
                })
                .await
            })
        })
        .await
    }
}

/// Stores an organization, with the source that takes calls written through the API.
pub(crate) async fn insert(tx: &mut Tx<'_>, org: &Organization, source: SourceId) -> Result<()> {
    let sql = "INSERT INTO organizations (id, name, created_at) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![org.id, &org.name, org.created_at]).await?;
    tx.execute("INSERT INTO org_clocks (org_id, last_stamp) VALUES (?1, 0)", params![org.id]).await?;
    let source = sources::Source {
        id: source,
        org: org.id,
        platform: Platform::Api,
        name: "API".into(),
        secret: String::new(),
        previous_secret: None,
        previous_secret_until: None,
        settings: serde_json::Value::Null,
        created_at: org.created_at,
        updated_at: Stamp::from_micros(org.created_at.micros()),
        forwards: false,
    };
    sources::insert(tx, &source).await
}
