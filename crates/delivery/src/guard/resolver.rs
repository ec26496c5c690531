//! Names become addresses here, and only vetted ones are given out: what is dialled is what was looked at, so a name
//! that answers differently the second time gains nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{AllowList, Forbidden, Notebook, WaitsFor, vet};

/// How long a name may take to become addresses.
const DNS_TIMEOUT: Duration = Duration::from_secs(3);

/// Looks a name up. The product asks the system; tests answer themselves.
pub type Lookup = Arc<dyn Fn(String) -> LookupFuture + Send + Sync>;

/// What [`Lookup`] promises: every address of the name.
pub type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Why a name led to no address that may be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// One of its addresses is forbidden.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// It could not be looked up.
    #[error(transparent)]
    Dns(#[from] DnsError),
}

/// Why a name could not be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist, or the resolver failed; most systems do not tell the two apart.
    #[error("the name {host} could not be resolved: {why}")]
    Failed {
        /// The name.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The name exists and has no address.
    #[error("the name {host} has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// No answer came in time.
    #[error("the name {host} was not resolved within {} s", after.as_secs_f64())]
    Timeout {
        /// The name.
        host: String,
        /// How long it was waited for.
        after: Duration,
    },
}

/// The resolver of our HTTP client. It refuses a name if any of its addresses is forbidden, which is louder than
/// dropping the bad ones.
///
/// It is not asked for hosts that are IP addresses; those are vetted by [`Target`](super::Target).
#[derive(Clone)]
pub struct VettingResolver {
    allow: Arc<AllowList>,
    lookup: Lookup,
}

impl VettingResolver {
    /// A resolver over some way of looking names up; see [`system_lookup`].
    pub fn new(allow: Arc<AllowList>, lookup: Lookup) -> Self {
        Self { allow, lookup }
    }

    /// Every address of a host, all of them vetted.
    async fn vetted(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let owned = || host.to_owned();
        let answer = tokio::time::timeout(DNS_TIMEOUT, (self.lookup)(owned())).await;
        let addresses = answer
            .map_err(|_| DnsError::Timeout { host: owned(), after: DNS_TIMEOUT })?
            .map_err(|error| DnsError::Failed { host: owned(), why: error.to_string() })?;
        if addresses.is_empty() {
            return Err(DnsError::NoAddress { host: owned() }.into());
        }
        for ip in &addresses {
            vet(host, *ip, &self.allow)?;
        }
        Ok(addresses)
    }
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let notebook = Notebook::of_this_request();
            notebook.waits_for(WaitsFor::Addresses);
            let addresses = resolver.vetted(name.as_str()).await?;
            notebook.resolved(&addresses);
            // Port 0 stands for the port of the URL.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

/// Looks names up as the system does: the hosts file, DNS, whatever it is set up for.
pub fn system_lookup() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{
        Reason,
        testing::{allow, answering},
    };

    async fn resolve(entries: &[&str], answer: &[&str]) -> Result<Vec<String>, ResolveError> {
        let resolver = VettingResolver::new(Arc::new(allow(entries)), answering(answer));
        let name = "hooks.example.com".parse().expect("a name");
        match resolver.resolve(name).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.downcast_ref::<ResolveError>().expect("our error").clone()),
        }
    }

    #[tokio::test]
    async fn only_names_with_nothing_but_public_addresses_are_resolved() {
        let good = ["93.184.216.34", "2606:4700:4700::1111"];
        assert_eq!(resolve(&[], &good).await.expect("public"), good);
        for (answer, bad, reason) in [
            (["93.184.216.34", "fd00::1"], "fd00::1", Reason::Private),
            (["127.0.0.1", "93.184.216.34"], "127.0.0.1", Reason::Loopback),
        ] {
            let error = resolve(&[], &answer).await.expect_err("one is forbidden");
            let host = "hooks.example.com".to_owned();
            assert_eq!(error, Forbidden { host, ip: bad.parse().expect("an address"), reason }.into());
        }
    }

    #[tokio::test]
    async fn the_allow_list_permits_by_network_and_by_name() {
        let mixed = ["93.184.216.34", "10.0.0.1"];
        assert_eq!(resolve(&["10.0.0.0/8"], &mixed).await.expect("allowed"), mixed);
        assert_eq!(resolve(&["hooks.example.com"], &mixed).await.expect("allowed"), mixed);
        assert!(resolve(&["example.com", "10.0.0.0/32"], &mixed).await.is_err());
        assert!(resolve(&["0.0.0.0/0"], &["169.254.169.254"]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_leads_nowhere_says_why() {
        assert_eq!(
            resolve(&[], &[]).await.expect_err("no address").to_string(),
            "the name hooks.example.com has no address"
        );
        let silent = VettingResolver::new(Arc::default(), Arc::new(|_| Box::pin(std::future::pending())));
        assert_eq!(
            silent.vetted("slow.example.com").await.expect_err("a timeout").to_string(),
            "the name slow.example.com was not resolved within 3 s"
        );
        let failing = VettingResolver::new(
            Arc::default(),
            Arc::new(|_| Box::pin(async { Err(io::Error::other("Name or service not known")) })),
        );
        assert_eq!(
            failing.vetted("no.example.com").await.expect_err("not found").to_string(),
            "the name no.example.com could not be resolved: Name or service not known"
        );
    }

    #[tokio::test]
    async fn the_system_resolves_what_it_always_knows() {
        let addresses = system_lookup()("localhost".to_owned()).await.expect("localhost");
        assert!(addresses.iter().all(IpAddr::is_loopback));
    }
}
