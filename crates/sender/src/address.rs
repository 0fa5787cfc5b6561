//! Which addresses must not be called, whoever asks for it.
//!
//! A webhook's URL is chosen by a stranger and called from inside our network. So nothing is called that is not
//! plainly a public unicast address, except what the operator declared.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

#[cfg(test)]
mod tests;

/// Addresses that may be called although they are forbidden to strangers: networks that the operator declares.
///
/// It is compared with addresses only, never with names, and as they stand: `10.0.0.0/8` allows neither
/// `::ffff:10.0.0.1` nor `64:ff9b::10.0.0.1`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<IpNet>);

/// A text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network: expected an address and a prefix length such as `10.20.0.0/16`")]
pub struct AllowListError(String);

/// An address that must not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address belongs to a forbidden range: {purpose}")]
pub struct ForbiddenAddress {
    /// What the range is for.
    pub purpose: &'static str,
}

impl AllowList {
    /// Parses networks in CIDR notation, in which an IPv4 or IPv6 address is followed by its prefix length.
    ///
    /// # Errors
    /// [`AllowListError`] with the first text that is not a network.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, AllowListError> {
        let parse = |text: &str| text.parse::<IpNet>().map_err(|_| AllowListError(text.to_owned()));
        networks.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Judges an address: it may be called when it is not forbidden, or declared here.
    ///
    /// # Errors
    /// [`ForbiddenAddress`] when it must not be called.
    pub fn admit(&self, address: IpAddr) -> Result<(), ForbiddenAddress> {
        match forbidden_purpose(address) {
            Some(purpose) if !self.contains(address) => Err(ForbiddenAddress { purpose }),
            _ => Ok(()),
        }
    }

    /// Whether nothing is declared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&networks.join(", "))
    }
}

/// What the forbidden range that an address lies in is for; `None` for a public unicast address.
///
/// An IPv6 address of the NAT64 prefix is judged by the IPv4 address in it, because a NAT64 gateway calls that one.
///
/// Source: IANA special-purpose address registries; everything in IPv6 outside `2000::/3`, from which alone global
/// unicast is assigned.
#[must_use]
pub fn forbidden_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_purpose_v4(address),
        IpAddr::V6(address) => forbidden_purpose_v6(address),
    }
}

const FORBIDDEN_V4: [(Ipv4Net, &str); 15] = [
    (v4([0, 0, 0, 0], 8), "this network"),
    (v4([10, 0, 0, 0], 8), "private use"),
    (v4([100, 64, 0, 0], 10), "shared address space"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link local"),
    (v4([172, 16, 0, 0], 12), "private use"),
    (v4([192, 0, 0, 0], 24), "protocol assignments"),
    (v4([192, 0, 2, 0], 24), "documentation"),
    (v4([192, 88, 99, 0], 24), "6to4 relays"),
    (v4([192, 168, 0, 0], 16), "private use"),
    (v4([198, 18, 0, 0], 15), "benchmarking"),
    (v4([198, 51, 100, 0], 24), "documentation"),
    (v4([203, 0, 113, 0], 24), "documentation"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([240, 0, 0, 0], 4), "reserved or broadcast"),
];

/// The exceptions within `2000::/3`, and those outside it that deserve a name of their own.
const FORBIDDEN_V6: [(Ipv6Net, &str); 11] = [
    (v6([0, 0, 0], 8), "loopback, unspecified, or IPv4 in IPv6"),
    (v6([0x100, 0, 0], 64), "discard only"),
    (v6([0x2001, 0, 0], 23), "protocol assignments"),
    (v6([0x2001, 0xdb8, 0], 32), "documentation"),
    (v6([0x2002, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0], 20), "documentation"),
    (v6([0x5f00, 0, 0], 16), "segment routing"),
    (v6([0xfc00, 0, 0], 7), "unique local"),
    (v6([0xfe80, 0, 0], 10), "link local"),
    (v6([0xfec0, 0, 0], 10), "site local"),
    (v6([0xff00, 0, 0], 8), "multicast"),
];

const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0], 3);

const fn v4(octets: [u8; 4], prefix_length: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_length)
}

const fn v6(leading: [u16; 3], prefix_length: u8) -> Ipv6Net {
    let [a, b, c] = leading;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix_length)
}

fn forbidden_purpose_v4(address: Ipv4Addr) -> Option<&'static str> {
    FORBIDDEN_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, purpose)| *purpose)
}

fn forbidden_purpose_v6(address: Ipv6Addr) -> Option<&'static str> {
    if NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return forbidden_purpose_v4(Ipv4Addr::new(a, b, c, d));
    }
    let named = FORBIDDEN_V6.iter().find(|(network, _)| network.contains(&address));
    let unassigned = (!GLOBAL_UNICAST.contains(&address)).then_some("not global unicast");
    named.map(|(_, purpose)| *purpose).or(unassigned)
}
