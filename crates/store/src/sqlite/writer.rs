//! The thread that writes: it takes all writes that wait into one transaction, and answers them when that is on the
//! disk.
//!
//! Each write keeps its own outcome. A savepoint for each would see to that, but costs a good part of a small write:
//! SQLite copies every page before its first change since the savepoint, and the full-text index writes a segment at
//! each. So writes that can be run again go without. Where one of a group fails, nothing of the group is kept, and
//! each is run again, now with a savepoint: failures are rare and pay for themselves.

use std::{collections::VecDeque, sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{checkpoint::Checkpoints, unwind};
use crate::{
    error::{Error, Result},
    outbox::{Leased, Left, Outbox},
    tx::{Care, Known, Tx},
};

/// How many writes one commit may hold. With `synchronous=FULL` a commit waits for the disk; the writes that arrive
/// meanwhile form the next group, so a lone write never waits for company and many share one wait.
const GROUP: usize = 256;

/// After so many commits the planner's statistics are looked after.
const OPTIMIZE_EVERY: u64 = 10_000;

/// A table of fewer rows may soon be another one.
const SMALL: u32 = 10_000;

/// A write that waits for its turn.
pub(super) trait Job: Send {
    /// Whether it can be run again after it was rolled back.
    fn is_repeatable(&self) -> bool;

    /// Runs it. Returns whether it may be committed.
    fn run(&mut self, connection: &mut Connection, care: Care, known: &mut Known) -> bool;

    /// Tells whoever asked for it how it went, once it is known whether the commit succeeded.
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

/// Where the outcome of a write arrives.
pub(super) type Answered<T> = oneshot::Receiver<Result<T>>;

/// An operation of several steps and, when it has run, what came of it.
pub(super) struct Writing<T, F> {
    run: F,
    repeatable: bool,
    outbox: Arc<Outbox>,
    done: Option<Done<T>>,
    answer: oneshot::Sender<Result<T>>,
}

struct Done<T> {
    result: Result<T>,
    leased: Vec<Leased>,
    left: Left,
}

impl<T, F> Writing<T, F> {
    /// A write that can be run only once.
    pub(super) fn once(run: F, outbox: &Arc<Outbox>) -> (Self, Answered<T>) {
        Self::new(run, false, outbox)
    }

    /// A write that can be run again.
    pub(super) fn repeatable(run: F, outbox: &Arc<Outbox>) -> (Self, Answered<T>) {
        Self::new(run, true, outbox)
    }

    fn new(run: F, repeatable: bool, outbox: &Arc<Outbox>) -> (Self, Answered<T>) {
        let (answer, answered) = oneshot::channel();
        (Self { run, repeatable, outbox: outbox.clone(), done: None, answer }, answered)
    }
}

impl<T, F> Job for Writing<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T> + Send,
{
    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn run(&mut self, connection: &mut Connection, care: Care, known: &mut Known) -> bool {
        // What the run before leased is given back before this one asks for it.
        self.done = None;
        let mut tx = Tx::sqlite(connection, care);
        tx.known = std::mem::take(known);
        let result = unwind(|| (self.run)(&mut tx));
        *known = std::mem::take(&mut tx.known);
        let keep = result.is_ok();
        let (leased, left) = (std::mem::take(&mut tx.leased), std::mem::take(&mut tx.left));
        self.done = Some(Done { result, leased, left });
        keep
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        let Self { outbox, done, answer, .. } = *self;
        let result = match done {
            Some(Done { result: Ok(value), leased, left }) => match committed {
                Ok(()) => {
                    outbox.committed(leased, &left);
                    Ok(value)
                }
                Err(error) => Err(Error::Commit(error)),
            },
            Some(Done { result: Err(error), .. }) => Err(error),
            None => Err(committed.map_or_else(Error::Commit, |()| Error::Dropped)),
        };
        // Nobody waits any more where the request was given up.
        let _ = answer.send(result);
    }
}

/// Starts the thread over its connection. It ends when the sender is gone.
pub(super) fn start(
    connection: Connection,
    checkpoints: Checkpoints,
) -> std::io::Result<Sender<Box<dyn Job>>> {
    let (sender, jobs) = unbounded();
    let mut writer = Writer { connection, jobs, waiting: VecDeque::new() };
    thread::Builder::new().name("store-writer".into()).spawn(move || {
        let mut commits: u64 = 0;
        while let Some(first) = writer.next() {
            if commits.is_multiple_of(OPTIMIZE_EVERY) {
                optimize(&writer.connection);
            }
            commits += 1;
            writer.commit_group(first);
            checkpoints.committed(&writer.connection);
        }
    })?;
    Ok(sender)
}

struct Writer {
    connection: Connection,
    jobs: Receiver<Box<dyn Job>>,
    /// Taken from `jobs` and not run, because it does not go with the group before.
    waiting: VecDeque<Box<dyn Job>>,
}

impl Writer {
    fn next(&mut self) -> Option<Box<dyn Job>> {
        self.waiting.pop_front().or_else(|| self.jobs.recv().ok())
    }

    /// Runs a write and those that wait behind it, commits them together, and answers each.
    fn commit_group(&mut self, first: Box<dyn Job>) {
        let care = if first.is_repeatable() { Care::Group } else { Care::Alone };
        let mut group = vec![first];
        let mut committed = self.run_and_commit(&mut group, care);
        if let Ok(false) = committed {
            // One of them failed and took the others along.
            committed = self.redo(&mut group);
        }
        let committed = committed.map(drop).map_err(Arc::new);
        if let Err(error) = &committed {
            tracing::error!(%error, "a group of {} writes could not be committed", group.len());
            self.roll_back();
        }
        for job in group {
            job.answer(committed.clone());
        }
    }

    /// `false` where one failed that had no savepoint: then everything is rolled back.
    fn run_and_commit(&mut self, group: &mut Vec<Box<dyn Job>>, care: Care) -> rusqlite::Result<bool> {
        self.execute("BEGIN IMMEDIATE")?;
        let mut known = Known::default();
        let mut at = 0;
        while let Some(job) = group.get_mut(at) {
            let kept = match care {
                Care::Group => job.run(&mut self.connection, care, &mut known),
                Care::Alone => {
                    run_alone(&mut self.connection, &mut **job)?;
                    true
                }
            };
            if !kept {
                self.roll_back();
                return Ok(false);
            }
            at += 1;
            if at == group.len() && at < GROUP {
                self.take_another(group, care);
            }
        }
        self.execute("COMMIT")?;
        Ok(true)
    }

    /// Takes the next write into the group if it waits and goes with it.
    fn take_another(&mut self, group: &mut Vec<Box<dyn Job>>, care: Care) {
        let next = self.waiting.pop_front().or_else(|| self.jobs.try_recv().ok());
        match next {
            Some(job) if job.is_repeatable() == (care == Care::Group) => group.push(job),
            Some(job) => self.waiting.push_back(job),
            None => {}
        }
    }

    fn redo(&mut self, group: &mut [Box<dyn Job>]) -> rusqlite::Result<bool> {
        self.execute("BEGIN IMMEDIATE")?;
        for job in group {
            run_alone(&mut self.connection, &mut **job)?;
        }
        self.execute("COMMIT")?;
        Ok(true)
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Where even this fails the next `BEGIN` reports it.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Without statistics the planner takes a status for as telling as a phone number. Bounded by `analysis_limit`,
/// so it takes milliseconds; where it fails, the next time may do.
///
/// Those of small tables are forgotten at once: whoever plans by them looks through a table from its beginning, and goes
/// on doing so when it has grown.
fn optimize(connection: &Connection) {
    let sql = format!(
        "PRAGMA optimize(0x10002); \
         DELETE FROM sqlite_stat1 \
             WHERE tbl NOT IN (SELECT tbl FROM sqlite_stat1 WHERE CAST(stat AS INTEGER) >= {SMALL}); \
         ANALYZE sqlite_schema"
    );
    let _ = connection.execute_batch(&sql);
}

/// Runs a write in a savepoint, and undoes it where it fails.
fn run_alone(connection: &mut Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    connection.prepare_cached("SAVEPOINT alone")?.execute([])?;
    // What it learns may be undone with it, so it keeps that to itself.
    if !job.run(connection, Care::Alone, &mut Known::default()) {
        connection.prepare_cached("ROLLBACK TO alone")?.execute([])?;
    }
    connection.prepare_cached("RELEASE alone")?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{migrate, sqlite::open_writer};

    #[test]
    fn what_was_found_while_there_was_little_is_not_what_one_plans_by_when_there_is_much() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.db");
        migrate::sqlite(&path).expect("a schema");
        let connection = open_writer(&path).expect("a connection");
        connection.pragma_update(None, "foreign_keys", false).expect("calls of nobody");
        let fill = |calls: u32| {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                       INSERT INTO calls (id, org_id, source_id, source, external_id, created_at, updated_at, status, \
                           spam, tags, ranks, completion, transfer) \
                       SELECT randomblob(16), x'01', x'02', 'vapi', hex(randomblob(16)), random(), 1, 'completed', \
                           FALSE, '[]', '', 0, 0 FROM n";
            connection.execute(sql, [calls]).expect("calls");
            optimize(&connection);
        };
        let plan = |key: &str| -> String {
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT c.seq, m.body FROM calls c LEFT JOIN messages m ON m.seq = c.seq \
                 WHERE {key} AND c.org_id = ?1"
            );
            connection.query_row(&sql, [None::<i64>; 3], |row| row.get("detail")).expect("a plan")
        };
        let is_kept = || -> bool {
            let sql = "SELECT count(*) > 0 FROM sqlite_stat1 WHERE tbl = 'calls'";
            connection.query_row(sql, [], |row| row.get(0)).expect("whether they are kept")
        };

        for (calls, kept) in [(1, false), (2 * SMALL, true)] {
            fill(calls);
            assert_eq!(is_kept(), kept);
            for key in ["c.id = ?2 AND ?3 IS NULL", "c.source_id = ?2 AND c.external_id = ?3"] {
                assert!(
                    plan(key).starts_with("SEARCH c USING INDEX sqlite_autoindex_calls"),
                    "{}",
                    plan(key)
                );
            }
        }
    }
}
