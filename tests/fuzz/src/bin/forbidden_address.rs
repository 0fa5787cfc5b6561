//! No address is called that the standard library knows to be none of the public internet's, whatever it is wrapped in.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bellhop_sender::address::{AllowList, forbidden_purpose};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, u128)| {
    let (v4, v6) = (Ipv4Addr::from(input.0), Ipv6Addr::from(input.1));
    let is_inside = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast()
        || v4.is_unspecified();
    let is_refused = |address: IpAddr| forbidden_purpose(address).is_some();
    assert!(!is_inside || is_refused(v4.into()), "{v4}");
    let is_inside = v6.is_loopback()
        || v6.is_multicast()
        || v6.is_unspecified()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
        || v6.to_ipv4().is_some();
    assert!(!is_inside || is_refused(v6.into()), "{v6}");
    assert!(is_refused(v4.to_ipv6_mapped().into()) && is_refused(v4.to_ipv6_compatible().into()), "{v4}");
    let through_gateway = Ipv6Addr::from((0x64_ff9b_u128 << 96) | u128::from(input.0));
    assert_eq!(is_refused(through_gateway.into()), is_refused(v4.into()), "{v4}");
    for address in [IpAddr::from(v4), v6.into()] {
        assert_eq!(AllowList::default().admit(address).is_err(), is_refused(address), "{address}");
        let declared = format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 });
        let allowed = AllowList::parse([declared.as_str()]).expect("a network");
        assert!(allowed.admit(address).is_ok(), "{address}");
    }
});
