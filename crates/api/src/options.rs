//! What the API needs to know before it opens its port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bellhop_model::Catalogue;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What an operator's credential begins with.
const OPERATOR_PREFIX: &str = "operator_";

/// Fewest characters of an operator's credential; 43 of base64 hold 256 bits.
const OPERATOR_CHARS_MIN: usize = OPERATOR_PREFIX.len() + 40;

/// Most characters of an operator's credential.
const OPERATOR_CHARS_MAX: usize = 256;

/// Judges an address before a webhook for it is registered.
///
/// * returns why it is never called; fit for the organisation.
pub type EndpointRule = Arc<dyn Fn(IpAddr) -> Result<(), String> + Send + Sync>;

/// How the API works.
#[derive(Clone)]
pub struct ApiOptions {
    /// Where it listens. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// Most connections served at once; further ones wait in the listener's backlog. Default 1,000.
    pub connections_max: usize,
    /// Longest time for one request, its body included. Default 10 s.
    pub request_timeout: Duration,
    /// Longest wait for the broker to confirm an event; shorter than `request_timeout`. Default 5 s.
    pub publish_timeout: Duration,
    /// Largest body of a request, in bytes. Default 128 KiB.
    pub body_bytes_max: usize,
    /// How often one key may ask. Default 50 a second, 100 at once.
    pub key_rate: Rate,
    /// How often one address may ask, with whatever key. Default 100 a second, 200 at once.
    pub address_rate: Rate,
    /// Proxies whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// What the platform's own backend may show instead of a key; each of them opens. Default none.
    pub operators: Vec<OperatorCredential>,
    /// How long a sign-in to the console opens. Default 60 s.
    pub sign_in_lifetime: Duration,
    /// How long somebody stays signed in to the console.
    pub sessions: SessionTimes,
    /// What is told about event types, and what test events are made from. Default what is built in.
    pub catalogue: Catalogue,
    /// Which literal addresses may be registered. Default all: the sender refuses what is forbidden in any case.
    pub endpoint_rule: EndpointRule,
}

/// When a session of the console ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// After this, whatever happens. Default 12 h.
    pub lifetime: Duration,
    /// After nobody did anything for so long; to the minute. Default 30 min.
    pub idle_max: Duration,
}

/// How often somebody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// What the platform's own backend shows instead of a key. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorCredential([u8; 32]);

/// A text that is too weak for, or no, operator's credential. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an operator's credential is `{OPERATOR_PREFIX}` and at least 40 letters, digits, `_` or `-`: make one with `echo \"{OPERATOR_PREFIX}$(openssl rand -hex 32)\"`"
)]
pub struct OperatorCredentialError;

impl Default for ApiOptions {
    fn default() -> Self {
        let rate = |per_second, burst| Rate {
            per_second: NonZeroU32::new(per_second).expect("a default is not zero"),
            burst: NonZeroU32::new(burst).expect("a default is not zero"),
        };
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            connections_max: 1_000,
            request_timeout: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(5),
            body_bytes_max: 128 * 1024,
            key_rate: rate(50, 100),
            address_rate: rate(100, 200),
            trusted_proxies: Vec::new(),
            operators: Vec::new(),
            sign_in_lifetime: Duration::from_secs(60),
            sessions: SessionTimes::default(),
            catalogue: Catalogue::built_in(),
            endpoint_rule: Arc::new(|_| Ok(())),
        }
    }
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(12 * 60 * 60), idle_max: Duration::from_secs(30 * 60) }
    }
}

impl fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiOptions(on {}, {} operators)", self.listen, self.operators.len())
    }
}

impl OperatorCredential {
    /// Whether a text looks like one, right or wrong.
    pub(crate) fn is_shaped(text: &str) -> bool {
        text.starts_with(OPERATOR_PREFIX)
    }

    /// Whether a text is this one; in constant time, since hashes of the same length are compared.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.ct_eq(&hash(text)).into()
    }
}

impl FromStr for OperatorCredential {
    type Err = OperatorCredentialError;

    fn from_str(text: &str) -> Result<Self, OperatorCredentialError> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let is_strong = (OPERATOR_CHARS_MIN..=OPERATOR_CHARS_MAX).contains(&text.len());
        if Self::is_shaped(text) && is_strong && text.bytes().all(is_word) {
            return Ok(Self(hash(text)));
        }
        Err(OperatorCredentialError)
    }
}

impl fmt::Debug for OperatorCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorCredential(…)")
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_recognised_by_the_whole_credential() {
        let text = format!("{OPERATOR_PREFIX}{}", "7".repeat(40));
        let credential: OperatorCredential = text.parse().expect("strong");
        assert!(credential.is(&text));
        for other in [format!("{text}7"), text[..text.len() - 1].to_owned(), String::new()] {
            assert!(!credential.is(&other), "{other}");
        }
        assert!(!format!("{credential:?}").contains("777"));
    }

    #[test]
    fn weak_credentials_are_refused() {
        for text in ["", "operator_", &format!("{OPERATOR_PREFIX}{}", "7".repeat(39)), &"7".repeat(64)] {
            assert!(text.parse::<OperatorCredential>().is_err(), "{text}");
        }
    }
}
