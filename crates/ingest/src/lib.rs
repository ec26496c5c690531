//! Where outside facts become our records and events.
//!
//! Two pure functions hold the rules: [`merge`] adds what a message says to what is known of a call, and [`decide`]
//! says what follows from it: a contact, a lead, appointments, events. [`Ingest`] verifies, reads and hands the store
//! a message with these rules, and the store carries them out in one transaction.

mod booking;
mod booking_change;
mod booking_time;
mod complete;
mod decide;
mod erase;
mod history;
mod import;
mod large;
mod merge;
mod receive;
mod reprocess;
mod screen;
mod updates;

use std::time::Duration;

use store::{Recordings, Rules, Telling};

pub use connectors::Request;

pub use crate::{
    booking_change::changed_bookings,
    decide::decide,
    history::was_over,
    import::{booking_keys, read_record},
    large::{Large, Taken},
    merge::merge,
    receive::{Answer, Asked, Ingest},
    reprocess::{Batch, Rejected, Reprocessed},
};

/// The rules as the store carries them out, where recordings are left to the platforms.
pub fn rules(completion_wait: Duration) -> Rules {
    Rules {
        merge,
        decide,
        changed_bookings,
        completion_wait,
        telling: Telling::Owed,
        recordings: Recordings::Leave,
    }
}
