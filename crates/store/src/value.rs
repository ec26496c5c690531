//! Values on their way into a statement and out of a row, the same for both databases.

use bytes::BytesMut;
use model::{Id, Phone, Stamp, Time};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::error::{Error, Result};

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    Uuid(Uuid),
}

/// PostgreSQL's text has no NUL. One lost control character is better than a lost call, and both databases should
/// say the same.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let owned = |value: rusqlite::types::Value| Ok(ToSqlOutput::Owned(value));
        match self {
            Self::Null => owned(rusqlite::types::Value::Null),
            Self::Int(int) => owned((*int).into()),
            Self::Bool(bool) => owned((*bool).into()),
            Self::Text(text) if text.contains('\0') => owned(without_nul(text).into()),
            Self::Text(text) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))),
            Self::Bytes(bytes) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(bytes))),
            Self::Uuid(uuid) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes()))),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(int) => int.to_sql(ty, out),
            Self::Bool(bool) => bool.to_sql(ty, out),
            Self::Text(text) if text.contains('\0') => without_nul(text).to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Uuid(uuid) => uuid.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a Phone> for Value<'a> {
    fn from(value: &'a Phone) -> Self {
        Self::Text(value.as_str())
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}
impl From<Uuid> for Value<'_> {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}
impl<K> From<Id<K>> for Value<'_> {
    fn from(value: Id<K>) -> Self {
        Self::Uuid(value.uuid())
    }
}
impl From<Time> for Value<'_> {
    fn from(value: Time) -> Self {
        Self::Int(value.micros())
    }
}
impl From<Stamp> for Value<'_> {
    fn from(value: Stamp) -> Self {
        Self::Int(value.micros())
    }
}
impl<'a, T> From<Option<T>> for Value<'a>
where
    Value<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}
impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_ref().into()
    }
}
impl<'a> From<&'a Option<Phone>> for Value<'a> {
    fn from(value: &'a Option<Phone>) -> Self {
        value.as_ref().into()
    }
}

/// The parameters of a statement: `params![org, &name, Some(time)]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::value::Value::from($value)),*] };
}
pub(crate) use params;

/// A row of either database.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// The cells of a row, read from left to right, so that a query's columns and the code that reads them stand in the
/// same order and nobody counts.
pub(crate) struct Cells<'a> {
    row: Row<'a>,
    next: usize,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(row: Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    /// The next cell.
    pub(crate) fn get<T: Column>(&mut self) -> Result<T> {
        let index = self.next;
        self.next += 1;
        T::read(self.row, index)
    }

    /// The next cell's text or null, without a copy.
    pub(crate) fn text(&mut self) -> Result<Option<&'a str>> {
        let index = self.next;
        self.next += 1;
        match self.row {
            Row::Sqlite(row) => {
                let cell = row.get_ref(index)?;
                Ok(cell.as_str_or_null().map_err(rusqlite::Error::from)?)
            }
            Row::Postgres(row) => Ok(row.try_get(index)?),
        }
    }

    /// The next cell, which holds the word of an enumeration.
    pub(crate) fn word<T>(&mut self, what: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text: String = self.get()?;
        parse(&text)
            .ok_or_else(|| Error::Stored { what, why: format!("`{text}` is not a word of this version") })
    }

    /// The next cell, which holds the word of an enumeration or nothing.
    pub(crate) fn word_or_null<T>(
        &mut self,
        what: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let text: Option<String> = self.get()?;
        text.map(|text| {
            parse(&text)
                .ok_or_else(|| Error::Stored { what, why: format!("`{text}` is not a word of this version") })
        })
        .transpose()
    }

    /// The next cell, which holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self, what: &'static str) -> Result<T> {
        let text: String = self.get()?;
        serde_json::from_str(&text).map_err(|error| Error::Stored { what, why: error.to_string() })
    }

    /// The next cell, which holds JSON or nothing.
    pub(crate) fn json_or_null<T: serde::de::DeserializeOwned>(
        &mut self,
        what: &'static str,
    ) -> Result<Option<T>> {
        let text: Option<String> = self.get()?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Error::Stored { what, why: error.to_string() })
    }
}

/// Something that a cell can hold.
pub(crate) trait Column: Sized {
    fn read(row: Row<'_>, index: usize) -> Result<Self>;
}

/// The types that both drivers read by themselves.
macro_rules! native_column {
    ($($ty:ty),*) => {$(
        impl Column for $ty {
            fn read(row: Row<'_>, index: usize) -> Result<Self> {
                match row {
                    Row::Sqlite(row) => Ok(row.get(index)?),
                    Row::Postgres(row) => Ok(row.try_get(index)?),
                }
            }
        }
    )*};
}
native_column!(i64, bool, String, Vec<u8>, Option<i64>, Option<bool>, Option<String>, Option<Vec<u8>>);

fn uuid_of(blob: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(blob).map_err(|error| Error::Stored { what: "id", why: error.to_string() })
}

impl Column for Option<Uuid> {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        match row {
            Row::Sqlite(row) => match row.get_ref(index)? {
                ValueRef::Null => Ok(None),
                cell => uuid_of(cell.as_blob().map_err(rusqlite::Error::from)?).map(Some),
            },
            Row::Postgres(row) => Ok(row.try_get(index)?),
        }
    }
}
impl Column for Uuid {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        let uuid: Option<Self> = Column::read(row, index)?;
        uuid.ok_or(Error::Stored { what: "id", why: "is missing".into() })
    }
}
impl<K> Column for Id<K> {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        Uuid::read(row, index).map(Self::new)
    }
}
impl<K> Column for Option<Id<K>> {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        Option::<Uuid>::read(row, index).map(|uuid| uuid.map(Id::new))
    }
}
impl Column for Time {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        i64::read(row, index).map(Self::from_micros)
    }
}
impl Column for Option<Time> {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        Option::<i64>::read(row, index).map(|micros| micros.map(Time::from_micros))
    }
}
impl Column for Stamp {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        i64::read(row, index).map(Self::from_micros)
    }
}
impl Column for Option<Phone> {
    fn read(row: Row<'_>, index: usize) -> Result<Self> {
        Option::<String>::read(row, index).map(|text| text.map(Phone::from_e164_unchecked))
    }
}
