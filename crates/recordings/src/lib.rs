//! Recordings of calls: fetched from the platforms before they are gone, kept in an object store, and given out.
//!
//! What is to be fetched, and what is kept, stands in the database ([`store`]); here is who does it ([`Keeper`]), where
//! the sound goes ([`Vault`]), and how one tells sound from an error page ([`sniff`]).

mod account;
mod fetch;
mod keeper;
mod schedule;
pub mod sniff;
mod vault;

pub use crate::{
    fetch::Limits,
    keeper::{Keeper, Options},
    vault::{Upload, Vault, VaultError},
};
