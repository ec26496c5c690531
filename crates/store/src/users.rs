//! People who sign in, and what they are in an organization.

use model::{OrgId, OrgRole, Time, UserId};

use crate::{
    OrgStore, Result, Store,
    tx::Tx,
    value::{Cells, params},
};

/// A person of an organization.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// What they sign in with, in lower case.
    pub email: String,
    /// What they are there.
    pub role: OrgRole,
    /// When they became that.
    pub created_at: Time,
}

/// What is asked of a new person.
#[derive(Clone)]
pub struct NewUser {
    /// What they sign in with.
    pub email: String,
    /// What is kept of their password: a hash in the PHC string format.
    pub password_hash: String,
    /// What they are in the organization.
    pub role: OrgRole,
}

/// What a sign-in is checked against. It has no `Debug`: hashes of passwords belong in no log.
#[derive(Clone)]
pub struct Login {
    /// Whose it is.
    pub user: UserId,
    /// What is kept of their password.
    pub password_hash: String,
}

/// An e-mail address as it is kept: nobody has two that differ in case alone.
pub(crate) fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Store {
    /// Whether anybody owns an organization here.
    pub async fn has_owner(&self) -> Result<bool> {
        self.read(|tx| Box::pin(async move { has_owner(tx).await })).await
    }

    /// What a person who signs in with this address is checked against.
    pub async fn find_login(&self, email: &str) -> Result<Option<Login>> {
        let email = normalized(email);
        self.peek(move |tx| {
            Box::pin(async move {
                let sql =
                    "SELECT id, password_hash FROM users WHERE email = ?1 AND password_hash IS NOT NULL";
                tx.first(sql, params![&email], |row| {
                    Ok(Login { user: row.get()?, password_hash: row.get()? })
                })
                .await
            })
        })
        .await
    }

    /// Gives a person another password and ends all their sessions. False where there is no such person.
    pub async fn reset_password(&self, email: &str, password_hash: String) -> Result<bool> {
        let email = normalized(email);
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE users SET password_hash = ?2 WHERE email = ?1";
                if tx.execute(sql, params![&email, &password_hash]).await? == 0 {
                    return Ok(false);
                }
                let sql = "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = ?1)";
                tx.execute(sql, params![&email]).await?;
                Ok(true)
            })
        })
        .await
    }
}

impl OrgStore {
    /// Makes a person of this organization. `None` where somebody has that address already.
    pub async fn create_user(&self, new: NewUser) -> Result<Option<User>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let user = User {
            id: self.store.0.ids.id(),
            email: normalized(&new.email),
            role: new.role,
            created_at: now,
        };
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let made = insert(tx, org, &user, &new.password_hash).await?;
                    Ok(made.then_some(user))
                })
            })
            .await
    }

    /// Everybody of this organization, the first one first.
    pub async fn list_users(&self) -> Result<Vec<User>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT u.id, u.email, m.role, m.created_at FROM memberships m \
                               JOIN users u ON u.id = m.user_id WHERE m.org_id = ?1 ORDER BY m.created_at, u.email";
                    tx.query(sql, params![org], read).await
                })
            })
            .await
    }
}

fn read(row: &mut Cells<'_>) -> Result<User> {
    Ok(User {
        id: row.get()?,
        email: row.get()?,
        role: row.word("role", OrgRole::parse)?,
        created_at: row.get()?,
    })
}

pub(crate) async fn has_owner(tx: &mut Tx<'_>) -> Result<bool> {
    let sql = "SELECT 1 FROM memberships WHERE role = 'owner' LIMIT 1";
    Ok(tx.first(sql, &[], |_| Ok(())).await?.is_some())
}

/// Stores a person, unless somebody has that address.
pub(crate) async fn insert(tx: &mut Tx<'_>, org: OrgId, user: &User, password_hash: &str) -> Result<bool> {
    let sql = "INSERT INTO users (id, email, password_hash, created_at) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (email) DO NOTHING";
    if tx.execute(sql, params![user.id, &user.email, password_hash, user.created_at]).await? == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO memberships (org_id, user_id, role, created_at) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![org, user.id, user.role.as_str(), user.created_at]).await?;
    Ok(true)
}
