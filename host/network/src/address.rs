//! Which addresses are not part of the public network.
//!
//! The blocks are those of the special-purpose address registries of IANA, and beside them the
//! addresses under which clouds tell a machine its secrets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What an address that is not public is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Benchmark,
    Documentation,
    LinkLocal,
    Loopback,
    Metadata,
    Multicast,
    Private,
    Reserved,
    Shared,
    UniqueLocal,
    Unspecified,
}

impl Purpose {
    /// Whether machines of somebody's own network have such addresses.
    pub(crate) fn is_own_network(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared | Self::UniqueLocal)
    }

    /// Its name, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Benchmark => "benchmark",
            Self::Documentation => "documentation",
            Self::LinkLocal => "link-local",
            Self::Loopback => "loopback",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Private => "private",
            Self::Reserved => "reserved",
            Self::Shared => "carrier-grade NAT",
            Self::UniqueLocal => "unique-local",
            Self::Unspecified => "unspecified",
        }
    }
}

/// The block that makes an address special.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Special {
    pub(crate) purpose: Purpose,
    /// The length of the block's prefix. A rule for a network opens what is special only where the
    /// network lies inside the block: `0.0.0.0/0` does not mean the loopback interface.
    pub(crate) prefix: u8,
}

/// The block that an address is special by; none for a public address.
pub(crate) fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            // Where it leads is decided by the address inside; only a rule for it alone opens it.
            Some(inside) => special_v4(inside).map(|found| Special { prefix: 128, ..found }),
            None => special_v6(address),
        },
    }
}

/// The IPv4 address that a translator (NAT64) or a tunnel (6to4) takes out of an IPv6 address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let at = |index: usize| {
        let [a, b, c, d] = *bytes.get(index..)?.first_chunk()?;
        Some(Ipv4Addr::new(a, b, c, d))
    };
    if NAT64.contains(&address) {
        at(12)
    } else if SIX_TO_FOUR.contains(&address) {
        at(2)
    } else {
        None
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let (block, purpose) = V4.iter().find(|(block, _)| block.contains(&address))?;
    Some(Special { purpose: *purpose, prefix: block.prefix_len() })
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    if let Some((block, purpose)) = V6.iter().find(|(block, _)| block.contains(&address)) {
        return Some(Special { purpose: *purpose, prefix: block.prefix_len() });
    }
    let is_public = GLOBAL_UNICAST.contains(&address);
    (!is_public).then_some(Special { purpose: Purpose::Reserved, prefix: 128 })
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);
/// All that is handed out for the public network so far.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Single addresses before the blocks that they are in.
const V4: [(Ipv4Net, Purpose); 22] = [
    (v4(169, 254, 169, 254, 32), Purpose::Metadata), // most clouds
    (v4(169, 254, 170, 2, 32), Purpose::Metadata),   // credentials of containers
    (v4(169, 254, 170, 23, 32), Purpose::Metadata),  // credentials of pods
    (v4(100, 100, 100, 200, 32), Purpose::Metadata), // inside the block of carriers
    (v4(168, 63, 129, 16, 32), Purpose::Metadata),   // inside public space
    (v4(192, 0, 0, 192, 32), Purpose::Metadata),     // inside protocol assignments
    (v4(0, 0, 0, 0, 32), Purpose::Unspecified),
    (v4(0, 0, 0, 0, 8), Purpose::Reserved), // “this network”
    (v4(10, 0, 0, 0, 8), Purpose::Private),
    (v4(100, 64, 0, 0, 10), Purpose::Shared),
    (v4(127, 0, 0, 0, 8), Purpose::Loopback),
    (v4(169, 254, 0, 0, 16), Purpose::LinkLocal),
    (v4(172, 16, 0, 0, 12), Purpose::Private),
    (v4(192, 0, 0, 0, 24), Purpose::Reserved), // protocol assignments
    (v4(192, 0, 2, 0, 24), Purpose::Documentation),
    (v4(192, 88, 99, 0, 24), Purpose::Reserved), // relays of 6to4
    (v4(192, 168, 0, 0, 16), Purpose::Private),
    (v4(198, 18, 0, 0, 15), Purpose::Benchmark),
    (v4(198, 51, 100, 0, 24), Purpose::Documentation),
    (v4(203, 0, 113, 0, 24), Purpose::Documentation),
    (v4(224, 0, 0, 0, 4), Purpose::Multicast),
    (v4(240, 0, 0, 0, 4), Purpose::Reserved), // broadcast too
];

const V6: [(Ipv6Net, Purpose); 11] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), Purpose::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Purpose::Loopback),
    (v6(0xfd00, 0xec2, 0, 32), Purpose::Metadata),
    (v6(0xfd20, 0xce, 0, 32), Purpose::Metadata),
    (v6(0xfc00, 0, 0, 7), Purpose::UniqueLocal),
    (v6(0xfe80, 0, 0, 10), Purpose::LinkLocal),
    (v6(0xff00, 0, 0, 8), Purpose::Multicast),
    (v6(0x2001, 2, 0, 48), Purpose::Benchmark),
    (v6(0x2001, 0xdb8, 0, 32), Purpose::Documentation),
    (v6(0x3fff, 0, 0, 20), Purpose::Documentation),
    (v6(0x2001, 0, 0, 23), Purpose::Reserved), // protocol assignments, Teredo among them
];

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), std::net::AddrParseError>;

    fn purpose(address: &str) -> Result<Option<Purpose>, std::net::AddrParseError> {
        Ok(special(address.parse()?).map(|special| special.purpose))
    }

    #[test]
    fn public_addresses_are_not_special() -> TestResult {
        for address in [
            "1.1.1.1",
            "93.184.216.119",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.17",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(purpose(address)?, None, "{address}");
        }
        Ok(())
    }

    #[test]
    fn everything_else_says_what_it_is_for() -> TestResult {
        for (address, expected) in [
            ("0.0.0.0", Purpose::Unspecified),
            ("0.1.2.3", Purpose::Reserved),
            ("10.255.255.255", Purpose::Private),
            ("100.64.0.1", Purpose::Shared),
            ("100.127.255.255", Purpose::Shared),
            ("100.100.100.200", Purpose::Metadata),
            ("127.0.0.1", Purpose::Loopback),
            ("127.255.255.254", Purpose::Loopback),
            ("168.63.129.16", Purpose::Metadata),
            ("169.254.169.254", Purpose::Metadata),
            ("169.254.0.1", Purpose::LinkLocal),
            ("172.16.0.1", Purpose::Private),
            ("172.31.255.255", Purpose::Private),
            ("192.0.0.8", Purpose::Reserved),
            ("192.0.2.1", Purpose::Documentation),
            ("192.168.1.1", Purpose::Private),
            ("198.19.255.255", Purpose::Benchmark),
            ("224.0.0.1", Purpose::Multicast),
            ("255.255.255.255", Purpose::Reserved),
            ("::", Purpose::Unspecified),
            ("::1", Purpose::Loopback),
            ("::7f00:1", Purpose::Reserved),
            ("100::1", Purpose::Reserved),
            ("2001::1", Purpose::Reserved),
            ("2001:db8::1", Purpose::Documentation),
            ("3fff::1", Purpose::Documentation),
            ("5f00::1", Purpose::Reserved),
            ("64:ff9b:1::a9fe:a9fe", Purpose::Reserved),
            ("fc00::1", Purpose::UniqueLocal),
            ("fd00:ec2::254", Purpose::Metadata),
            ("fd12::1", Purpose::UniqueLocal),
            ("fe80::1", Purpose::LinkLocal),
            ("fec0::1", Purpose::Reserved),
            ("ff02::1", Purpose::Multicast),
        ] {
            assert_eq!(purpose(address)?, Some(expected), "{address}");
        }
        Ok(())
    }

    #[test]
    fn an_address_inside_another_decides() -> TestResult {
        for (address, expected) in [
            ("::ffff:a9fe:a9fe", Purpose::Metadata),
            ("::ffff:127.0.0.1", Purpose::Loopback),
            ("64:ff9b::a9fe:a9fe", Purpose::Metadata),
            ("64:ff9b::10.0.0.1", Purpose::Private),
            ("2002:7f00:1::1", Purpose::Loopback),
            ("2002:a9fe:a9fe::", Purpose::Metadata),
        ] {
            assert_eq!(purpose(address)?, Some(expected), "{address}");
        }
        Ok(())
    }
}
