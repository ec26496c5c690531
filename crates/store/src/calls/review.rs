//! What an organization does with its calls: labels, notes, whether a person looked at one, whether it is spam. Beside
//! what the platforms said, which nobody changes; and what other records need to know of the call that they name.

use std::sync::Arc;

use model::{AssistantId, CallId, CallStatus, ContactId, LeadId, OrgId, Patch, RecordingLinks};

use super::detail;
use crate::{
    Error, OrgStore, Result, Subject,
    contacts::apply_to_list,
    tx::Tx,
    value::params,
    writes::{Answer, Asked, Change, Halt, Refusal, Saved, Saving, Writing},
};

/// What is said of a call by the organization.
#[derive(Clone, Debug, Default)]
pub struct CallReview {
    /// All labels.
    pub tags: Patch<Vec<String>>,
    /// Notes.
    pub notes: Patch<String>,
    /// Whether a person has looked at it.
    pub reviewed: Option<bool>,
    /// Whether it is spam: then no lead is made of it.
    pub spam: Option<bool>,
}

impl OrgStore {
    /// Changes what the organization says of a call.
    pub async fn review_call(&self, id: CallId, review: CallReview, asked: Asked) -> Result<Answer> {
        let links = self.store.0.links.get().cloned();
        self.write_once(asked, move |writing| Box::pin(update(writing, id, review, links))).await
    }
}

/// What stands in the row.
#[derive(Clone, PartialEq)]
struct Reviewed {
    tags: Vec<String>,
    notes: Option<String>,
    reviewed: bool,
    spam: bool,
}

impl Reviewed {
    fn changed(&self, before: &Self) -> Vec<&'static str> {
        let fields = [
            ("reviewed", self.reviewed != before.reviewed),
            ("spam", self.spam != before.spam),
            ("tags", self.tags != before.tags),
            ("notes", self.notes != before.notes),
        ];
        fields.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

async fn update(
    writing: &mut Writing<'_, '_>,
    id: CallId,
    review: CallReview,
    links: Option<Arc<RecordingLinks>>,
) -> Saving {
    let (org, now) = (writing.org, writing.teller.now);
    let sql = "SELECT tags, notes, reviewed_at IS NOT NULL, spam, updated_at, \
                      completed_fired_at IS NOT NULL AND NOT blocked \
               FROM calls WHERE id = ?1 AND org_id = ?2";
    let key = params![id, org];
    let found = writing.tx.first(sql, key, |row| {
        let (tags, notes) = (row.json("tags")?, row.get()?);
        let reviewed = Reviewed { tags, notes, reviewed: row.get()?, spam: row.get()? };
        Ok((reviewed, row.get()?, row.get::<bool>()?))
    });
    let (before, version, is_told) = found.await?.ok_or(Refusal::Missing)?;
    writing.expect(version)?;
    let mut after = before.clone();
    apply_to_list(review.tags, &mut after.tags);
    review.notes.apply_to(&mut after.notes);
    after.reviewed = review.reviewed.unwrap_or(before.reviewed);
    after.spam = review.spam.unwrap_or(before.spam);
    if after != before {
        let stamp = writing.stamp().await?;
        // When it was first looked at stays.
        let sql = "UPDATE calls SET tags = ?3, notes = ?4, spam = ?5, updated_at = ?6, \
                       reviewed_at = CASE WHEN ?7 THEN COALESCE(reviewed_at, CAST(?8 AS BIGINT)) END \
                   WHERE id = ?1 AND org_id = ?2";
        let tags = serde_json::Value::from(after.tags.clone()).to_string();
        let params = params![id, org, &tags, &after.notes, after.spam, stamp, after.reviewed, now];
        writing.tx.execute(sql, params).await?;
        if is_told {
            writing.note(Change::Fields(Subject::Call(id), Some(id), after.changed(&before)));
        }
    }
    let call = detail(writing.tx, org, id, links.as_deref()).await?.ok_or(Refusal::Missing)?;
    let json = String::from_utf8(call.json)
        .map_err(|error| Error::Stored { what: "call", why: error.to_string() })?;
    Ok(Saved::updated_json(json))
}

/// A call that another record names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedCall {
    pub(crate) id: CallId,
    pub(crate) contact_id: Option<ContactId>,
    /// The lead may have been deleted.
    pub(crate) lead_id: Option<LeadId>,
    pub(crate) assistant_id: Option<AssistantId>,
    status: CallStatus,
    spam: bool,
}

impl NamedCall {
    /// Whether its caller was turned away, or should have been: then nothing of it is told.
    pub(crate) fn is_turned_away(&self) -> bool {
        self.spam || self.status == CallStatus::Blocked
    }

    /// Whether a lead can be made of it.
    pub(crate) fn took_place(&self) -> bool {
        !self.is_turned_away() && self.status != CallStatus::Failed
    }
}

/// The call that a field of another record names.
pub(crate) async fn named(writing: &mut Writing<'_, '_>, id: CallId) -> std::result::Result<NamedCall, Halt> {
    let call = find_named(writing.tx, writing.org, id).await?;
    Ok(call.ok_or(Refusal::Unknown { field: "call_id", noun: "call" })?)
}

pub(crate) async fn find_named(tx: &mut Tx<'_>, org: OrgId, id: CallId) -> Result<Option<NamedCall>> {
    let sql =
        "SELECT id, contact_id, lead_id, assistant_id, status, spam FROM calls WHERE id = ?1 AND org_id = ?2";
    tx.first(sql, params![id, org], |row| {
        Ok(NamedCall {
            id: row.get()?,
            contact_id: row.get()?,
            lead_id: row.get()?,
            assistant_id: row.get()?,
            status: row.word("call status", CallStatus::parse)?,
            spam: row.get()?,
        })
    })
    .await
}

/// Gives a call its lead. Not shown with the call, so it is not a change of the call.
pub(crate) async fn put_lead(tx: &mut Tx<'_>, org: OrgId, id: CallId, lead: LeadId) -> Result<()> {
    let sql = "UPDATE calls SET lead_id = ?3 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org, lead]).await.map(drop)
}

/// Notes the use of a booking tool whose appointment was deleted.
pub(crate) async fn note_deleted_booking(
    tx: &mut Tx<'_>,
    org: OrgId,
    id: CallId,
    tool: String,
) -> Result<()> {
    let sql = "SELECT deleted_bookings FROM calls WHERE id = ?1 AND org_id = ?2";
    let known = tx.first(sql, params![id, org], |row| row.json_or_null::<Vec<String>>("bookings")).await?;
    let mut tools = known.flatten().unwrap_or_default();
    tools.push(tool);
    let json = serde_json::Value::from(tools).to_string();
    let sql = "UPDATE calls SET deleted_bookings = ?3 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org, &json]).await.map(drop)
}

/// Notes that a call came from a blocked number.
pub(crate) async fn mark_blocked(tx: &mut Tx<'_>, org: OrgId, id: CallId) -> Result<()> {
    let sql = "UPDATE calls SET blocked = TRUE WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org]).await.map(drop)
}
