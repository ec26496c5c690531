//! Why a lead or an appointment is there, and as it is: what made it, from what, and which tools changed it since.

use model::{AppointmentId, CallId, InboxId, LeadId, OrgId, Platform, SourceId, Time};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    OrgStore, Result,
    accept::ToolChange,
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

/// Where an appointment comes from, and what assistants' tools did to it since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AppointmentProvenance {
    /// What made it.
    #[serde(flatten)]
    pub made: Provenance,
    /// The uses of tools that moved it or called it off, in the order in which they were carried out.
    #[schema(inline)]
    pub changes: Vec<AppointmentChanged>,
}

/// The use of a tool that changed an appointment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AppointmentChanged {
    /// What it did.
    #[schema(inline)]
    pub change: ToolChange,
    /// The call in which it was used.
    #[schema(value_type = String, format = Uuid)]
    pub call_id: CallId,
    /// The source of that call.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub source_id: Option<SourceId>,
    /// The platform of that source.
    pub platform: Option<Platform>,
    /// The message that told of it; null where no message did.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub message_id: Option<InboxId>,
    /// The use of the tool.
    pub tool_call_id: String,
    /// When it was carried out here.
    pub changed_at: Time,
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
    pub async fn appointment_provenance(&self, id: AppointmentId) -> Result<Option<AppointmentProvenance>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let made = of(tx, "appointments", "r.tool_call_id", params![id, org]).await?;
                    let Some(made) = made else { return Ok(None) };
                    Ok(Some(AppointmentProvenance { made, changes: changes_of(tx, org, id).await? }))
                })
            })
            .await
    }
}

async fn changes_of(tx: &mut Tx<'_>, org: OrgId, id: AppointmentId) -> Result<Vec<AppointmentChanged>> {
    let sql = "SELECT a.kind, a.call_id, c.source_id, c.source, a.message_id, a.tool_call_id, a.changed_at \
               FROM appointment_changes a LEFT JOIN calls c ON c.id = a.call_id AND c.org_id = a.org_id \
               WHERE a.appointment_id = ?1 AND a.org_id = ?2 \
               ORDER BY a.changed_at, a.began_at, a.call_id, a.tool_call_id LIMIT 100";
    tx.query(sql, params![id, org], |row| {
        Ok(AppointmentChanged {
            change: row.word("change of an appointment", ToolChange::parse)?,
            call_id: row.get()?,
            source_id: row.get()?,
            platform: row.word_or_null("platform", Platform::parse)?,
            message_id: row.get()?,
            tool_call_id: row.get()?,
            changed_at: row.get()?,
        })
    })
    .await
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
