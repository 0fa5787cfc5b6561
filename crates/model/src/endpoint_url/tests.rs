//! Notations that are normalised, those that are refused, and that there is nothing between.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

#[test]
fn the_origin_tells_servers_apart_and_no_more() {
    for (url, origin) in [
        ("https://example.org:443/hook/s3cret?token=t0ken", "https://example.org"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]"),
    ] {
        assert_eq!(EndpointUrl::parse(url, Mode::Test).expect(url).origin(), origin);
    }
}

#[test]
fn odd_notations_are_normalised() {
    let cases = [
        ("http://2130706433/a", "http://127.0.0.1/a"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("https://EXAMPLE.org:443/x?y=z#frag", "https://example.org/x?y=z"),
        ("https://example.org:00443/", "https://example.org/"),
        ("https://example.org:/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("  https://example.org  ", "https://example.org/"),
        ("https://exa\tmple.o\nrg/\r\n", "https://example.org/"),
        ("https://example.org\\@evil.example\\x", "https://example.org/@evil.example/x"),
        ("https:example.org", "https://example.org/"),
        ("https:////example.org", "https://example.org/"),
        ("http://127%2e0%2E0.1/", "http://127.0.0.1/"),
        ("http://１２７．０．０．１/", "http://127.0.0.1/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("http://①②⑦.1/", "http://127.0.0.1/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
        ("http://0/", "http://0.0.0.0/"),
        ("http://0xffffffff/", "http://255.255.255.255/"),
        ("http://[0:0:0:0:0:FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("https://EXAMPLE。org./", "https://example.org./"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://exa\u{ad}mple.org/", "https://example.org/"),
        ("https://_dmarc.example.org:8443/", "https://_dmarc.example.org:8443/"),
        ("https://example.org/a b\0?c d", "https://example.org/a%20b%00?c%20d"),
        ("https://example.org/../../x", "https://example.org/x"),
    ];
    for (given, expected) in cases {
        assert_eq!(EndpointUrl::parse(given, Mode::Test).expect(given).expose(), expected);
    }
}

#[test]
fn wrong_urls_are_refused_by_kind() {
    use EndpointUrlError as E;
    let long = format!("https://example.org/{}", "a".repeat(ENDPOINT_URL_BYTES_MAX));
    let is = |text: &str, mode, expected: fn(&E) -> bool| {
        let error = EndpointUrl::parse(text, mode).expect_err(text);
        assert!(expected(&error), "{text}: {error}");
    };
    is("http://example.org/", Mode::Live, |e| matches!(e, E::Scheme { .. }));
    is("ftp://example.org/", Mode::Test, |e| matches!(e, E::Scheme { .. }));
    is("file:///etc/passwd", Mode::Test, |e| matches!(e, E::Scheme { .. }));
    is("https://user:pass@example.org/", Mode::Live, |e| matches!(e, E::UserInformation));
    is("https://user@example.org/", Mode::Live, |e| matches!(e, E::UserInformation));
    is("https://", Mode::Live, |e| matches!(e, E::Unparsable(_)));
    is("example.org/hook", Mode::Live, |e| matches!(e, E::Unparsable(_)));
    is("https://[fe80::1%25eth0]/", Mode::Live, |e| matches!(e, E::Unparsable(_)));
    is(&long, Mode::Live, |e| matches!(e, E::TooLong { .. }));
    // Longer only once it is normalised, and longer only before.
    let spaces = " x".repeat(ENDPOINT_URL_BYTES_MAX / 2 - 20);
    is(&format!("https://example.org/{spaces}"), Mode::Live, |e| matches!(e, E::TooLong { .. }));
    is(&format!("{}://x/", "a".repeat(1 << 20)), Mode::Live, |e| matches!(e, E::TooLong { .. }));
}

#[test]
fn a_host_is_a_name_or_an_address() {
    let long_label = format!("https://{}.example/", "a".repeat(64));
    let long_name = format!("https://{}example/", "abcdefg.".repeat(31));
    for text in [
        "https://a..b/",
        "https://.example.org/",
        "https://example.org../",
        "https://./",
        "https://\"quoted\"/",
        "https://a!b/",
        "https://a*b/",
        "https://a,b/",
        &long_label,
        &long_name,
    ] {
        assert_eq!(EndpointUrl::parse(text, Mode::Live), Err(EndpointUrlError::Host), "{text}");
    }
    for text in [
        "https:///",
        "https://?",
        "https://exa mple.org/",
        "https://exa%20mple.org/",
        "https://example%00.org/",
        "https://exa<mple.org/",
        "https://a|b/",
        "https://a^b/",
        "https://xn--a/",
        "https://\u{ad}/",
        "https://256.0.0.1/",
        "https://1.2.3.4.5/",
        "https://0x100000000/",
        "https://09.0.0.1/",
        "https://127.0.0.1:99999/",
        "https://example.org:65536/",
        "https://example.org:-1/",
        "https://example.org:0x1bb/",
        "https://example.org:443:443/",
        "https://[::1/",
        "https://[127.0.0.1]/",
        "https://[fe80::1%eth0]/",
        "https://[::1%1]/",
    ] {
        let refused = EndpointUrl::parse(text, Mode::Live);
        assert!(matches!(refused, Err(EndpointUrlError::Unparsable(_))), "{text}: {refused:?}");
    }
    assert_eq!(EndpointUrl::parse("https://example.org:0/", Mode::Live), Err(EndpointUrlError::Port));
    for text in ["https://u@example.org/", "https://:p@example.org/", "https://a@b@example.org/"] {
        assert_eq!(EndpointUrl::parse(text, Mode::Live), Err(EndpointUrlError::UserInformation), "{text}");
    }
    let just_short_enough =
        [format!("https://{}.example/", "a".repeat(63)), long_name.replace("example", "ample")];
    for text in just_short_enough {
        assert!(EndpointUrl::parse(&text, Mode::Live).is_ok(), "{text}");
    }
}

#[test]
fn neither_debug_nor_display_shows_the_path() {
    let url = EndpointUrl::parse("https://example.org/hook/s3cret?token=t0ken", Mode::Live).expect("valid");
    for text in [format!("{url}"), format!("{url:?}")] {
        assert!(
            text.contains("example.org") && !text.contains("s3cret") && !text.contains("t0ken"),
            "{text}"
        );
    }
}

/// Texts that are URLs, or nearly so, of what makes parsers disagree.
fn odd_url() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(https|http|HTTPS|ftp)?:?[/\\\\]{0,3}[a-zA-Z0-9.:@/\\\\?#%\\[\\]xX \t\r\n\0_。．１２é\u{ad}-]{0,40}",
        "https?://(0x?[0-9a-f]{0,9}|[0-9]{1,10})(\\.(0x?[0-9a-f]{0,3}|[0-9]{1,3})){0,4}\\.?(:[0-9]{0,5})?/",
        "https?://\\[[0-9a-fA-F:.%]{0,40}\\]/",
    ]
}

proptest! {
    #[test]
    fn what_is_parsed_is_printed_as_it_is_parsed_again(text in odd_url()) {
        for mode in [Mode::Live, Mode::Test] {
            let Ok(url) = EndpointUrl::parse(&text, mode) else { continue };
            prop_assert_eq!(EndpointUrl::parse(url.expose(), mode), Ok(url.clone()));
            prop_assert!(url.expose().bytes().all(|byte| byte.is_ascii_graphic()), "{}", url.expose());
            prop_assert!(url.expose().len() <= ENDPOINT_URL_BYTES_MAX && url.port() != 0);
            prop_assert!(url.is_https() || mode == Mode::Test);
        }
    }

    #[test]
    fn a_host_that_could_be_read_as_an_address_is_one(text in odd_url()) {
        let Ok(url) = EndpointUrl::parse(&text, Mode::Test) else { return Ok(()) };
        let Host::Domain(name) = url.host() else { return Ok(()) };
        prop_assert!(name.parse::<IpAddr>().is_err(), "{name}");
        // The C library reads numbers in any of its notations as an address; a name must not end in one.
        let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        prop_assert!(!hexadecimal && !last.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    }
}
