//! The first person: how somebody becomes the owner where there is none, by a link that only who starts the server sees.

use model::{OrgId, OrgRole, Time};

use crate::{
    Organization, Result, Store, admin,
    tx::Tx,
    users::{self, User},
    value::params,
};

/// Whose owner the first person becomes.
#[derive(Clone, Debug)]
pub enum FirstOrg {
    /// That of a new organization.
    New {
        /// Its name.
        name: String,
        /// Its time zone (IANA).
        time_zone: String,
        /// Its country (ISO 3166-1 alpha-2), if they said so.
        country: Option<String>,
    },
    /// That of one which an operator made, whose time zone and country are set too.
    Existing {
        /// Which.
        org: OrgId,
        /// Its time zone (IANA).
        time_zone: String,
        /// Its country (ISO 3166-1 alpha-2), if they said so.
        country: Option<String>,
    },
}

/// The first person. It has no `Debug`: hashes of passwords belong in no log.
#[derive(Clone)]
pub struct FirstOwner {
    /// What they sign in with.
    pub email: String,
    /// What is kept of their password.
    pub password_hash: String,
    /// What they own.
    pub org: FirstOrg,
}

/// What became of a setup.
#[derive(Clone, Debug)]
pub enum SetUp {
    /// This person is the owner.
    Done(User),
    /// The link was used, has run out, or was never one; or there is an owner.
    NoLink,
    /// Somebody has that e-mail address. The link is still good.
    EmailTaken,
    /// There is no such organization. The link is still good.
    NoOrg,
}

impl Store {
    /// Keeps the hash of a setup link's token, which is the only good one from now on.
    pub async fn put_setup_link(&self, hash: [u8; 32], expires_at: Time) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                tx.execute("DELETE FROM setup_links", &[]).await?;
                let sql = "INSERT INTO setup_links (hash, expires_at) VALUES (?1, ?2)";
                tx.execute(sql, params![hash.as_slice(), expires_at]).await.map(drop)
            })
        })
        .await
    }

    /// Whether a setup link is good now.
    pub async fn is_setup_link(&self, hash: [u8; 32]) -> Result<bool> {
        let now = self.0.clock.now();
        self.read(move |tx| Box::pin(async move { is_good(tx, hash, now).await })).await
    }

    /// Makes the first owner, and the link good for nothing.
    pub async fn set_up(&self, hash: [u8; 32], first: FirstOwner) -> Result<SetUp> {
        let now = self.0.clock.now();
        let (fresh, source) = (self.0.ids.id(), self.0.ids.id());
        let user = User {
            id: self.0.ids.id(),
            email: users::normalized(&first.email),
            role: OrgRole::Owner,
            created_at: now,
        };
        self.write(move |tx| {
            Box::pin(async move {
                // Changes nothing, and locks the link's row: of two forms at once, the second finds the link used.
                let sql = "UPDATE setup_links SET expires_at = expires_at WHERE hash = ?1";
                tx.execute(sql, params![hash.as_slice()]).await?;
                if !is_good(tx, hash, now).await? {
                    return Ok(SetUp::NoLink);
                }
                if tx
                    .first("SELECT 1 FROM users WHERE email = ?1", params![&user.email], |_| Ok(()))
                    .await?
                    .is_some()
                {
                    return Ok(SetUp::EmailTaken);
                }
                let (org, time_zone, country) = match &first.org {
                    FirstOrg::Existing { org, time_zone, country } => (*org, time_zone, country),
                    FirstOrg::New { name, time_zone, country } => {
                        let made = Organization { id: fresh, name: name.clone(), created_at: now };
                        admin::insert(tx, &made, source).await?;
                        (fresh, time_zone, country)
                    }
                };
                let sql = "UPDATE organizations SET time_zone = ?2, country = ?3 WHERE id = ?1";
                if tx.execute(sql, params![org, time_zone, country]).await? == 0 {
                    return Ok(SetUp::NoOrg);
                }
                users::insert(tx, org, &user, &first.password_hash).await?;
                tx.execute("DELETE FROM setup_links", &[]).await?;
                Ok(SetUp::Done(user))
            })
        })
        .await
    }
}

async fn is_good(tx: &mut Tx<'_>, hash: [u8; 32], now: Time) -> Result<bool> {
    let sql = "SELECT 1 FROM setup_links WHERE hash = ?1 AND expires_at > ?2";
    let known = tx.first(sql, params![hash.as_slice(), now], |_| Ok(())).await?.is_some();
    Ok(known && !users::has_owner(tx).await?)
}
