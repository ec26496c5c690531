//! Our webhooks going out: how a body is signed, when a failed delivery is tried again, which addresses may be
//! called, and the one HTTP client that calls them.

mod attempt;
pub mod client;
mod counts;
pub mod forward;
pub mod guard;
mod network;
mod retention;
pub mod schedule;
pub mod sign;
mod slots;
mod trial;
pub mod verify;
mod worker;

pub use crate::{
    attempt::{Request, USER_AGENT},
    retention::Retention,
    trial::{Happened, NewTrial, Recipient, Trial, Trials},
    worker::{Options, Worker},
};

#[cfg(test)]
mod fixtures;
