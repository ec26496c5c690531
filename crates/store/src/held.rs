//! Deliveries that wait for their endpoint: held while it is paused or disabled, and what becomes of them when it is
//! told again.

use std::str::FromStr;

use model::{DeliveryId, EndpointId, Time};

use crate::{Result, delivery_log::have_failed, tx::Tx, value::params};

/// What becomes of the deliveries that were held when their endpoint is enabled.
///
/// Written `deliver`, `discard`, or as the ISO 8601 date-time after which they are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeldChoice {
    /// All of them are delivered.
    #[default]
    Deliver,
    /// Those made after this are delivered, the others are called off.
    DeliverAfter(Time),
    /// All of them are called off.
    Discard,
}

impl HeldChoice {
    /// The choices that have a word.
    pub const WORDS: [&'static str; 2] = ["deliver", "discard"];
}

impl FromStr for HeldChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "deliver" => Ok(Self::Deliver),
            "discard" => Ok(Self::Discard),
            _ => text.parse().map(Self::DeliverAfter).map_err(|_| {
                "must be `deliver`, `discard` or an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z"
            }),
        }
    }
}

/// How long a delivery waits whose endpoint is just being changed, in microseconds.
const MOMENT_MICROS: i64 = 1_000_000;

/// The held deliveries of the endpoint `?1`. Without the organization, as where an endpoint is gone: its own statement
/// saw to that.
fn are_held() -> String {
    format!("endpoint_id = ?1 AND {} AND state = 'held'", have_failed(""))
}

/// The endpoint is not told: what it is still owed waits. What a person asked to have sent is sent all the same.
pub(crate) async fn hold_waiting(tx: &mut Tx<'_>, endpoint: EndpointId, now: Time) -> Result<()> {
    // Without the organization, as where an endpoint is gone: its own statement saw to that.
    let sql = "UPDATE deliveries SET state = 'held', due_at = NULL, updated_at = ?2 \
               WHERE endpoint_id = ?1 AND due_at > 0 AND (manual_attempt IS NULL OR manual_attempt <> attempts + 1)";
    tx.execute(sql, params![endpoint, now]).await.map(drop)
}

/// The endpoint was enabled: what was held for it becomes due as if it had been since it was made, so that the oldest
/// is sent first, or is called off.
pub(crate) async fn release(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    choice: HeldChoice,
    now: Time,
) -> Result<()> {
    match choice {
        HeldChoice::Deliver => {}
        HeldChoice::DeliverAfter(time) => call_off(tx, endpoint, Some(time), now).await?,
        HeldChoice::Discard => return call_off(tx, endpoint, None, now).await,
    }
    // A stamp may be a little ahead of the time of day.
    let sql = format!(
        "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
             due_at = CASE WHEN created_at < ?2 THEN created_at ELSE ?2 END, updated_at = ?2 WHERE {}",
        are_held()
    );
    let released = tx.execute(&sql, params![endpoint, now]).await?;
    tx.left.others |= released > 0;
    Ok(())
}

/// Calls off what is held for an endpoint, or only what was made until a time.
pub(crate) async fn call_off(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    until: Option<Time>,
    now: Time,
) -> Result<()> {
    let mut sql = format!("UPDATE deliveries SET state = 'cancelled', updated_at = ?2 WHERE {}", are_held());
    let mut params = params![endpoint, now].to_vec();
    if let Some(until) = until {
        sql.push_str(" AND created_at <= ?3");
        params.push(until.into());
    }
    tx.execute(&sql, &params).await.map(drop)
}

/// Puts a delivery aside that was taken although its endpoint is not told: a try that was under way when it was paused
/// has failed.
///
/// It is held under the endpoint's lock: whoever enables it comes after this and finds the delivery, or came before,
/// and then it is not held. But nobody waits for that lock here, with the delivery's own lock in hand, which whoever
/// changes the endpoint wants: where another has it, the delivery is looked at again in a moment.
pub(crate) async fn put_aside(
    tx: &mut Tx<'_>,
    id: DeliveryId,
    endpoint: EndpointId,
    now: Time,
) -> Result<()> {
    tx.left.others = true;
    let sql = format!(
        "SELECT 1 FROM endpoints WHERE id = ?1 AND state IN ('paused', 'disabled') {}",
        tx.dialect().skip_locked()
    );
    if tx.first(&sql, params![endpoint], |_| Ok(())).await?.is_some() {
        let sql = "UPDATE deliveries SET state = 'held', lease_owner = NULL, lease_until = NULL, updated_at = ?2 \
                   WHERE id = ?1";
        return tx.execute(sql, params![id, now]).await.map(drop);
    }
    let sql = "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, due_at = ?2, \
                   lease_owner = NULL, lease_until = NULL \
               WHERE id = ?1";
    tx.execute(sql, params![id, now.plus_micros(MOMENT_MICROS)]).await.map(drop)
}
