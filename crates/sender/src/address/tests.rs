//! The table of forbidden ranges, edge by edge, and what embeds one address in another.

use proptest::prelude::*;

use super::*;

fn is_forbidden(text: &str) -> bool {
    forbidden_purpose(text.parse().expect(text)).is_some()
}

/// Each range by its first and last address, with the public neighbours before and after it, if it has any.
const V4_RANGES: [(Option<&str>, &str, &str, Option<&str>); 15] = [
    (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
    (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
    (Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0")),
    (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
    (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
    (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
    (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
    (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
    (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
    (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
    (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
    (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
    (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
    (Some("223.255.255.255"), "224.0.0.0", "239.255.255.255", None),
    (None, "240.0.0.0", "255.255.255.255", None),
];

#[test]
fn every_ipv4_range_ends_where_it_should() {
    for (before, first, last, after) in V4_RANGES {
        assert!(is_forbidden(first) && is_forbidden(last), "{first} to {last}");
        for neighbour in [before, after].into_iter().flatten() {
            assert!(!is_forbidden(neighbour), "{neighbour}");
        }
    }
}

/// As [`V4_RANGES`]. Outside `2000::/3` there are no public neighbours: everything there is forbidden.
const V6_RANGES: [(Option<&str>, &str, &str, Option<&str>); 12] = [
    (None, "::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
    (None, "100::", "100::ffff:ffff:ffff:ffff", None),
    (None, "100:0:0:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000::")),
    (
        Some("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "2001::",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("2001:200::"),
    ),
    (
        Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("2001:db9::"),
    ),
    (
        Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "2002::",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("2003::"),
    ),
    (
        Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("3fff:1000::"),
    ),
    (
        Some("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "4000::",
        "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        None,
    ),
    (None, "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
    (None, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
    (None, "fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
    (None, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
];

#[test]
fn every_ipv6_range_ends_where_it_should() {
    for (before, first, last, after) in V6_RANGES {
        assert!(is_forbidden(first) && is_forbidden(last), "{first} to {last}");
        for neighbour in [before, after].into_iter().flatten() {
            assert!(!is_forbidden(neighbour), "{neighbour}");
        }
    }
}

#[test]
fn a_nat64_address_is_what_it_translates_to_and_its_prefix_ends_where_it_should() {
    for (before, first, last, after) in V4_RANGES {
        for text in [first, last] {
            assert!(is_forbidden(&format!("64:ff9b::{text}")), "{text}");
        }
        for text in [before, after].into_iter().flatten() {
            assert!(!is_forbidden(&format!("64:ff9b::{text}")), "{text}");
        }
    }
    for text in ["64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::1:0:0", "64:ff9b::ffff:808:808"] {
        assert!(is_forbidden(text), "{text}");
    }
}

#[test]
fn every_range_has_its_name() {
    let purpose = |text: &str| forbidden_purpose(text.parse().expect(text));
    let named = V6_RANGES
        .iter()
        .chain(&V4_RANGES)
        .filter(|(_, first, ..)| *first != "4000::" && *first != "100:0:0:1::");
    for (_, first, ..) in named {
        assert!(purpose(first).is_some_and(|purpose| purpose != "not global unicast"), "{first}");
    }
    assert_eq!(purpose("4000::"), Some("not global unicast"));
    assert_eq!(purpose("8.8.8.8"), None);
}

#[test]
fn ipv6_ranges_are_forbidden_and_global_unicast_is_not() {
    let forbidden = [
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:0:0:0:1:808:808",
        "100::1",
        "100:0:0:1::",
        "2001::1",
        "2001:1ff:ffff::",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "3fff::1",
        "3fff:fff:ffff::",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    for address in forbidden {
        assert!(is_forbidden(address), "{address}");
    }
    let public = [
        "2000::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "3fff:1000::",
        "3ffe::",
    ];
    for address in public {
        assert!(!is_forbidden(address), "{address}");
    }
}

#[test]
fn the_metadata_services_of_clouds_are_forbidden() {
    for address in ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"] {
        assert!(is_forbidden(address), "{address}");
    }
}

#[test]
fn an_allow_list_admits_only_what_it_names() {
    let allowed = AllowList::parse(["127.0.0.0/8", "fd12::/16"]).expect("two networks");
    let admits = |text: &str| allowed.admit(text.parse().expect(text)).is_ok();
    assert!(admits("127.0.0.1") && admits("127.255.255.255") && admits("fd12::1") && admits("8.8.8.8"));
    for refused in ["10.0.0.1", "::1", "fd13::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"] {
        assert!(!admits(refused), "{refused}");
    }
    assert_eq!(allowed.to_string(), "127.0.0.0/8, fd12::/16");
    assert!(!allowed.is_empty() && AllowList::default().is_empty());
    let loopback = AllowList::default().admit("127.0.0.1".parse().expect("an address"));
    assert_eq!(loopback, Err(ForbiddenAddress { purpose: "loopback" }));
}

#[test]
fn what_is_not_a_network_is_named() {
    for text in ["", "localhost", "127.0.0.1", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/8 "] {
        assert_eq!(AllowList::parse([text]), Err(AllowListError(text.to_owned())));
    }
}

proptest! {
    #[test]
    fn ipv4_inside_ipv6_is_never_laundered(bits: u32) {
        let plain = Ipv4Addr::from(bits);
        let [high, low] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
        let mapped = IpAddr::V6(plain.to_ipv6_mapped());
        let compatible = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low));
        let translated = IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low));
        let tunnelled = IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1));
        for refused in [mapped, compatible, tunnelled] {
            prop_assert!(forbidden_purpose(refused).is_some(), "{refused}");
        }
        prop_assert_eq!(forbidden_purpose(translated), forbidden_purpose(IpAddr::V4(plain)));
    }

    #[test]
    fn what_the_standard_library_knows_to_be_local_is_forbidden(bits: u32, wide: u128) {
        let (narrow, broad) = (Ipv4Addr::from(bits), Ipv6Addr::from(wide));
        let is_local = narrow.is_private() || narrow.is_loopback() || narrow.is_link_local()
            || narrow.is_multicast() || narrow.is_broadcast() || narrow.is_documentation()
            || narrow.is_unspecified();
        prop_assert!(!is_local || forbidden_purpose(narrow.into()).is_some(), "{narrow}");
        let is_public = forbidden_purpose(broad.into()).is_none();
        prop_assert!(!is_public || GLOBAL_UNICAST.contains(&broad) || NAT64.contains(&broad), "{broad}");
    }

    #[test]
    fn an_allow_list_opens_nothing_outside_itself(bits: u32, network: u32, length in 1u8..=32) {
        let network = Ipv4Net::new(Ipv4Addr::from(network), length).expect("a length up to 32");
        let allowed = AllowList::parse([network.to_string().as_str()]).expect("a network");
        let address = Ipv4Addr::from(bits);
        let is_admitted = allowed.admit(address.into()).is_ok();
        let expected = network.contains(&address) || forbidden_purpose(address.into()).is_none();
        prop_assert_eq!(is_admitted, expected, "{} by {}", address, network);
    }
}
