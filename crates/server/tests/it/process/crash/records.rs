//! The records as they stand in the database, read beside the product.

use rusqlite::types::ValueRef;
use tokio_postgres::{NoTls, types::Type};
use uuid::Uuid;

use super::super::server::Home;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Id(Uuid),
}

impl Cell {
    pub(in super::super) fn int(&self) -> i64 {
        let Self::Int(number) = self else { panic!("{self:?} is not a number") };
        *number
    }

    pub(in super::super) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("{self:?} is not a text") };
        text
    }

    pub(in super::super) fn id(&self) -> Uuid {
        let Self::Id(id) = self else { panic!("{self:?} is not an id") };
        *id
    }
}

/// The rows of a query.
pub(in super::super) async fn rows(home: &Home, sql: &str) -> Vec<Vec<Cell>> {
    match home.postgres() {
        Some(url) => postgres_rows(url, sql).await,
        None => sqlite_rows(home, sql),
    }
}

/// Runs a statement that the product has no operation for.
pub(super) async fn execute(home: &Home, sql: &str) {
    match home.postgres() {
        Some(url) => drop(postgres_rows(url, sql).await),
        None => drop(sqlite_rows(home, sql)),
    }
}

fn sqlite_rows(home: &Home, sql: &str) -> Vec<Vec<Cell>> {
    let connection = rusqlite::Connection::open(home.path().join("data/inboundflow.db")).expect("a database");
    let mut statement = connection.prepare(sql).expect(sql);
    let width = statement.column_count();
    let cell = |value: ValueRef<'_>| match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).expect("UTF-8")),
        ValueRef::Blob(bytes) => Cell::Id(Uuid::from_slice(bytes).expect("an id")),
        ValueRef::Real(_) => panic!("there are no fractions"),
    };
    let rows = statement.query_map([], |row| {
        (0..width).map(|at| Ok(cell(row.get_ref(at)?))).collect::<rusqlite::Result<Vec<Cell>>>()
    });
    rows.expect(sql).map(|row| row.expect(sql)).collect()
}

async fn postgres_rows(url: &str, sql: &str) -> Vec<Vec<Cell>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    let found = tokio::select! {
        found = client.query(sql, &[]) => found.expect(sql),
        _ = connection => panic!("the connection to PostgreSQL ended"),
    };
    let cell = |row: &tokio_postgres::Row, at: usize| match row.columns()[at].type_() {
        &Type::UUID => row.get::<_, Option<Uuid>>(at).map_or(Cell::Null, Cell::Id),
        &Type::INT8 => row.get::<_, Option<i64>>(at).map_or(Cell::Null, Cell::Int),
        _ => row.get::<_, Option<String>>(at).map_or(Cell::Null, Cell::Text),
    };
    found.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
}
