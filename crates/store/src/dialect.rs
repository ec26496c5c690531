//! Every difference between the two databases' SQL, in pairs. Everything else is one text for both.

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A statement in the database's own spelling: ours writes parameters as `?1`, which PostgreSQL spells `$1`.
    pub(crate) fn translate(self, sql: &str) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Sqlite => sql.into(),
            Self::Postgres => sql.replace('?', "$").into(),
        }
    }

    /// Behind a `SELECT` of rows that a worker takes: rows that another worker is taking are passed over. SQLite has
    /// one writer, so there is no other.
    pub(crate) fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// Adds the words in `?2` of a call that is not indexed yet, with the `seq` `?1`.
    pub(crate) fn insert_words(self) -> &'static str {
        match self {
            Self::Sqlite => "INSERT INTO call_search (rowid, words) VALUES (?1, ?2)",
            Self::Postgres => {
                "INSERT INTO call_search (seq, words) VALUES (?1, CAST(CAST(?2 AS TEXT) AS TSVECTOR))"
            }
        }
    }

    /// Replaces the words of the call with the `seq` `?1` by the words in `?2`.
    pub(crate) fn put_words(self) -> &'static str {
        match self {
            Self::Sqlite => "INSERT OR REPLACE INTO call_search (rowid, words) VALUES (?1, ?2)",
            Self::Postgres => {
                "INSERT INTO call_search (seq, words) VALUES (?1, CAST(CAST(?2 AS TEXT) AS TSVECTOR)) \
                 ON CONFLICT (seq) DO UPDATE SET words = excluded.words"
            }
        }
    }

    /// The `seq` of every call with the words of the search that stands in the parameter `?n`.
    pub(crate) fn with_words(self, n: usize) -> String {
        match self {
            Self::Sqlite => format!("SELECT rowid FROM call_search WHERE call_search MATCH ?{n}"),
            Self::Postgres => {
                format!("SELECT seq FROM call_search WHERE words @@ CAST(CAST(?{n} AS TEXT) AS TSQUERY)")
            }
        }
    }

    /// Where a message's body contains the bytes of the parameter with a number.
    pub(crate) fn body_contains(self) -> fn(usize) -> String {
        match self {
            Self::Sqlite => |n| format!("instr(body, ?{n}) > 0"),
            Self::Postgres => |n| format!("position(CAST(?{n} AS BYTEA) IN body) > 0"),
        }
    }

    /// How a search is written: all words, the last of them as a beginning.
    pub(crate) fn search_operators(self) -> SearchOperators {
        match self {
            Self::Sqlite => SearchOperators { and: " AND ", prefix: "*" },
            Self::Postgres => SearchOperators { and: " & ", prefix: ":*" },
        }
    }

    /// Makes the table of the schema's version wait for another process that is bringing it up to date.
    pub(crate) fn migration_lock(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "SELECT pg_advisory_lock(7261946102)",
        }
    }
}

/// The signs of a full-text search.
pub(crate) struct SearchOperators {
    pub(crate) and: &'static str,
    pub(crate) prefix: &'static str,
}
