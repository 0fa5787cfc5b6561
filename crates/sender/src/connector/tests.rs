//! The guard against resolvers that lie, stall and fail, on loopback listeners.

use std::future;

use tokio::net::TcpListener;

use super::*;
use crate::tls::client_config;

/// Tells the same of every name.
enum Scripted {
    Addresses(Vec<IpAddr>),
    Failing,
    Silent,
}

impl Resolve for Scripted {
    fn resolve<'a>(&'a self, _: &'a str) -> crate::resolver::Resolving<'a> {
        match self {
            Self::Addresses(addresses) => Box::pin(future::ready(Ok(addresses.clone()))),
            Self::Failing => Box::pin(future::ready(Err(ResolveError::Lookup("no such name".into())))),
            Self::Silent => Box::pin(future::pending()),
        }
    }
}

fn addresses(texts: &[&str]) -> Scripted {
    Scripted::Addresses(texts.iter().map(|text| text.parse().expect(text)).collect())
}

fn guard(resolver: Scripted, allowed: &[&str]) -> Guard {
    Guard {
        resolver: Arc::new(resolver),
        allowed: AllowList::parse(allowed.iter().copied()).expect("networks"),
        tls: TlsConnector::from(Arc::new(client_config(&[]).expect("a configuration"))),
        step_timeout: Duration::from_secs(5),
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
