//! Organizations themselves: what an operator makes.

use model::{OrgId, Platform, Stamp, Time};

use crate::{Result, Store, sources, value::params};

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
        let api_source = sources::Source {
            id: self.0.ids.id(),
            org: org.id,
            platform: Platform::Api,
            name: "API".into(),
            secret: String::new(),
            previous_secret: None,
            previous_secret_until: None,
            settings: serde_json::Value::Null,
            created_at: now,
            updated_at: Stamp::from_micros(now.micros()),
            forwards: false,
        };
        let made = org.clone();
        self.write(move |tx| {
            Box::pin(async move {
                tx.execute(
                    "INSERT INTO organizations (id, name, created_at) VALUES (?1, ?2, ?3)",
                    params![made.id, &made.name, made.created_at],
                )
                .await?;
                tx.execute("INSERT INTO org_clocks (org_id, last_stamp) VALUES (?1, 0)", params![made.id])
                    .await?;
                sources::insert(tx, &api_source).await
            })
        })
        .await?;
        Ok(org)
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
