//! The checks: how a receiver behaves, what a sender is expected to do, why, and who says so.

mod catalog;

pub use catalog::all;

use std::{fmt, time::Duration};

use crate::receiver::{Behavior, Flaw, OldTls};

/// A check.
#[derive(Clone)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What the receiver does, in words.
    pub does: &'static str,
    /// What it does.
    pub acts: Acts,
    /// What is expected of the sender.
    pub expects: Expects,
    /// Why.
    pub why: &'static str,
    /// Who says so.
    pub source: &'static str,
}

/// What stands at the address of an endpoint.
#[derive(Clone)]
pub enum Acts {
    /// A receiver of plain HTTP.
    Http(Behavior),
    /// One whose certificate has a flaw, or none.
    Tls(Flaw),
    /// A server whose TLS is too old.
    OldTls(OldTls),
    /// Nothing.
    Closed,
    /// A receiver where the sender should send nothing: in this spelling of 127.0.0.2.
    Elsewhere(&'static str),
}

/// What is expected of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// Takes it for delivered, and does not send it again.
    Accepted,
    /// The same, and it arrives while others hang.
    AcceptedSoon,
    /// Delivers this event and the next.
    BothAccepted,
    /// Sends it again.
    Retried,
    /// Sends it again, and not before the time that was asked for.
    RetriedNoSooner,
    /// Does not take it for delivered.
    NotDelivered,
    /// Does not take it for delivered and does not go where it is sent.
    NotFollowed,
    /// Gives the connection up in time, and does not take it for delivered.
    GivenUp,
    /// Gives the connection up in time; whether it takes it for delivered is its own affair.
    CutOff,
    /// Comes to an end with it, to whichever.
    Survived,
    /// Sends nothing over the connection.
    NothingSent,
    /// Does not even open a connection.
    NotDialled,
    /// Sends nothing more, of the next event neither.
    Stopped,
}

impl Expects {
    /// Whether another event has to be caused.
    pub fn needs_another_event(self) -> bool {
        matches!(self, Self::BothAccepted | Self::Stopped)
    }
}

impl fmt::Display for Expects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "delivered, and sent once",
            Self::AcceptedSoon => "delivered within 5 s, whatever the other endpoints do",
            Self::BothAccepted => "this event and the next are delivered",
            Self::Retried => "sent again, with the same webhook-id and body and a good signature",
            Self::RetriedNoSooner => "sent again, and not before the time that was asked for",
            Self::NotDelivered => "not delivered",
            Self::NotFollowed => "not delivered, and nothing is sent to where it leads",
            Self::GivenUp => "given up in time, and not delivered",
            Self::CutOff => "cut off in time",
            Self::Survived => "the try comes to an end",
            Self::NothingSent => "not delivered, and nothing is sent",
            Self::NotDialled => "refused, or no connection is opened",
            Self::Stopped => "sent nothing more, also of the next event",
        })
    }
}

/// What differs from one run to another.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a sender may hang on to a receiver that does not come to an end.
    pub timeout: Duration,
    /// What receivers ask for by `Retry-After`: longer than the sender waits by itself.
    pub retry_after: Duration,
    /// How long it is watched whether nothing more is sent.
    pub settle: Duration,
    /// How long a round may take.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(35),
            retry_after: Duration::from_secs(10),
            settle: Duration::from_secs(5),
            patience: Duration::from_secs(90),
        }
    }
}
