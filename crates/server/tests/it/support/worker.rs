//! A worker of another process, as far as the store knows one: it claims, and sends nothing.

use std::sync::Arc;

use store::outbox::{Attached, Slot};
use tokio::sync::mpsc;
use uuid::Uuid;

/// A worker that has room for so many deliveries of each endpoint in each claim, for a minute.
pub(crate) fn worker(owner: Uuid, room: usize) -> Arc<Attached> {
    Arc::new(Attached {
        owner,
        lease_micros: 60_000_000,
        reserve: Box::new(|_| Some(Slot::new(|| {}))),
        room: Box::new(move |_| room),
        has_room: Box::new(|_| true),
        sender: mpsc::unbounded_channel().0,
    })
}
