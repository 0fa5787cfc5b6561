//! The resolver against name servers on loopback, from well-behaved to hostile.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::ResponseCode;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::name_server::{Asked, NameServer};
use super::*;

pub(crate) mod name_server;

/// Short enough for name servers that exceed any.
const QUICK: Duration = Duration::from_millis(500);

/// The default.
const PATIENT: Duration = Duration::from_secs(5);

const NAME: &str = "hooks.example.org";

fn parse(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect(text)).collect()
}

/// What the server tells of a name, within a step of some length.
async fn told(server: &NameServer, step_timeout: Duration) -> Result<Vec<IpAddr>, ResolveError> {
    server.resolver(step_timeout).resolve(NAME).await
}

/// The same for whoever waits no longer than the step, as the guard does.
async fn told_in_time(server: &NameServer, step_timeout: Duration) -> Result<Vec<IpAddr>, ResolveError> {
    timeout(step_timeout, told(server, step_timeout)).await.unwrap_or(Err(ResolveError::TimedOut))
}

async fn assert_failed(server: &NameServer, shown: &str) {
    let error = told(server, QUICK).await.expect_err(shown);
    assert!(matches!(error, ResolveError::Lookup(_)), "{shown}: {error:?}");
}

#[test]
fn names_are_absolute_with_and_without_the_dot() {
    for name in ["rabbitmq", "rabbitmq.", "a.b.example", "_underscore.example"] {
        let absolute = absolute(name).expect(name);
        assert!(absolute.is_fqdn(), "{name}");
        assert_eq!(absolute.to_string().trim_end_matches('.'), name.trim_end_matches('.'));
    }
    assert!(absolute("a..b").is_err());
    assert!(absolute(&"a".repeat(64)).is_err());
}

#[tokio::test]
async fn localhost_is_known_without_a_name_server() {
    let resolver = SystemResolver::from_system(QUICK).expect("a resolver configuration");
    let addresses = resolver.resolve("localhost").await.expect("localhost");
    assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
}

#[tokio::test]
async fn a_reserved_name_does_not_exist() {
    // RFC 6761 reserves `.invalid`, and hickory answers for it without asking a name server.
    let resolver = SystemResolver::from_system(QUICK).expect("a resolver configuration");
    let error = resolver.resolve("does-not-exist.invalid").await.expect_err("no such name");
    assert!(matches!(error, ResolveError::Lookup(_)), "{error:?}");
}

#[tokio::test]
async fn every_address_is_told_in_its_order_and_ipv4_first() {
    let fifty: Vec<String> = (1..=50).map(|last| format!("192.0.2.{last}")).collect();
    let fifty: Vec<&str> = fifty.iter().map(String::as_str).collect();
    for addresses in
        [&["192.0.2.1"][..], &["2001:db8::1"], &["192.0.2.1", "2001:db8::2", "2001:db8::1"], &fifty]
    {
        let server = NameServer::telling(addresses).await;
        assert_eq!(told(&server, PATIENT).await.expect("addresses"), parse(addresses));
    }
}

#[tokio::test]
async fn a_silent_name_server_is_asked_more_than_once_and_given_up_before_the_step() {
    let server = NameServer::serve(|_| Vec::new()).await;
    let error = told_in_time(&server, PATIENT / 2).await.expect_err("nobody answers");
    assert!(matches!(error, ResolveError::Lookup(_)), "{error:?}");
    assert!(4 <= server.asked(), "both families twice: {}", server.asked());
}

#[tokio::test]
async fn a_name_server_that_says_no_is_believed() {
    let codes = [
        ResponseCode::ServFail,
        ResponseCode::NXDomain,
        ResponseCode::Refused,
        ResponseCode::NotImp,
        ResponseCode::FormErr,
        ResponseCode::NoError,
    ];
    for code in codes {
        let server = NameServer::serve(move |asked| vec![asked.code(code)]).await;
        assert_failed(&server, &format!("{code}")).await;
    }
}

#[tokio::test]
async fn a_family_that_fails_leaves_the_other() {
    for (good, failing) in [("192.0.2.1", RecordType::AAAA), ("2001:db8::1", RecordType::A)] {
        for code in [ResponseCode::ServFail, ResponseCode::NXDomain, ResponseCode::NoError] {
            let addresses = parse(&[good]);
            let server = NameServer::serve(move |asked| {
                vec![if asked.record_type() == failing { asked.code(code) } else { asked.answer(&addresses) }]
            })
            .await;
            assert_eq!(told(&server, PATIENT).await.expect(good), parse(&[good]), "{code} {failing}");
        }
    }
}

/// A server that knows one address, and says nothing to whoever asks for `silent`.
async fn half_silent(address: &str, silent: RecordType) -> NameServer {
    let addresses = parse(&[address]);
    NameServer::serve(
        move |asked| {
            if asked.record_type() == silent { Vec::new() } else { vec![asked.answer(&addresses)] }
        },
    )
    .await
}

#[tokio::test]
async fn ipv4_does_not_wait_for_a_server_that_ignores_ipv6() {
    let server = half_silent("192.0.2.1", RecordType::AAAA).await;
    let started = Instant::now();
    assert_eq!(told(&server, PATIENT).await.expect("an address"), parse(&["192.0.2.1"]));
    assert!(started.elapsed() < PATIENT.mul_f64(TRY_SHARE), "{:?}", started.elapsed());
}

#[tokio::test]
async fn ipv6_is_told_in_time_by_a_server_that_ignores_ipv4() {
    let server = half_silent("2001:db8::1", RecordType::A).await;
    let addresses = told_in_time(&server, PATIENT / 2).await.expect("an address");
    assert_eq!(addresses, parse(&["2001:db8::1"]));
}

#[tokio::test]
async fn a_lost_datagram_is_sent_again() {
    // The first query of each family is lost.
    let server = NameServer::serve(|asked| {
        if asked.before == 0 { Vec::new() } else { vec![asked.answer(&parse(&["192.0.2.1"]))] }
    })
    .await;
    let started = Instant::now();
    assert_eq!(told(&server, PATIENT).await.expect("an address"), parse(&["192.0.2.1"]));
    assert!(started.elapsed() < PATIENT.mul_f64(TRY_SHARE), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_name_server_that_fails_is_asked_once_more() {
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        // The first query of each family fails.
        let server = NameServer::serve(move |asked| {
            let is_first = asked.before == 0;
            vec![if is_first { asked.code(code) } else { asked.answer(&parse(&["192.0.2.1"])) }]
        })
        .await;
        assert_eq!(told(&server, PATIENT).await.expect("an address"), parse(&["192.0.2.1"]), "{code}");
    }
}

#[tokio::test]
async fn what_is_too_long_for_a_datagram_is_asked_for_over_tcp() {
    let many: Vec<IpAddr> = (1..=1000u32).map(|n| Ipv4Addr::from(0xc633_0000 + n).into()).collect();
    let expected = many.clone();
    let server = NameServer::serve(move |asked| {
        vec![if asked.is_tcp { asked.answer(&many) } else { asked.truncated() }]
    })
    .await;
    assert_eq!(told(&server, PATIENT).await.expect("addresses"), expected);
    let hollow = NameServer::serve(|asked| vec![asked.truncated()]).await;
    assert_failed(&hollow, "truncated over TCP").await;
    let half =
        NameServer::serve(|asked| if asked.is_tcp { Vec::new() } else { vec![asked.truncated()] }).await;
    assert_failed(&half, "silent over TCP").await;
}

#[tokio::test]
async fn an_alias_is_followed_and_an_endless_chain_is_not() {
    let server = NameServer::serve(|asked| {
        let is_alias = asked.name().to_ascii().starts_with("hooks.");
        vec![if is_alias { asked.alias("target.example.net.") } else { asked.answer(&parse(&["192.0.2.1"])) }]
    })
    .await;
    assert_eq!(told(&server, PATIENT).await.expect("an address"), parse(&["192.0.2.1"]));
    let circular = NameServer::serve(|asked| vec![asked.alias("hooks.example.org.")]).await;
    assert_failed(&circular, "an alias of itself").await;
    let endless =
        NameServer::serve(|asked| vec![asked.alias(&format!("n{}.example.org.", asked.before))]).await;
    assert_failed(&endless, "an alias of an alias of an alias").await;
    assert!(endless.asked() < 100, "{} queries", endless.asked());
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_ours() {
    // Who does not see the query must guess its number, and who guesses it may still be wrong about the question. What
    // is forged is passed over, and the answer that comes after it counts.
    let forge = |asked: &Asked| {
        let forged = parse(&["203.0.113.66", "2001:db8::66"]);
        let mut other_number = asked.answer(&forged);
        other_number[0] ^= 1;
        let mut other_question = asked.answer(&forged);
        other_question[13] ^= 1;
        vec![other_number, other_question, vec![], vec![0xff]]
    };
    let server = NameServer::serve(move |asked| {
        let mut answers = forge(&asked);
        answers.push(asked.answer(&parse(&["192.0.2.1"])));
        answers
    })
    .await;
    assert_eq!(told(&server, PATIENT).await.expect("an address"), parse(&["192.0.2.1"]));
    let forging = NameServer::serve(move |asked| forge(&asked)).await;
    assert_failed(&forging, "forgeries alone").await;
}

#[tokio::test]
async fn nonsense_from_a_name_server_is_a_failure_or_an_answer_and_nothing_else() {
    // Every answer that differs from a good one in one byte, and those that stop early or go on.
    let mut resolving = JoinSet::new();
    for place in 0..60 {
        for change in [1, 0x80, 0xff] {
            resolving.spawn(async move { resolve_mangled(move |bytes| flip(bytes, place, change)).await });
        }
        resolving.spawn(async move { resolve_mangled(move |bytes| bytes.truncate(place)).await });
        resolving
            .spawn(async move { resolve_mangled(move |bytes| bytes.extend([0xc0; 7].repeat(place))).await });
    }
    let resolved = resolving.join_all().await;
    assert!(resolved.iter().any(Result::is_ok) && resolved.iter().any(Result::is_err));
    assert!(resolved.iter().all(|told| !matches!(told, Err(ResolveError::Name(_)))), "{resolved:?}");
}

fn flip(bytes: &mut [u8], place: usize, change: u8) {
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= change;
    }
}

async fn resolve_mangled(
    mangle: impl Fn(&mut Vec<u8>) + Send + Sync + 'static,
) -> Result<Vec<IpAddr>, ResolveError> {
    let server = NameServer::serve(move |asked| {
        let mut answer = asked.answer(&parse(&["192.0.2.1", "2001:db8::1"]));
        mangle(&mut answer);
        vec![answer]
    })
    .await;
    told(&server, QUICK).await
}

#[tokio::test]
async fn an_answer_that_may_not_be_kept_is_asked_for_anew() {
    let count = AtomicUsize::new(0);
    let server = NameServer::serve(move |asked| {
        let is_v4 = asked.record_type() == RecordType::A;
        let last = if is_v4 { count.fetch_add(1, Ordering::Relaxed) } else { 0 };
        vec![asked.answer(&[IpAddr::from([192, 0, 2, u8::try_from(last).expect("few")])])]
    })
    .await;
    let resolver = server.resolver(PATIENT);
    for last in 0..3 {
        let expected = vec![IpAddr::from([192, 0, 2, last])];
        assert_eq!(resolver.resolve(NAME).await.expect("an address"), expected);
    }
}
