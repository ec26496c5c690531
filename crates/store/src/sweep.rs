//! Calls that are not over and should be: their platform's last message never came.

use model::{CallId, Change, OrgId, Platform, SourceId, Time};

use crate::{
    Result, Rules, Store,
    accept::{Origin, apply},
    calls, gaps,
    stamps::Stamps,
    value::params,
};

/// A call that is not over.
#[derive(Clone, Debug)]
pub struct OpenCall {
    /// The call.
    pub id: CallId,
    /// Whose it is.
    pub org: OrgId,
    /// Where it came from.
    pub source: SourceId,
    /// From which platform.
    pub platform: Platform,
    /// The platform's id of it.
    pub external_id: Option<String>,
    /// When we first heard of it.
    pub created_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
}

/// As the index over the few of them has it. A call whose person was erased stays as it is.
const IS_OPEN: &str = "status IN ('in-progress', 'forwarding') AND erasure_id IS NULL";

impl Store {
    /// Calls that are not over and that we heard of before a time, the oldest first.
    pub async fn list_open_calls(&self, before: Time, limit: usize) -> Result<Vec<OpenCall>> {
        self.read(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT id, org_id, source_id, source, external_id, created_at, started_at FROM calls \
                     WHERE {IS_OPEN} AND created_at <= ?1 ORDER BY created_at LIMIT ?2"
                );
                tx.query(&sql, params![before, limit as i64], |row| {
                    Ok(OpenCall {
                        id: row.get()?,
                        org: row.get()?,
                        source: row.get()?,
                        platform: row.word("platform", Platform::parse)?,
                        external_id: row.get()?,
                        created_at: row.get()?,
                        started_at: row.get()?,
                    })
                })
                .await
            })
        })
        .await
    }

    /// When we heard of the first call that is not over.
    pub async fn first_open_call(&self) -> Result<Option<Time>> {
        self.read(|tx| {
            Box::pin(async move {
                let sql = format!("SELECT min(created_at) FROM calls WHERE {IS_OPEN}");
                Ok(tx.first(&sql, &[], |row| row.get::<Option<Time>>()).await?.flatten())
            })
        })
        .await
    }

    /// Applies a change to a call if that is still not over. Returns whether it was.
    pub async fn close_call(&self, call: &OpenCall, change: Change, rules: Rules) -> Result<bool> {
        let context = self.org(call.org).context(rules);
        let (id, external_id) = (call.id, call.external_id.clone());
        let origin = Origin { source: call.source, platform: call.platform, message: None };
        self.write(move |tx| {
            Box::pin(async move {
                let mut stamps = Stamps::take(tx, context.org, context.now).await?;
                let stored = calls::by_id(tx, context.org, id).await?;
                let Some(stored) = stored.filter(gaps::is_open) else { return Ok(false) };
                let place = (external_id.as_deref(), Some(stored));
                apply(tx, &context, origin, place, (&change, None), &mut stamps).await?;
                Ok(true)
            })
        })
        .await
    }
}
