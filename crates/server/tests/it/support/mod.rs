//! What the tests stand on: the product in this process, over a database of its own, with a clock that is moved by
//! hand and ids that are counted.

mod app;
mod client;
mod database;
mod dump;
mod platform;
mod receiver;
mod standin;
mod storage;
mod worker;

pub(crate) use self::{
    app::{Org, PUBLIC_URL, Setup, TestApp, on_both, on_both_with, on_postgres, spawn},
    client::{Answer, Client},
    platform::{Signing, booking, booking_answered, content_type, report},
    receiver::{Got, Holding, Receiver, Reply},
    standin::{StandIn, finished},
    storage::{Item, Storage, wav},
    worker::worker,
};
