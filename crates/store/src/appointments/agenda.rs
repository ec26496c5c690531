//! Appointments by when they take place.

use model::{Appointment, AppointmentStatus, Place, Time};

use super::{COLUMNS, read};
use crate::{OrgStore, Placed, Result, list::ListQuery, value::params};

/// Which appointments are asked for, of those that have a time.
#[derive(Clone, Debug)]
pub struct ListAgenda {
    /// How many at most.
    pub limit: u32,
    /// Only those behind this one.
    pub after: Option<Place>,
    /// Only those with this status.
    pub status: Option<AppointmentStatus>,
    /// Only those that begin at this time or later.
    pub from: Option<Time>,
    /// Only those that begin before this time.
    pub to: Option<Time>,
}

impl OrgStore {
    /// Appointments that have a time, the earliest first.
    pub async fn list_agenda(&self, list: ListAgenda) -> Result<Placed<Appointment>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM appointments");
                    let mut query = ListQuery::of(&select, "org_id", org);
                    query.only("starts_at IS NOT NULL");
                    query.behind("starts_at", list.after);
                    query.equals("status", list.status.map(AppointmentStatus::as_str));
                    query.compare("starts_at >=", list.from);
                    query.compare("starts_at <", list.to);
                    let (sql, params) = query.finish_by("starts_at, id", list.limit);
                    let records = tx.query(&sql, &params, read).await?;
                    let place = |it: &Appointment| Place {
                        at: it.starts_at.unwrap_or(Time::from_micros(0)),
                        id: it.id.uuid(),
                    };
                    Ok(Placed::cut(records, list.limit, place))
                })
            })
            .await
    }

    /// Appointments that are to take place and have no time, the newest first, at most so many.
    pub async fn appointments_without_time(&self, limit: u32) -> Result<Vec<Appointment>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM appointments WHERE org_id = ?1 AND starts_at IS NULL \
                         AND status IN ('booked', 'unconfirmed', 'rescheduled') ORDER BY created_at DESC LIMIT ?2"
                    );
                    tx.query(&sql, params![org, i64::from(limit)], read).await
                })
            })
            .await
    }

    /// How many appointments were made after a time, whatever became of them.
    pub async fn count_appointments(&self, since: Option<Time>) -> Result<i64> {
        let (org, since) = (self.org, since.unwrap_or(Time::from_micros(0)));
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT count(*) FROM appointments WHERE org_id = ?1 AND created_at > ?2";
                    Ok(tx.first(sql, params![org, since], |row| row.get()).await?.unwrap_or(0))
                })
            })
            .await
    }
}
