//! The open event streams: how many there are, and that they end with the server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::OrgId;
use tokio::sync::watch;

/// How many streams an organization may have open at this process.
const PER_ORG: usize = 32;

/// Every open event stream. Cheap to clone.
#[derive(Clone, Default)]
pub struct Streams(Arc<Inner>);

#[derive(Default)]
struct Inner {
    closing: watch::Sender<bool>,
    open: Mutex<HashMap<OrgId, usize>>,
}

impl Streams {
    /// Ends all of them, and from now on each that is opened. Without this a server that stops would wait for clients
    /// that wait for it.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Becomes true when the streams are to end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.0.closing.subscribe()
    }

    /// A place for a stream of an organization, if it has one left.
    pub(crate) fn seat(&self, org: OrgId) -> Option<Seat> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(org).or_default();
        if *count >= PER_ORG {
            return None;
        }
        *count += 1;
        Some(Seat { streams: self.clone(), org })
    }
}

/// The place of an open stream. Dropping it makes the place free.
pub(crate) struct Seat {
    streams: Streams,
    org: OrgId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.streams.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.org) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.org);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::OrgId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_organization_has_so_many_places_and_gets_them_back() {
        let (streams, org) = (Streams::default(), OrgId::new(Uuid::from_u128(1)));
        let seats: Vec<_> = (0..PER_ORG).filter_map(|_| streams.seat(org)).collect();
        assert_eq!(seats.len(), PER_ORG);
        assert!(streams.seat(org).is_none());
        assert!(streams.seat(OrgId::new(Uuid::from_u128(2))).is_some(), "another's are its own");
        drop(seats);
        assert!(streams.seat(org).is_some());
    }
}
