//! The guard of every outgoing request to a URL that a person chose: it keeps them away from what only this server
//! can reach (server-side request forgery). [`Target`] looks at the URL, [`VettingResolver`] at what its name
//! resolves to, at every new connection.

mod address;
mod allow;
mod noting;
mod resolver;
mod target;

pub(crate) use noting::{Notebook, Notes, WaitsFor, noting};

pub use address::{Reason, verdict};
pub use allow::{AllowList, AllowListError};
pub use resolver::{DnsError, Lookup, LookupFuture, ResolveError, VettingResolver, system_lookup};
pub use target::{Target, TargetError};

use std::net::IpAddr;

/// The setting with which an operator permits private targets; every refusal names it.
pub const ALLOW_SETTING: &str = "delivery.allow_targets";

/// A host leads to an address that may not be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; allow it with {ALLOW_SETTING}", self.what())]
pub struct Forbidden {
    /// The host as the URL has it: a name, or the address itself.
    pub host: String,
    /// The address.
    pub ip: IpAddr,
    /// Why it may not be dialled.
    pub reason: Reason,
}

impl Forbidden {
    fn what(&self) -> String {
        let Self { host, ip, reason } = self;
        let of = if *host == ip.to_string() { String::new() } else { format!(" of {host}") };
        format!("the address {ip}{of} is {reason}")
    }
}

/// Whether a host may be dialled at one of its addresses: a public one, or one that the operator listed.
fn vet(host: &str, ip: IpAddr, allow: &AllowList) -> Result<(), Forbidden> {
    if allow.has_host(host) || allow.has_ip(ip) {
        return Ok(());
    }
    verdict(ip).map_err(|reason| Forbidden { host: host.to_owned(), ip, reason })
}

#[cfg(test)]
pub(crate) mod testing {
    //! Allow-lists and resolvers for tests.

    use super::*;

    pub(crate) fn allow(entries: &[&str]) -> AllowList {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        AllowList::parse(&entries).expect("an allow-list")
    }

    /// A lookup that gives every name these addresses.
    pub(crate) fn answering(addresses: &[&str]) -> Lookup {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().expect("an address")).collect();
        std::sync::Arc::new(move |_| {
            let addresses = addresses.clone();
            Box::pin(async move { Ok(addresses) })
        })
    }
}
