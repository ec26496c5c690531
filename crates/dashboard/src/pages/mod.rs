//! The pages, a module each.

pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod deliveries;
pub(crate) mod delivery;
pub(crate) mod keys;
pub(crate) mod message;
pub(crate) mod overview;
pub(crate) mod setup;
pub(crate) mod sign_in;
