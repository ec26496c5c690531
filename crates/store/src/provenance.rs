//! Why a lead or an appointment is there: what made it, and from what.

use model::{AppointmentId, CallId, InboxId, LeadId, Platform, SourceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    OrgStore, Result,
    tx::Tx,
    value::{Cells, Value, params},
};

/// A rule that makes records of what calls say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The call took place, and says how to reach somebody and what they want.
    SufficientContext,
    /// A tool that books was used, and did not fail.
    BookingTool,
}

impl Rule {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SufficientContext => "sufficient_context",
            Self::BookingTool => "booking_tool",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::SufficientContext, Self::BookingTool].into_iter().find(|rule| rule.as_str() == word)
    }
}

/// What made a record, as it is written with it.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) rule: Rule,
    /// The message that brought it about; `None` where it was the end of a wait, or a call written by API.
    pub(crate) message: Option<InboxId>,
}

impl Made {
    /// The columns `rule` and `message_id`, null both where no rule made the record.
    pub(crate) fn columns(made: Option<Self>) -> (Value<'static>, Value<'static>) {
        (made.map(|made| made.rule.as_str()).into(), made.and_then(|made| made.message).into())
    }
}

/// Where a record comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Provenance {
    /// The rule that made it; null where it was written by API or brought in by an import.
    #[schema(inline)]
    pub rule: Option<Rule>,
    /// The call that it belongs to.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub call_id: Option<CallId>,
    /// The source of that call.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub source_id: Option<SourceId>,
    /// The platform of that source.
    pub platform: Option<Platform>,
    /// The message that brought it about, to be read under `/v1/sources/{id}/events`; null where no message did, such as
    /// when the wait for a better one was over.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub message_id: Option<InboxId>,
    /// The use of a tool that booked it.
    pub tool_call_id: Option<String>,
}

impl OrgStore {
    /// Where a lead comes from, if the organization has it.
    pub async fn lead_provenance(&self, id: LeadId) -> Result<Option<Provenance>> {
        let org = self.org;
        self.store
            .peek(move |tx| Box::pin(async move { of(tx, "leads", "NULL", params![id, org]).await }))
            .await
    }

    /// Where an appointment comes from, if the organization has it.
    pub async fn appointment_provenance(&self, id: AppointmentId) -> Result<Option<Provenance>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move { of(tx, "appointments", "r.tool_call_id", params![id, org]).await })
            })
            .await
    }
}

async fn of(tx: &mut Tx<'_>, table: &str, tool_call: &str, key: &[Value<'_>]) -> Result<Option<Provenance>> {
    let sql = format!(
        "SELECT r.rule, r.call_id, c.source_id, c.source, r.message_id, {tool_call} \
         FROM {table} r LEFT JOIN calls c ON c.id = r.call_id AND c.org_id = r.org_id \
         WHERE r.id = ?1 AND r.org_id = ?2"
    );
    tx.first(&sql, key, read).await
}

fn read(row: &mut Cells<'_>) -> Result<Provenance> {
    Ok(Provenance {
        rule: row.word_or_null("rule", Rule::parse)?,
        call_id: row.get()?,
        source_id: row.get()?,
        platform: row.word_or_null("platform", Platform::parse)?,
        message_id: row.get()?,
        tool_call_id: row.get()?,
    })
}
