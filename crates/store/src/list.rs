//! What all lists have in common: newest first, a page at a time, from the record clock's stamps.

use model::{Cursor, OrgId, Page, Place, PlacedPage, Stamp, Time};

use crate::value::Value;

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The records.
    pub records: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

/// A page of a list that is ordered by a time and then by the id.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The records.
    pub records: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Place>,
}

/// A `SELECT` of one organization's records that grows a condition at a time.
pub(crate) struct ListQuery<'a> {
    sql: String,
    params: Vec<Value<'a>>,
}

impl<'a> ListQuery<'a> {
    /// Of whatever is selected, where a column names the organization: its number is `?1`.
    pub(crate) fn of(select: &str, org_column: &str, org: OrgId) -> Self {
        Self { sql: format!("{select} WHERE {org_column} = ?1"), params: vec![org.into()] }
    }

    /// Of a table with `org_id` and `created_at`.
    pub(crate) fn new(select: &str, org: OrgId, page: &Page) -> Self {
        let mut query = Self::of(select, "org_id", org);
        if let Some(Cursor(before)) = page.before {
            query.add("created_at < ", before.into());
        }
        if let Some(since) = page.since {
            query.add("created_at > ", since.into());
        }
        query
    }

    /// Of a table whose records are ordered by a time that need not be unique, and then by the id: the newest first.
    pub(crate) fn placed(select: &str, org: OrgId, time: &str, page: &PlacedPage) -> Self {
        let mut query = Self::of(select, "org_id", org);
        if let Some(Place { at, id }) = page.from {
            query.params.extend_from_slice(&[at.into(), id.into()]);
            query.sql.push_str(&format!(" AND ({time}, id) < (?2, ?3)"));
        }
        if let Some(since) = page.since {
            query.add(&format!("{time} > "), since.into());
        }
        query
    }

    /// Of a table with `org_id` and `created_at`, for a walk through all of it from the oldest record to the newest:
    /// those behind a place and up to a stamp.
    pub(crate) fn walk(select: &str, org: OrgId, after: Time, until: Stamp) -> Self {
        let sql = format!("{select} WHERE org_id = ?1 AND created_at > ?2 AND created_at <= ?3");
        Self { sql, params: vec![org.into(), after.into(), until.into()] }
    }

    /// The end of [`ListQuery::walk`].
    pub(crate) fn finish_walk(mut self, limit: u32) -> (String, Vec<Value<'a>>) {
        self.params.push(Value::Int(i64::from(limit)));
        self.sql.push_str(&format!(" ORDER BY created_at LIMIT ?{}", self.params.len()));
        (self.sql, self.params)
    }

    /// Where a condition without a parameter holds.
    pub(crate) fn only(&mut self, condition: &str) {
        self.sql.push_str(&format!(" AND {condition}"));
    }

    /// Where a column equals something, if it is asked for.
    pub(crate) fn equals(&mut self, column: &str, value: Option<impl Into<Value<'a>>>) {
        self.compare(&format!("{column} ="), value);
    }

    /// Where a column compares with something, if it is asked for; `comparison` ends in the operator.
    pub(crate) fn compare(&mut self, comparison: &str, value: Option<impl Into<Value<'a>>>) {
        if let Some(value) = value {
            self.add(&format!("{comparison} "), value.into());
        }
    }

    /// Where a column is one of these, if there are any.
    pub(crate) fn one_of(&mut self, column: &str, values: &'a [String]) {
        if values.is_empty() {
            return;
        }
        let first = self.params.len() + 1;
        self.params.extend(values.iter().map(Value::from));
        let marks: Vec<_> = (first..=self.params.len()).map(|n| format!("?{n}")).collect();
        self.only(&format!("{column} IN ({})", marks.join(", ")));
    }

    /// Where a condition that ends in a parameter holds.
    pub(crate) fn add(&mut self, condition: &str, value: Value<'a>) {
        self.params.push(value);
        self.sql.push_str(&format!(" AND {condition}?{}", self.params.len()));
    }

    /// Where a condition holds that is written for the number of its parameter.
    pub(crate) fn add_with(&mut self, condition: impl FnOnce(usize) -> String, value: Value<'a>) {
        self.params.push(value);
        self.sql.push_str(&format!(" AND {}", condition(self.params.len())));
    }

    /// Behind a place in a list that is ordered by a time and then by the id, the earliest first.
    pub(crate) fn behind(&mut self, time: &str, place: Option<Place>) {
        let Some(Place { at, id }) = place else { return };
        let first = self.params.len() + 1;
        self.params.extend_from_slice(&[at.into(), id.into()]);
        self.sql.push_str(&format!(" AND ({time}, id) > (?{first}, ?{})", first + 1));
    }

    /// The end of [`ListQuery::placed`].
    pub(crate) fn finish_placed(self, time: &str, page: &PlacedPage) -> (String, Vec<Value<'a>>) {
        self.finish_by(&format!("{time} DESC, id DESC"), page.limit)
    }

    /// The end of [`ListQuery::new`].
    pub(crate) fn finish(self, page: &Page) -> (String, Vec<Value<'a>>) {
        self.finish_by("created_at DESC", page.limit)
    }

    /// In this order, one more than a page holds: the one more tells whether there is a next page.
    pub(crate) fn finish_by(mut self, order: &str, limit: u32) -> (String, Vec<Value<'a>>) {
        self.params.push(Value::Int(i64::from(limit) + 1));
        self.sql.push_str(&format!(" ORDER BY {order} LIMIT ?{}", self.params.len()));
        (self.sql, self.params)
    }
}

impl<T> Placed<T> {
    /// Cuts off the one more that was asked for.
    pub(crate) fn cut(mut records: Vec<T>, limit: u32, place: impl Fn(&T) -> Place) -> Self {
        let limit = limit as usize;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = if more { records.last().map(place) } else { None };
        Self { records, next }
    }
}

impl<T> Listed<T> {
    /// Cuts off the one more that was asked for.
    pub(crate) fn cut(mut records: Vec<T>, page: &Page, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = page.limit as usize;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = if more { records.last().map(cursor) } else { None };
        Self { records, next }
    }
}
