//! Receivers that behave badly: what becomes of the delivery, what is said of it, and that no other endpoint notices.
//!
//! The receivers are those of the crate `conform`, with which anybody can try another sender.

#![expect(clippy::too_many_lines, reason = "a test is as long as its table of cases")]

mod answers;
mod names;
mod scene;
mod slow;
mod tls;
mod urls;
