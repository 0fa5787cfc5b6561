//! The guard behind a real resolver and real name servers on loopback.

use super::*;
use crate::resolver::tests::name_server::{Asked, NameServer};

/// Two tries and the step end well before a test is given up, and a name server that answers is heard on a busy machine.
const STEP: Duration = Duration::from_secs(2);

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// What comes of connecting to a URL by what a name server tells.
async fn connect_by(server: &NameServer, url: &str) -> Result<IpAddr, Failure> {
    connect(&guard(server.resolver(STEP), &LOOPBACK), url).await
}

fn address(text: &str) -> IpAddr {
    text.parse().expect(text)
}

#[tokio::test]
async fn what_a_name_server_tells_is_called_or_refused() {
    let (_listener, url) = listen().await;
    for (told, expected) in [
        (&["127.0.0.1"][..], Ok(address("127.0.0.1"))),
        (&["127.0.0.1", "10.0.0.1"], Err(Failure::ForbiddenAddress)),
        (&["127.0.0.1", "fd00::1"], Err(Failure::ForbiddenAddress)),
        (&["127.0.0.1", "::ffff:169.254.169.254"], Err(Failure::ForbiddenAddress)),
        (&[], Err(Failure::Dns)),
    ] {
        let server = NameServer::telling(told).await;
        assert_eq!(connect_by(&server, &url).await, expected, "{told:?}");
    }
}

#[tokio::test]
async fn a_name_with_ipv6_addresses_alone_is_called_there() {
    let listener = TcpListener::bind("[::1]:0").await.expect("a port");
    let url = format!("http://example.org:{}", listener.local_addr().expect("an address").port());
    let server = NameServer::telling(&["::1"]).await;
    assert_eq!(connect_by(&server, &url).await, Ok(address("::1")));
}

#[tokio::test]
async fn of_fifty_addresses_told_at_once_all_are_judged_and_few_are_dialled() {
    let (_listener, url) = listen().await;
    let mut fifty: Vec<IpAddr> = (2..=50).map(|last| IpAddr::from([127, 0, 0, last])).collect();
    fifty.push(address("127.0.0.1"));
    let told = fifty.clone();
    let server = NameServer::serve(move |asked| vec![asked.answer(&told)]).await;
    assert_eq!(connect_by(&server, &url).await, Err(Failure::Connect), "the last one would have answered");
    fifty[49] = address("10.0.0.1");
    let server = NameServer::serve(move |asked| vec![asked.answer(&fifty)]).await;
    assert_eq!(connect_by(&server, &url).await, Err(Failure::ForbiddenAddress));
}

/// A server that tells loopback once, and from then on an address inside; neither may be kept.
async fn rebinding() -> NameServer {
    let told = AtomicUsize::new(0);
    NameServer::serve(move |asked: Asked| {
        let first = address("127.0.0.1");
        let is_first = asked.is_v4() && told.fetch_add(1, Ordering::Relaxed) == 0;
        vec![asked.answer(&[if is_first { first } else { address("10.0.0.1") }])]
    })
    .await
}

#[tokio::test]
async fn an_answer_that_changes_between_check_and_connect_is_never_dialled() {
    let (_listener, url) = listen().await;
    let server = rebinding().await;
    let guard = guard(server.resolver(STEP), &LOOPBACK);
    assert_eq!(connect(&guard, &url).await, Ok(address("127.0.0.1")));
    assert_eq!(server.asked(), 2, "once for each family");
    assert_eq!(connect(&guard, &url).await, Err(Failure::ForbiddenAddress), "and the next asks anew");
}

#[tokio::test]
async fn an_alias_to_a_name_inside_is_judged_by_its_addresses() {
    let server = NameServer::serve(|asked| {
        let is_inside = asked.name().to_ascii() == "vault.internal.";
        vec![if is_inside { asked.answer(&[address("10.0.0.1")]) } else { asked.alias("vault.internal.") }]
    })
    .await;
    assert_eq!(connect_by(&server, "https://example.org/").await, Err(Failure::ForbiddenAddress));
}

#[tokio::test]
async fn a_name_server_that_is_silent_or_fails_is_a_failure_of_dns_for_public_names_alone() {
    use hickory_resolver::proto::op::ResponseCode;
    let silent = NameServer::serve(|_| Vec::new()).await;
    let failing = NameServer::serve(|asked| vec![asked.code(ResponseCode::ServFail)]).await;
    for server in [&silent, &failing] {
        assert_eq!(connect_by(server, "https://example.org/").await, Err(Failure::Dns));
        assert_eq!(connect_by(server, "https://vault.internal/").await, Err(Failure::ForbiddenAddress));
    }
}
