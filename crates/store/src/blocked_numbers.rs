//! The block list: numbers whose calls are kept and come to nothing.

use model::{BlockedNumber, BlockedNumberId, CallId, Cursor, Direction, Facts, OrgId, Page, Phone, Stamp};

use crate::{
    Listed, OrgStore, Result, Screening,
    list::ListQuery,
    tx::Tx,
    value::{Cells, Value, params},
    writes::{Answer, Asked, Refusal, Saved, Saving, Writing},
};

/// Which blocked numbers are asked for.
#[derive(Clone, Debug)]
pub struct ListBlockedNumbers {
    /// The page.
    pub page: Page,
    /// Only this number.
    pub phone: Option<Phone>,
}

/// A number to block.
#[derive(Clone, Debug)]
pub struct NewBlockedNumber {
    /// The number.
    pub phone: Phone,
    /// Why, in the organization's words.
    pub reason: Option<String>,
}

pub(crate) const COLUMNS: &str = "id, phone, reason, created_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<BlockedNumber> {
    Ok(BlockedNumber {
        id: row.get()?,
        phone: Phone::from_e164_unchecked(row.get()?),
        reason: row.get()?,
        created_at: row.get()?,
    })
}

impl OrgStore {
    /// Blocks a number: its calls from now on, and those that are under way. What was told of a call stays told.
    pub async fn block_number(&self, new: NewBlockedNumber, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(create(writing, new))).await
    }

    /// Unblocks a number. Calls that were blocked stay so.
    pub async fn unblock_number(&self, id: BlockedNumberId, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(delete(writing, id))).await
    }

    /// A blocked number, if the organization has it.
    pub async fn get_blocked_number(&self, id: BlockedNumberId) -> Result<Option<BlockedNumber>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// Those of some numbers that are blocked.
    pub async fn blocked_among(&self, phones: Vec<Phone>) -> Result<Vec<BlockedNumber>> {
        let org = self.org;
        if phones.is_empty() {
            return Ok(Vec::new());
        }
        self.store.peek(move |tx| Box::pin(async move { among(tx, org, &phones).await })).await
    }

    /// Blocked numbers, the latest first.
    pub async fn list_blocked_numbers(&self, list: ListBlockedNumbers) -> Result<Listed<BlockedNumber>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM blocked_numbers");
                    let mut query = ListQuery::new(&select, org, &list.page);
                    query.equals("phone", list.phone.as_ref());
                    let (sql, params) = query.finish(&list.page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Listed::cut(records, &list.page, |number| Cursor(number.created_at)))
                })
            })
            .await
    }
}

/// How many numbers are looked up at once at most: a page of contacts, each with some.
const LOOKED_UP: usize = 500;

/// Those of some numbers that are blocked.
pub(crate) async fn among(tx: &mut Tx<'_>, org: OrgId, phones: &[Phone]) -> Result<Vec<BlockedNumber>> {
    let mut found = Vec::new();
    for phones in phones.chunks(LOOKED_UP) {
        let marks: Vec<_> = (2..phones.len() + 2).map(|n| format!("?{n}")).collect();
        let mut params: Vec<Value<'_>> = vec![org.into()];
        params.extend(phones.iter().map(Value::from));
        let marks = marks.join(", ");
        let sql = format!("SELECT {COLUMNS} FROM blocked_numbers WHERE org_id = ?1 AND phone IN ({marks})");
        found.extend(tx.query(&sql, &params, read).await?);
    }
    Ok(found)
}

async fn create(writing: &mut Writing<'_, '_>, new: NewBlockedNumber) -> Saving {
    let (org, NewBlockedNumber { phone, reason }) = (writing.org, new);
    if let Some(known) = by_phone(writing.tx, org, &phone).await? {
        return Err(Refusal::Taken { field: "phone", noun: "blocked number", by: known.id.uuid() }.into());
    }
    let created_at = writing.stamp().await?;
    let number = BlockedNumber { id: writing.teller.ids.id(), phone, reason, created_at };
    writing
        .tx
        .execute(
            "INSERT INTO blocked_numbers (id, org_id, phone, reason, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![number.id, org, &number.phone, &number.reason, number.created_at],
        )
        .await?;
    count(writing.tx, org).await?;
    writing.tx.known.blocking.insert(org);
    Ok(Saved::created(&number))
}

async fn delete(writing: &mut Writing<'_, '_>, id: BlockedNumberId) -> Saving {
    let number = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(version(&number))?;
    let sql = "DELETE FROM blocked_numbers WHERE id = ?1 AND org_id = ?2";
    writing.tx.execute(sql, params![id, writing.org]).await?;
    count(writing.tx, writing.org).await?;
    Ok(Saved::deleted(id.uuid()))
}

/// Takes a number off the list that belongs to a person who is erased. Returns how many entries that were.
pub(crate) async fn forget(tx: &mut Tx<'_>, org: OrgId, phone: &str) -> Result<u64> {
    let sql = "DELETE FROM blocked_numbers WHERE phone = ?1 AND org_id = ?2";
    let forgotten = tx.execute(sql, params![phone, org]).await?;
    if forgotten > 0 {
        count(tx, org).await?;
    }
    Ok(forgotten)
}

/// An entry is never changed.
fn version(number: &BlockedNumber) -> Stamp {
    number.created_at
}

/// Keeps the number of blocked numbers beside the record clock (see [`crate::stamps`]).
async fn count(tx: &mut Tx<'_>, org: OrgId) -> Result<()> {
    let sql = "UPDATE org_clocks SET blocked_numbers = (SELECT count(*) FROM blocked_numbers WHERE org_id = ?1) \
               WHERE org_id = ?1";
    tx.execute(sql, params![org]).await.map(drop)
}

async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: BlockedNumberId) -> Result<Option<BlockedNumber>> {
    let sql = format!("SELECT {COLUMNS} FROM blocked_numbers WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

async fn by_phone(tx: &mut Tx<'_>, org: OrgId, phone: &Phone) -> Result<Option<BlockedNumber>> {
    let sql = format!("SELECT {COLUMNS} FROM blocked_numbers WHERE org_id = ?1 AND phone = ?2");
    tx.first(&sql, params![org, phone], read).await
}

/// What the block list says of a call's other party. Asks nothing where the organization blocks nobody.
pub(crate) async fn screen(tx: &mut Tx<'_>, org: OrgId, facts: &Facts) -> Result<Screening> {
    if !tx.known.blocking.contains(&org) {
        return Ok(Screening::Passed);
    }
    Ok(match &facts.caller_phone {
        Some(phone) if by_phone(tx, org, phone).await?.is_some() => Screening::Blocked,
        None if is_unknown(tx, org, facts) => Screening::Unknown,
        Some(_) | None => Screening::Passed,
    })
}

/// Whether a call was blocked and its caller's number still is.
pub(crate) async fn turns_away(tx: &mut Tx<'_>, org: OrgId, call: CallId) -> Result<bool> {
    let sql = "SELECT 1 FROM calls c JOIN blocked_numbers b ON b.org_id = c.org_id AND b.phone = c.caller_phone \
               WHERE c.id = ?1 AND c.org_id = ?2 AND c.blocked LIMIT 1";
    Ok(tx.first(sql, params![call, org], |_| Ok(())).await?.is_some())
}

/// Whether it makes a difference who calls, and nobody has told yet.
fn is_unknown(tx: &Tx<'_>, org: OrgId, facts: &Facts) -> bool {
    // A withheld number, a SIP address, a browser: there is no number to come.
    let names_nobody = facts.caller_address.is_none() && facts.direction != Some(Direction::Web);
    tx.known.blocking.contains(&org) && facts.caller_phone.is_none() && names_nobody
}
