//! Whether it is our own network that is down: then no receiver can be reached, which says nothing of any of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::Time;

use crate::{
    client::{Cause, Outcome, Phase},
    guard::DnsError,
};

/// How long it counts that a host was not reached, or was: longer than from one probe of an endpoint to the next.
const LATELY: Duration = Duration::from_secs(15 * 60);

/// So many hosts at least must be out of reach before it can be our network: one or two may well be down together.
const HOSTS: usize = 3;

/// Which hosts were out of reach lately, and which were not.
#[derive(Default)]
pub(crate) struct Network(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    unreached: HashMap<String, Time>,
    /// Kept only while there are others that were out of reach: usually nothing is kept at all.
    reached: HashMap<String, Time>,
}

/// What a try says of the way to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// There was an answer, if only that nothing listens there.
    Reached,
    /// Nothing came back at all.
    Unreached,
}

impl Way {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match &outcome.error {
            Some(
                Cause::Dns(DnsError::Failed { .. } | DnsError::Timeout { .. })
                | Cause::Unreachable { .. }
                | Cause::Timeout { phase: Phase::Connect, .. },
            ) => Self::Unreached,
            _ => Self::Reached,
        }
    }
}

impl Network {
    /// Notes a try. Returns whether it failed for a reason of ours: several hosts were out of reach lately, and none was
    /// reached.
    pub(crate) fn is_down(&self, host: &str, way: Way, now: Time) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { unreached, reached } = &mut *seen;
        let is_late = |_: &String, last: &mut Time| now.since(*last) < LATELY;
        match way {
            Way::Reached if unreached.is_empty() => false,
            Way::Reached => {
                unreached.remove(host);
                unreached.retain(is_late);
                reached.insert(host.to_owned(), now);
                if unreached.is_empty() {
                    *reached = HashMap::new();
                }
                false
            }
            Way::Unreached => {
                reached.remove(host);
                reached.retain(is_late);
                unreached.insert(host.to_owned(), now);
                unreached.retain(is_late);
                unreached.len() >= HOSTS && reached.is_empty()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Way::*, *};

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn our_network_is_down_when_several_hosts_are_out_of_reach_and_none_is_reached() {
        let network = Network::default();
        assert!(!network.is_down("a", Unreached, at(0)) && !network.is_down("b", Unreached, at(1)));
        assert!(!network.is_down("a", Unreached, at(2)), "the same two");
        assert!(network.is_down("c", Unreached, at(3)) && network.is_down("a", Unreached, at(4)));
        assert!(!network.is_down("d", Reached, at(5)));
        assert!(!network.is_down("a", Unreached, at(6)), "another is well");
        assert!(network.is_down("d", Unreached, at(7)), "and now none");
    }

    #[test]
    fn what_was_a_while_ago_says_nothing() {
        let network = Network::default();
        for host in ["a", "b", "c"] {
            network.is_down(host, Unreached, at(0));
        }
        assert!(network.is_down("a", Unreached, at(899)));
        assert!(!network.is_down("a", Unreached, at(900)), "the others may be well by now");
        assert!(!network.is_down("b", Reached, at(901)) && !network.is_down("a", Reached, at(902)));
        assert!(network.0.lock().expect("no panic").reached.is_empty(), "all is well: nothing is kept");
    }
}
