//! How the API is served, and who may ask how often.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bellhop_api::{ApiOptions, OperatorCredential, Rate, SessionTimes};
use bellhop_model::Catalogue;
use bellhop_runtime::config::{Key, Section, Settings};
use bellhop_sender::address::AllowList;
use ipnet::IpNet;

/// Reads section `[api]`.
///
/// * `allowed`: the networks that endpoints may lie in although strangers may not; a literal address is judged by the
///   same rule when it is registered as when it is called.
/// * `catalogue`: the event types that are known.
pub(super) fn read_api(settings: &mut Settings, allowed: &AllowList, catalogue: Catalogue) -> ApiOptions {
    let defaults = ApiOptions::default();
    let mut api = settings
        .section("api", "How `bellhop api` serves organisations. It speaks plain HTTP: TLS ends before it.");
    let listen = api.parsed(
        Key { name: "listen", meaning: "Address and port. Port 0 takes any free one." },
        "an address with a port, such as `0.0.0.0:8080` or `[::]:8080`",
        defaults.listen,
    );
    let connections_max = api.integer(
        Key { name: "connections_max", meaning: "Most connections served at once; further ones wait. Too low and idle ones of a proxy keep callers out; too high and a flood takes memory and descriptors." },
        defaults.connections_max,
        1..=100_000,
    );
    let (request_timeout, publish_timeout) = read_timeouts(&mut api, &defaults);
    let body_bytes_max = api.bytes(
        Key { name: "body_max", meaning: "Largest body of a request. An event may have 64KiB." },
        defaults.body_bytes_max as u64,
        64 * 1024..=1024 * 1024,
    );
    let (key_rate, address_rate) = read_rates(&mut api, &defaults);
    let trusted_proxies = api.list::<IpNet>(
        Key { name: "trusted_proxies", meaning: "Networks of proxies whose `X-Forwarded-For` is believed, for the audit and for rates. A network too many lets callers there invent where they are." },
        "networks such as `10.0.0.0/8`",
        &[],
    );
    let operators = read_operators(&mut api);
    let sign_in_lifetime = api.duration(
        Key { name: "sign_in_lifetime", meaning: "How long a sign-in to the console opens after the platform's backend asked for it. Too low fails slow browsers; too high leaves what a log or a history kept useful to others." },
        defaults.sign_in_lifetime,
        Duration::from_secs(5)..=Duration::from_secs(300),
    );
    let sessions = read_sessions(&mut api, defaults.sessions);
    let allowed = allowed.clone();
    ApiOptions {
        listen,
        connections_max,
        request_timeout,
        publish_timeout,
        body_bytes_max: usize::try_from(body_bytes_max).expect("a mebibyte fits"),
        key_rate,
        address_rate,
        trusted_proxies,
        operators,
        sign_in_lifetime,
        sessions,
        catalogue,
        endpoint_rule: Arc::new(move |address| allowed.admit(address).map_err(|error| error.to_string())),
    }
}

/// Reads how long a request may take, and waiting for the broker within it.
fn read_timeouts(api: &mut Section<'_>, defaults: &ApiOptions) -> (Duration, Duration) {
    let request_timeout = api.duration(
        Key { name: "request_timeout", meaning: "Longest time for one request, its body included. Too low fails requests while a database fails over; too high lets slow callers hold their places." },
        defaults.request_timeout,
        Duration::from_secs(1)..=Duration::from_secs(120),
    );
    let publish_timeout = api.duration(
        Key { name: "publish_timeout", meaning: "Longest wait for the broker to confirm an event, shorter than request_timeout. Too low refuses events while a queue elects a leader; too high lets callers wait for a broker that is away." },
        defaults.publish_timeout,
        Duration::from_millis(500)..=Duration::from_secs(30),
    );
    if request_timeout <= publish_timeout {
        api.problem(
            "publish_timeout",
            "is not shorter than request_timeout: a caller would not be told what became of the event",
        );
    }
    (request_timeout, publish_timeout)
}

/// Reads how long somebody stays signed in to the console.
fn read_sessions(api: &mut Section<'_>, defaults: SessionTimes) -> SessionTimes {
    let lifetime = api.duration(
        Key { name: "session_lifetime", meaning: "How long somebody stays signed in to the console at the most. Too low has people sign in again in the middle of their work; too high leaves a forgotten browser open to whoever finds it." },
        defaults.lifetime,
        Duration::from_secs(5 * 60)..=Duration::from_secs(12 * 60 * 60),
    );
    let idle_max = api.duration(
        Key { name: "session_idle_max", meaning: "How long somebody stays signed in to the console without doing anything, to the minute; a page that looks for what is new by itself does nothing." },
        defaults.idle_max,
        Duration::from_secs(5 * 60)..=Duration::from_secs(12 * 60 * 60),
    );
    SessionTimes { lifetime, idle_max }
}

/// Reads how often one key, and one address, may ask.
fn read_rates(api: &mut Section<'_>, defaults: &ApiOptions) -> (Rate, Rate) {
    let key_rate = read_rate(
        api,
        [
            Key {
                name: "key_requests_per_second",
                meaning: "Most requests a second, in the long run, of one key to one process: several that share the work grant several times as many.",
            },
            Key { name: "key_requests_burst", meaning: "Most requests at once, after a pause, of one key." },
        ],
        defaults.key_rate,
    );
    let address_rate = read_rate(
        api,
        [
            Key {
                name: "address_requests_per_second",
                meaning: "Most requests a second, in the long run, of one address (of IPv6, one network of 64 bits) to one process, with whatever key or none. Behind a proxy that is not among trusted_proxies, all callers have one address.",
            },
            Key {
                name: "address_requests_burst",
                meaning: "Most requests at once, after a pause, of one address.",
            },
        ],
        defaults.address_rate,
    );
    (key_rate, address_rate)
}

/// * `keys`: of the rate in the long run, and of the burst.
fn read_rate(api: &mut Section<'_>, keys: [Key; 2], defaults: Rate) -> Rate {
    let [per_second, burst] = keys;
    let number = |given: u32| NonZeroU32::new(given).expect("the range begins at 1");
    let per_second = api.integer(per_second, defaults.per_second.get(), 1..=100_000);
    let burst = api.integer(burst, defaults.burst.get(), 1..=100_000);
    Rate { per_second: number(per_second), burst: number(burst) }
}

fn read_operators(api: &mut Section<'_>) -> Vec<OperatorCredential> {
    let given = api.secret(
        Key { name: "operator_credential", meaning: "What the platform's own backend shows instead of a key, to act for any organisation and to ask for sign-ins to the console. Several, separated by commas, during a rotation. Without it nobody can." },
        "`operator_` and at least 40 letters, digits, `_` or `-`",
        "operator_0000000000000000000000000000000000000000000000000000000000000000",
    );
    let Some(given) = given else { return Vec::new() };
    let read: Result<Vec<_>, _> = given.expose().split(',').map(|one| one.trim().parse()).collect();
    read.unwrap_or_else(|error: bellhop_api::OperatorCredentialError| {
        api.problem("operator_credential", error.to_string());
        Vec::new()
    })
}
