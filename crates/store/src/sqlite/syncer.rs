//! Brings what was committed to the disk, and only then answers whoever wrote it, on a thread of its own: the writer
//! works on while the disk does.
//!
//! The writer commits with `synchronous=NORMAL`, so its frames are in the log and in the operating system's hands, but
//! not yet on the disk. One `fsync` of the log then covers every group that was committed before it began. What a
//! power cut can take from the log are its last frames, none of which belongs to a write that was answered; a log that
//! ends so is read up to its last whole commit (<https://www.sqlite.org/walformat.html>). A reader may see a write
//! some milliseconds before it is on the disk; nothing that we tell of our own accord, an answer or a webhook, is told
//! before.

use std::{fs::File, io, path::Path, sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::writer::{Failure, Group};

/// Takes committed groups, to answer them when they are on the disk.
pub(super) struct Syncer(Sender<Group>);

impl Syncer {
    /// Takes a group that was committed.
    pub(super) fn committed(&self, group: Group) {
        // The thread ends after its sender only. Who waits would learn that the write was dropped.
        let _ = self.0.send(group);
    }
}

/// Starts the thread over the log of an open database. It ends when the [`Syncer`] is gone.
pub(super) fn start(path: &Path) -> io::Result<Syncer> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // It stays the same file for as long as a connection is open, and SQLite holds no locks on it.
    let log = File::open(log)?;
    let (sender, groups) = unbounded();
    thread::Builder::new().name("store-syncer".into()).spawn(move || answer(&groups, || log.sync_data()))?;
    Ok(Syncer(sender))
}

fn answer(groups: &Receiver<Group>, sync: impl Fn() -> io::Result<()>) {
    let mut lost = None;
    for first in groups {
        // Before the log is synchronized: what is committed meanwhile may not be covered.
        let covered: Vec<Group> = std::iter::once(first).chain(groups.try_iter()).collect();
        // Pages that could not be written count as clean afterwards, and all later ones stand behind them in the log:
        // no success after a failure says anything about what came before it.
        if lost.is_none()
            && let Err(error) = sync()
        {
            tracing::error!(%error, "the write-ahead log could not be written to the disk; no write is accepted any more");
            lost = Some(Arc::new(error));
        }
        let outcome = lost.clone().map_or(Ok(()), |error| Err(Failure::Sync(error)));
        for job in covered.into_iter().flatten() {
            job.answer(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        sync::mpsc,
    };

    use rusqlite::Connection;

    use super::*;
    use crate::{
        sqlite::writer::Job,
        tx::{Care, Known},
    };

    struct Told(mpsc::Sender<bool>);

    impl Job for Told {
        fn is_repeatable(&self) -> bool {
            true
        }

        fn run(&mut self, _: &mut Connection, _: Care, _: &mut Known) -> bool {
            true
        }

        fn answer(self: Box<Self>, committed: std::result::Result<(), Failure>) {
            self.0.send(committed.is_ok()).expect("somebody waits");
        }
    }

    #[test]
    fn a_write_is_answered_after_the_disk_and_never_well_once_the_disk_has_failed() {
        let (told, answers) = mpsc::channel();
        let group = |count| (0..count).map(|_| Box::new(Told(told.clone())) as Box<dyn Job>).collect::<Group>();
        let (sender, groups) = unbounded();
        sender.send(group(2)).expect("taken");
        sender.send(group(1)).expect("taken");
        let sender = Cell::new(Some(sender));
        let answered = RefCell::new(Vec::new());
        answer(&groups, || {
            let mut answered = answered.borrow_mut();
            answered.push(answers.try_iter().collect::<Vec<_>>());
            // Committed while the disk works.
            let open = sender.take().expect("asked no more after a failure");
            open.send(group(1)).expect("taken");
            if answered.len() > 1 {
                return Err(io::Error::other("the disk is gone"));
            }
            sender.set(Some(open));
            Ok(())
        });
        assert_eq!(answered.take(), [vec![], vec![true; 3]]);
        assert_eq!(answers.try_iter().collect::<Vec<_>>(), [false, false]);
    }
}
