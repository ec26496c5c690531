//! What the tests stand on: the product in this process, over a database of its own, with a clock that is moved by
//! hand and ids that are counted.

mod app;
mod client;
mod database;
mod dump;
mod platform;
mod receiver;

pub(crate) use self::{
    app::{Org, Setup, TestApp, on_both, on_both_with, spawn},
    client::{Answer, Client},
    platform::{booking, booking_answered, report},
    receiver::{Got, Receiver, Reply},
};
