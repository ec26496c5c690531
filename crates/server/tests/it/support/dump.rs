//! Everything that a database holds, as text: what somebody sees who takes it away.

use super::app::TestApp;

impl TestApp {
    /// Every cell of every table, a line each.
    pub(crate) async fn dump(&self) -> String {
        match self.file() {
            Some(path) => dump_sqlite(&path),
            None => dump_postgres(&self.database_url()).await,
        }
    }

    /// The bytes of the database's file and of its write-ahead log; none on PostgreSQL.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Some(path) = self.file() else { return Vec::new() };
        let mut bytes = std::fs::read(&path).expect("the file");
        let log = format!("{}-wal", path.display());
        bytes.extend(std::fs::read(log).unwrap_or_default());
        bytes
    }
}

fn dump_sqlite(path: &std::path::Path) -> String {
    use rusqlite::types::ValueRef;
    let connection = rusqlite::Connection::open(path).expect("a connection");
    let mut names =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("a query");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name")).collect();
    let mut all = String::new();
    // The table of the full-text index itself shows nothing: its words are in the tables behind it.
    for name in names.iter().filter(|name| *name != "call_search") {
        let mut query = connection.prepare(&format!("SELECT * FROM {name}")).expect("a query");
        let columns = query.column_count();
        let mut rows = query.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            for column in 0..columns {
                let cell = match row.get_ref(column).expect("a cell") {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        String::from_utf8_lossy(bytes).into_owned()
                    }
                    ValueRef::Integer(int) => int.to_string(),
                    ValueRef::Real(real) => real.to_string(),
                    ValueRef::Null => continue,
                };
                all.push_str(&format!("{name}: {cell}\n"));
            }
        }
    }
    all
}

async fn dump_postgres(url: &str) -> String {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    let read = async {
        let sql = "SELECT table_name, column_name, data_type FROM information_schema.columns \
                   WHERE table_schema = 'public'";
        let mut all = String::new();
        for row in client.query(sql, &[]).await.expect("columns") {
            let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let cell = match kind.as_str() {
                "bytea" => format!("encode({column}, 'escape')"),
                _ => format!("CAST({column} AS TEXT)"),
            };
            let sql = format!("SELECT {cell} FROM {table} WHERE {column} IS NOT NULL");
            for row in client.query(&sql, &[]).await.expect("cells") {
                all.push_str(&format!("{table}: {}\n", row.get::<_, String>(0)));
            }
        }
        all
    };
    tokio::select! {
        all = read => all,
        _ = connection => panic!("the connection to PostgreSQL ended"),
    }
}
