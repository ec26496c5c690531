//! The operator's list of private places that webhooks may go to: networks, single addresses, exact host names.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use super::address::is_metadata;

/// The private places that webhooks may go to. Empty by default.
///
/// An entry permits an address that is otherwise forbidden, and plain `http` to it. A cloud's metadata address is
/// permitted only by an entry for exactly it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    nets: Vec<IpNet>,
    hosts: Vec<String>,
}

/// Why an entry of the allow-list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// It is none of the three kinds.
    #[error(
        "\"{0}\" is not a network such as 10.0.0.0/8, an address such as 10.1.2.3, or an exact host name such as \
         n8n.internal (without scheme, port, path or *)"
    )]
    Unreadable(String),
    /// It is a network that names one of its members.
    #[error("\"{entry}\" is not the beginning of a network; for the whole network write {net}")]
    NotANetwork {
        /// The entry.
        entry: String,
        /// The network that the entry lies in.
        net: IpNet,
    },
}

impl AllowList {
    /// Reads the entries: CIDR networks, IP addresses and exact host names, in any letter case.
    pub fn parse(entries: &[String]) -> Result<Self, AllowListError> {
        let mut list = Self::default();
        for entry in entries {
            list.add(entry.trim())?;
        }
        Ok(list)
    }

    fn add(&mut self, entry: &str) -> Result<(), AllowListError> {
        let unreadable = || AllowListError::Unreadable(entry.to_owned());
        if entry.contains('/') {
            let net: IpNet = entry.parse().map_err(|_| unreadable())?;
            if net.trunc() != net {
                return Err(AllowListError::NotANetwork { entry: entry.to_owned(), net: net.trunc() });
            }
            self.nets.push(net);
        } else if let Ok(ip) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            self.nets.push(ip.into());
        } else {
            match Host::parse(entry) {
                Ok(Host::Domain(name)) if is_host_name(&name) => self.hosts.push(plain(&name)),
                _ => return Err(unreadable()),
            }
        }
        Ok(())
    }

    /// Whether a host name is listed, whatever its addresses.
    pub(super) fn has_host(&self, host: &str) -> bool {
        self.hosts.contains(&plain(host))
    }

    /// Whether an address is listed. A metadata address has to be listed by itself.
    pub(super) fn has_ip(&self, ip: IpAddr) -> bool {
        let exactly = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        self.nets.iter().any(|net| net.contains(&ip) && (exactly(net) || !is_metadata(ip)))
    }
}

/// A host name as it is compared: in lower case, without the trailing dot.
pub(super) fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_host_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !plain(name).is_empty() && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::testing::allow;

    fn has_ip(list: &AllowList, ip: &str) -> bool {
        list.has_ip(ip.parse().expect("an address"))
    }

    #[test]
    fn networks_addresses_and_exact_names_are_listed() {
        let list =
            allow(&["10.0.0.0/8", "fd12::/16", "192.168.1.7", "[fd99::1]", "N8N.Internal.", "büro.example"]);
        for ip in ["10.255.0.1", "fd12::9", "192.168.1.7", "fd99::1"] {
            assert!(has_ip(&list, ip), "{ip}");
        }
        for ip in ["11.0.0.1", "192.168.1.8", "fd99::2", "::ffff:10.0.0.1"] {
            assert!(!has_ip(&list, ip), "{ip}");
        }
        for host in ["n8n.internal", "n8n.internal.", "N8N.INTERNAL", "xn--bro-hoa.example"] {
            assert!(list.has_host(host), "{host}");
        }
        for host in ["internal", "a.n8n.internal", "n8n.internal.evil.example"] {
            assert!(!list.has_host(host), "{host}");
        }
    }

    #[test]
    fn metadata_needs_an_entry_of_its_own() {
        let wide = allow(&["0.0.0.0/0", "::/0", "169.254.169.254/31", "fd00::/8"]);
        for ip in ["169.254.169.254", "fd00:ec2::254", "169.254.170.2", "100.100.100.200", "::ffff:a9fe:a9fe"]
        {
            assert!(!has_ip(&wide, ip), "{ip}");
            assert!(has_ip(&allow(&[ip]), ip), "{ip}");
        }
        assert!(has_ip(&allow(&["169.254.169.254/32"]), "169.254.169.254"));
        assert!(has_ip(&wide, "169.254.169.253"));
    }

    #[test]
    fn an_error_names_the_entry() {
        for entry in
            ["", ".", "*.internal", "http://n8n", "n8n:5678", "10.0.0.0/33", "10.0.0/8", "a b", "1.2.3.4.5"]
        {
            let error = AllowList::parse(&[entry.to_owned()]).expect_err(entry);
            assert_eq!(error, AllowListError::Unreadable(entry.to_owned()));
        }
        let error = AllowList::parse(&["10.1.2.3/8".to_owned()]).expect_err("not a network");
        assert_eq!(
            error.to_string(),
            "\"10.1.2.3/8\" is not the beginning of a network; for the whole network write 10.0.0.0/8"
        );
    }
}
