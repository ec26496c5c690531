//! Whether a sender of webhooks bears with receivers that behave badly: such a receiver, the checks that anybody can run
//! against any sender, and the command that does, `inboundflow-conform`.

pub mod adapter;
pub mod checks;
mod judge;
pub mod receiver;
pub mod report;
pub mod run;
