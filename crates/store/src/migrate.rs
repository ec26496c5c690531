//! Brings a database's schema up to date: forward only, the same steps on both databases.

use std::{path::Path, thread, time::Duration};

use crate::{dialect::Dialect, error::Result, postgres::Postgres, sqlite};

mod sqlite_steps {
    refinery::embed_migrations!("migrations/sqlite");
}
mod postgres_steps {
    refinery::embed_migrations!("migrations/postgres");
}

/// Brings a file up to date, making it where it is not there.
pub(crate) fn sqlite(path: &Path) -> Result<()> {
    let mut connection = sqlite::open(path)?;
    let mut tries = 0;
    loop {
        match sqlite_steps::migrations::runner().run(&mut connection) {
            Ok(_) => return Ok(()),
            // Another process (a command beside a starting server) may have taken the same step at the same moment.
            Err(_) if tries < 3 => {
                tries += 1;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "at start, before there is anything to keep waiting"
                )]
                thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Brings a PostgreSQL database up to date.
pub(crate) async fn postgres(postgres: &Postgres) -> Result<()> {
    let mut client = postgres.client().await?;
    // The lock belongs to the session, which ends with this object instead of going back to the pool.
    client.batch_execute(Dialect::Postgres.migration_lock()).await?;
    postgres_steps::migrations::runner().run_async(&mut **client).await?;
    drop(deadpool_postgres::Object::take(client));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_take_the_same_steps() {
        let steps = |runner: refinery::Runner| -> Vec<String> {
            runner.get_migrations().iter().map(|step| format!("{} {}", step.version(), step.name())).collect()
        };
        assert_eq!(steps(sqlite_steps::migrations::runner()), steps(postgres_steps::migrations::runner()));
    }

    #[test]
    fn both_databases_have_the_same_tables_columns_and_indexes() {
        let shape = |runner: refinery::Runner| -> Vec<String> {
            runner.get_migrations().iter().filter_map(|step| step.sql()).flat_map(names).collect()
        };
        let (sqlite, postgres) =
            (shape(sqlite_steps::migrations::runner()), shape(postgres_steps::migrations::runner()));
        // The full-text index is the one table that differs; `dialect.rs` speaks to it.
        let common = |names: Vec<String>| -> Vec<String> {
            names.into_iter().filter(|name| !name.contains("call_search")).collect()
        };
        assert_eq!(common(sqlite), common(postgres));
    }

    #[test]
    fn no_index_has_sqlite_make_a_table_at_every_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.db");
        sqlite(&path).expect("a schema");
        let connection = sqlite::open(&path).expect("a connection");
        let column = |sql: &str, name: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).expect("a statement");
            let rows = statement.query_map([], |row| row.get(name)).expect("rows");
            rows.collect::<Result<_, _>>().expect("texts")
        };
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%search%'";
        for table in column(tables, "name") {
            let steps = column(&format!("EXPLAIN INSERT INTO {table} DEFAULT VALUES"), "opcode");
            // An index's condition with a list of more than two does so: `state IN ('a', 'b', 'c')`.
            assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{table}");
        }
    }

    /// The names that a step makes: `table calls`, `calls.id`, `index calls_by_phone ON …`.
    fn names(sql: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut table = String::new();
        for line in sql.lines() {
            if let Some(rest) = line.strip_prefix("CREATE ") {
                table = rest
                    .split_whitespace()
                    .find(|word| word.contains('_') || word.ends_with('s'))
                    .unwrap_or("")
                    .into();
                names.push(rest.trim_end_matches(" (").replace("VIRTUAL ", ""));
            } else if let Some(column) = line.strip_prefix("    ").filter(|_| !table.contains("call_search"))
            {
                let words: Vec<&str> = column.split_whitespace().collect();
                let constraint = column.contains("NOT NULL");
                if !column.starts_with("--") {
                    names.push(format!("{table}.{} {constraint}", words[0]));
                }
            }
        }
        names
    }
}
