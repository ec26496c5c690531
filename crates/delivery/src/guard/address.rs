//! Which IP addresses are part of the public internet. Everything else is forbidden by default, because a webhook
//! URL is chosen by a person and must not reach what only this server can reach.
//!
//! The tables follow the IANA special-purpose registries (RFC 6890):
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why an address is not part of the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It answers a cloud's servers with their credentials.
    Metadata,
    /// It is this machine.
    Loopback,
    /// It belongs to a private network.
    Private,
    /// It is valid on one network segment only.
    LinkLocal,
    /// It belongs to a carrier's shared network (RFC 6598).
    Shared,
    /// It is a group of receivers.
    Multicast,
    /// It is set aside for something else: documentation, tunnels, benchmarks, other spellings of IPv4, the future.
    Reserved,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "a cloud metadata address",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Shared => "in a carrier's shared network",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// The clouds' metadata and agent addresses: AWS, Google, Azure and most others; Azure's agent, which looks public;
/// ECS; EKS; Alibaba; Oracle.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same over IPv6: AWS, EKS, Google.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

const FORBIDDEN_V4: [(Ipv4Net, Reason); 15] = [
    (v4(0, 0, 0, 0, 8), Reason::Reserved),
    (v4(10, 0, 0, 0, 8), Reason::Private),
    (v4(100, 64, 0, 0, 10), Reason::Shared),
    (v4(127, 0, 0, 0, 8), Reason::Loopback),
    (v4(169, 254, 0, 0, 16), Reason::LinkLocal),
    (v4(172, 16, 0, 0, 12), Reason::Private),
    (v4(192, 0, 0, 0, 24), Reason::Reserved),
    (v4(192, 0, 2, 0, 24), Reason::Reserved),
    (v4(192, 88, 99, 0, 24), Reason::Reserved),
    (v4(192, 168, 0, 0, 16), Reason::Private),
    (v4(198, 18, 0, 0, 15), Reason::Reserved),
    (v4(198, 51, 100, 0, 24), Reason::Reserved),
    (v4(203, 0, 113, 0, 24), Reason::Reserved),
    (v4(224, 0, 0, 0, 4), Reason::Multicast),
    (v4(240, 0, 0, 0, 4), Reason::Reserved),
];

/// What is public in IPv6. Of all that match here and in [`FORBIDDEN_V6`], the longest prefix decides.
const PUBLIC_V6: [Ipv6Net; 7] = [
    v6(0x2000, 0, 0, 0, 3),
    // The dummy prefix beside the discard-only one (RFC 9780).
    v6(0x100, 0, 0, 1, 64),
    // The public parts of the protocol assignments 2001::/23: port control and TURN anycast, AMT, AS112, ORCHIDv2,
    // drone identification.
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 0), 126),
    v6(0x2001, 3, 0, 0, 32),
    v6(0x2001, 4, 0x112, 0, 48),
    v6(0x2001, 0x20, 0, 0, 28),
    v6(0x2001, 0x30, 0, 0, 28),
];

const FORBIDDEN_V6: [(Ipv6Net, Reason); 10] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Reason::Loopback),
    (v6(0xfc00, 0, 0, 0, 7), Reason::Private),
    (v6(0xfec0, 0, 0, 0, 10), Reason::Private),
    (v6(0xfe80, 0, 0, 0, 10), Reason::LinkLocal),
    (v6(0xff00, 0, 0, 0, 8), Reason::Multicast),
    (v6(0x2001, 0, 0, 0, 23), Reason::Reserved),
    (v6(0x2001, 0xdb8, 0, 0, 32), Reason::Reserved),
    // 6to4 carries any IPv4 address, private ones included, to whoever relays it.
    (v6(0x2002, 0, 0, 0, 16), Reason::Reserved),
    (v6(0x3fff, 0, 0, 0, 20), Reason::Reserved),
    (v6(0, 0, 0, 0, 0), Reason::Reserved),
];

/// The well-known NAT64 prefix (RFC 6052).
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 0, 96);

/// Whether an address is part of the public internet, and if not, why.
///
/// A NAT64 address has the verdict of the IPv4 address in it: on a network with DNS64 every IPv4-only name looks
/// so. All other ways of writing IPv4 in IPv6 are forbidden.
pub fn verdict(ip: IpAddr) -> Result<(), Reason> {
    if is_metadata(ip) {
        return Err(Reason::Metadata);
    }
    match ip {
        IpAddr::V4(ip) => verdict_v4(ip),
        IpAddr::V6(ip) if NAT64.contains(&ip) => verdict_v4(last_four(ip)),
        IpAddr::V6(ip) => verdict_v6(ip),
    }
}

/// Whether a cloud answers this address with a server's credentials, in every spelling that may be routed there.
pub(super) fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => METADATA_V4.contains(&ip),
        // Mapped, compatible, translated and NAT64 addresses end with the IPv4 one; 6to4 has it after its prefix.
        IpAddr::V6(ip) => {
            let [_, high, low, ..] = ip.segments();
            METADATA_V6.contains(&ip)
                || METADATA_V4.contains(&last_four(ip))
                || (ip.segments()[0] == 0x2002 && METADATA_V4.contains(&join(high, low)))
        }
    }
}

fn verdict_v4(ip: Ipv4Addr) -> Result<(), Reason> {
    match FORBIDDEN_V4.iter().find(|(net, _)| net.contains(&ip)) {
        Some((_, reason)) => Err(*reason),
        None => Ok(()),
    }
}

fn verdict_v6(ip: Ipv6Addr) -> Result<(), Reason> {
    let public = PUBLIC_V6.iter().filter(|net| net.contains(&ip)).map(Ipv6Net::prefix_len).max();
    let forbidden =
        FORBIDDEN_V6.iter().filter(|(net, _)| net.contains(&ip)).max_by_key(|(net, _)| net.prefix_len());
    match forbidden {
        Some((net, reason)) if public.is_none_or(|public| public < net.prefix_len()) => Err(*reason),
        _ => Ok(()),
    }
}

fn last_four(ip: Ipv6Addr) -> Ipv4Addr {
    let [.., high, low] = ip.segments();
    join(high, low)
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn of(ip: &str) -> Result<(), Reason> {
        verdict(ip.parse().expect("an address"))
    }

    #[test]
    fn three_projects_vectors_hold() {
        let Some(fixture) = fixtures::read("ssrf-addresses.json") else { return };
        let (deny, allow) = (fixtures::texts(&fixture["deny"]), fixtures::texts(&fixture["allow"]));
        assert_eq!((deny.len(), allow.len()), (83, 22));
        for ip in deny {
            assert!(of(ip).is_err(), "{ip} must be forbidden");
        }
        for ip in allow {
            assert_eq!(of(ip), Ok(()), "{ip} must be allowed");
        }
    }

    #[test]
    fn where_the_projects_disagree_we_decided() {
        assert_eq!(of("64:ff9b::808:808"), Ok(()), "NAT64 has the verdict of its IPv4 address");
        assert_eq!(of("64:ff9b::a00:1"), Err(Reason::Private));
        assert_eq!(of("::ffff:8.8.8.8"), Err(Reason::Reserved), "mapped addresses are never dialled");
        for ip in ["10.0.0.0", "172.16.0.0", "172.31.255.255", "192.168.255.255"] {
            assert_eq!(of(ip), Err(Reason::Private));
        }
        assert_eq!(of("172.32.0.0"), Ok(()));
    }

    #[test]
    fn metadata_is_known_in_every_spelling() {
        for ip in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            assert_eq!(of(ip), Err(Reason::Metadata), "{ip}");
        }
    }
}
