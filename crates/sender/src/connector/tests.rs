//! The guard against resolvers that lie, stall and fail, on loopback listeners.

mod dns;

use std::future;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bellhop_model::{EndpointUrl, Mode};
use proptest::prelude::*;
use tokio::net::TcpListener;

use super::*;
use crate::tls::client_config;

/// Tells the same of every name.
enum Scripted {
    Addresses(Vec<IpAddr>),
    /// The first lookup tells the first address, every later one the second; counted.
    Changing([IpAddr; 2], Arc<AtomicUsize>),
    Failing,
    Silent,
}

impl Resolve for Scripted {
    fn resolve<'a>(&'a self, _: &'a str) -> crate::resolver::Resolving<'a> {
        match self {
            Self::Addresses(addresses) => Box::pin(future::ready(Ok(addresses.clone()))),
            Self::Changing([first, second], asked) => {
                let address = if asked.fetch_add(1, Ordering::Relaxed) == 0 { first } else { second };
                Box::pin(future::ready(Ok(vec![*address])))
            }
            Self::Failing => Box::pin(future::ready(Err(ResolveError::Lookup("no such name".into())))),
            Self::Silent => Box::pin(future::pending()),
        }
    }
}

fn addresses(texts: &[&str]) -> Scripted {
    Scripted::Addresses(texts.iter().map(|text| text.parse().expect(text)).collect())
}

fn guard(resolver: impl Resolve + 'static, allowed: &[&str]) -> Guard {
    Guard {
        resolver: Arc::new(resolver),
        allowed: AllowList::parse(allowed.iter().copied()).expect("networks"),
        tls: TlsConnector::from(Arc::new(client_config(&[]).expect("a configuration"))),
        step_timeout: Duration::from_secs(5),
        kept: Arc::new(Semaphore::new(1)),
    }
}

/// What comes of connecting to a URL: the failure, or the address connected to.
async fn connect(guard: &Guard, url: &str) -> Result<IpAddr, Failure> {
    let uri = url.parse().expect(url);
    match guard.connect(&uri).await {
        Ok(stream) => Ok(stream.peer()),
        Err(error) => Err(error.failure()),
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://example.org:{}", listener.local_addr().expect("an address").port());
    (listener, url)
}

#[tokio::test]
async fn one_forbidden_address_refuses_the_host() {
    let (_listener, url) = listen().await;
    for mix in [
        &["127.0.0.1", "10.0.0.1"][..],
        &["10.0.0.1", "127.0.0.1"],
        &["127.0.0.1", "::1"],
        &["127.0.0.1", "::ffff:127.0.0.1"],
        &["127.0.0.1", "64:ff9b::10.0.0.1"],
    ] {
        let guard = guard(addresses(mix), &["127.0.0.0/8"]);
        assert_eq!(connect(&guard, &url).await, Err(Failure::ForbiddenAddress), "{mix:?}");
    }
}

#[tokio::test]
async fn literals_are_judged_without_the_resolver() {
    let guard = guard(Scripted::Failing, &[]);
    for url in ["http://127.0.0.1/", "https://127.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/"] {
        assert_eq!(connect(&guard, url).await, Err(Failure::ForbiddenAddress), "{url}");
    }
}

#[tokio::test]
async fn ports_of_other_protocols_are_refused_before_anybody_is_asked() {
    let lenient = || guard(Scripted::Failing, &["127.0.0.0/8"]);
    for url in
        ["http://example.org:25/", "https://example.org:22/", "http://127.0.0.1:6667/", "http://127.0.0.1:0/"]
    {
        assert_eq!(connect(&lenient(), url).await, Err(Failure::ForbiddenAddress), "{url}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_tell_whether_anybody_is_there() {
    // Open, closed, or a name of ours that exists or does not: the same words, and nobody is dialled.
    let (listener, open) = listen().await;
    let closed = "http://example.org:2".to_owned();
    let refused = guard(addresses(&["127.0.0.1"]), &[]);
    for url in [&open, &closed] {
        assert_eq!(connect(&refused, url).await, Err(Failure::ForbiddenAddress), "{url}");
    }
    // Asked in the kernel, because the runtime may not have heard of a connection yet.
    let listener = listener.into_std().expect("a socket");
    assert!(
        listener.accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
        "nobody was dialled"
    );
    let internal =
        ["rabbitmq", "rabbitmq.", "vault.internal", "api.svc.cluster.local.", "printer.lan", "a.home.arpa"];
    for name in internal {
        let url = format!("https://{name}/");
        for resolver in [addresses(&["10.0.0.1"]), addresses(&[]), Scripted::Failing] {
            let guard = guard(resolver, &[]);
            assert_eq!(connect(&guard, &url).await, Err(Failure::ForbiddenAddress), "{name}");
        }
    }
    let allowed = guard(addresses(&["127.0.0.1"]), &["127.0.0.0/8"]);
    let named = open.replace("example.org", "receiver.svc.cluster.local");
    assert!(connect(&allowed, &named).await.is_ok(), "what the operator declares may have any name");
    for name in ["example.org", "local.example", "notlocal", "localhost.example.org", "my-internal.example"] {
        assert_eq!(is_internal(name), name == "notlocal", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_does_not_tell_our_names_either() {
    let silent = guard(Scripted::Silent, &[]);
    assert_eq!(connect(&silent, "https://rabbitmq/").await, Err(Failure::ForbiddenAddress));
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_called() {
    // A name server that answers differently each time: the second answer is never asked for, so it cannot be called.
    let (_listener, url) = listen().await;
    let answers = ["127.0.0.1", "10.0.0.1"].map(|text| text.parse().expect(text));
    let asked = Arc::new(AtomicUsize::new(0));
    let guard = guard(Scripted::Changing(answers, Arc::clone(&asked)), &["127.0.0.0/8"]);
    assert_eq!(connect(&guard, &url).await, Ok(answers[0]));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(
        connect(&guard, &url).await,
        Err(Failure::ForbiddenAddress),
        "and the next connection asks anew"
    );
}

#[tokio::test]
async fn an_endpoint_may_be_on_ipv6_alone() {
    let listener = TcpListener::bind("[::1]:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let guard = guard(addresses(&["::1"]), &["::1/128"]);
    for host in ["example.org", "[::1]"] {
        let connected = connect(&guard, &format!("http://{host}:{port}/")).await;
        assert_eq!(connected, Ok("::1".parse().expect("an address")), "{host}");
    }
}

#[tokio::test]
async fn an_address_that_refuses_leaves_the_next_its_turn() {
    let (_listener, url) = listen().await;
    let guard = guard(addresses(&["127.0.0.2", "127.0.0.3", "127.0.0.1"]), &["127.0.0.0/8"]);
    assert_eq!(connect(&guard, &url).await, Ok("127.0.0.1".parse().expect("an address")));
}

#[tokio::test]
async fn of_fifty_addresses_all_are_judged_and_few_are_dialled() {
    let (_listener, url) = listen().await;
    let mut fifty: Vec<IpAddr> = (2..=50).map(|last| IpAddr::from([127, 0, 0, last])).collect();
    fifty.push(IpAddr::from([127, 0, 0, 1]));
    let dialled = guard(Scripted::Addresses(fifty.clone()), &["127.0.0.0/8"]);
    assert_eq!(connect(&dialled, &url).await, Err(Failure::Connect), "the last one would have answered");
    fifty[49] = IpAddr::from([10, 0, 0, 1]);
    let judged = guard(Scripted::Addresses(fifty), &["127.0.0.0/8"]);
    assert_eq!(connect(&judged, &url).await, Err(Failure::ForbiddenAddress));
}

#[tokio::test(start_paused = true)]
async fn a_name_without_addresses_is_a_failure_of_dns() {
    for resolver in [addresses(&[]), Scripted::Failing, Scripted::Silent] {
        let guard = guard(resolver, &[]);
        assert_eq!(connect(&guard, "https://example.org/").await, Err(Failure::Dns));
    }
}

#[tokio::test]
async fn a_peer_that_is_not_who_was_dialled_is_judged_again() {
    let (listener, _) = listen().await;
    let socket = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
    let refused = guard(Scripted::Failing, &[]).admit(socket).map(drop).expect_err("loopback is forbidden");
    assert_eq!(refused.failure(), Failure::ForbiddenAddress);
}

#[test]
fn brackets_and_the_dot_of_the_root_are_not_part_of_a_host() {
    assert_eq!(
        (bare("[::1]"), bare("example.org."), bare("example.org")),
        ("::1", "example.org", "example.org")
    );
    assert_eq!(literal("[::1]"), Some("::1".parse().expect("an address")));
    assert_eq!((literal("127.0.0.1.example"), literal("2130706433")), (None, None));
}

/// Notations of an IPv4 address that some program or other reads as that address.
fn notations(address: Ipv4Addr) -> [String; 10] {
    let [a, b, c, d] = address.octets();
    let number = u32::from(address);
    [
        address.to_string(),
        format!("{address}."),
        number.to_string(),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a:#X}.0{b:o}.{c}.{d:#x}"),
        format!("{a}.{}", number & 0x00ff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        address.to_string().replace('.', "%2E"),
        address.to_string().replace('.', "\u{3002}"),
    ]
}

proptest! {
    #[test]
    fn no_notation_of_a_forbidden_address_gets_by(bits: u32) {
        // The URL as it is registered, the URI as it is called, and the table agree on every notation.
        let address = Ipv4Addr::from(bits);
        let mapped = [format!("[::ffff:{address}]"), format!("[0:0:0:0:0:FFFF:{address}]"), format!("[64:ff9b::{address}]")];
        for host in notations(address).into_iter().chain(mapped) {
            let url = EndpointUrl::parse(&format!("https://{host}/x"), Mode::Live).expect(&host);
            let uri: Uri = url.expose().parse().expect(&host);
            let called = literal(uri.host().expect("a host")).expect("a literal needs no resolver");
            let expected = if called.is_ipv4() { IpAddr::V4(address) } else { called };
            prop_assert_eq!(called, expected, "{}", host);
            let is_admitted = AllowList::default().admit(called).is_ok();
            let is_public = AllowList::default().admit(IpAddr::V4(address)).is_ok();
            prop_assert!(!is_admitted || is_public, "{host} is {called}");
        }
    }

    #[test]
    fn url_and_uri_agree_on_whom_to_call(
        text in "https?://[a-zA-Z0-9.:@/\\\\?#%\\[\\]_ ;&=+$,!~*'()|^`{}<>\"\u{e9}\u{3002}-]{1,40}",
    ) {
        let Ok(url) = EndpointUrl::parse(&text, Mode::Test) else { return Ok(()) };
        let uri: Uri = url.expose().parse().expect("a URI");
        prop_assert_eq!(uri.host().expect("a host"), url.host().to_string());
        let implied = if url.is_https() { 443 } else { 80 };
        prop_assert_eq!(uri.port_u16().unwrap_or(implied), url.port());
        prop_assert_eq!(uri.scheme_str() == Some("https"), url.is_https());
    }
}
