//! The cookie that says who is signed in, and the word that only our own pages can know beside it.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellhop_store::SessionToken;
use sha2::{Digest, Sha256};

use crate::state::Api;

/// By its prefix browsers take the cookie from this very host alone, and over nothing but TLS.
const NAME: &str = "__Host-bellhop-session";

/// The same where somebody tries the console on their own machine: over plain HTTP from there, browsers take a cookie for TLS
/// alone, but not every one takes the prefix.
const LOCAL_NAME: &str = "bellhop-session";

/// No script reads it, no other site's page sends it, and it is gone with the browser.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// What the cookie is called at the host that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CookieName(&'static str);

impl CookieName {
    fn at(headers: &HeaderMap) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        Self(if is_this_machine(host) { LOCAL_NAME } else { NAME })
    }

    /// Has the browser show a session from now on.
    pub(super) fn set(self, token: &SessionToken) -> HeaderValue {
        let cookie = format!("{}={}; {ATTRIBUTES}", self.0, token.expose());
        let mut cookie = HeaderValue::from_str(&cookie).expect("a token is letters, digits, `-` and `_`");
        cookie.set_sensitive(true);
        cookie
    }

    /// Has the browser forget it.
    pub(super) fn clear(self) -> HeaderValue {
        HeaderValue::from_str(&format!("{}=; {ATTRIBUTES}; Max-Age=0", self.0)).expect("our own words")
    }
}

impl FromRequestParts<Api> for CookieName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        Ok(Self::at(&parts.headers))
    }
}

/// The session that a browser shows, if it shows one.
pub(super) fn token(headers: &HeaderMap) -> Option<SessionToken> {
    let CookieName(wanted) = CookieName::at(headers);
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
    SessionToken::parse(value)
}

/// The word that a form of this session carries. Nobody who does not know the token can know it, and it tells nothing of
/// the token.
pub(super) fn csrf(token: &SessionToken) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"bellhop console form\0");
    hasher.update(token.expose().as_bytes());
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

/// Whether a host is the machine that the browser runs on.
///
/// * `host`: as the header of this name has it, perhaps with a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<IpAddr> = name.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a header"));
        headers.insert(COOKIE, cookie.parse().expect("a header"));
        headers
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let of = |line: &str| token(&headers("console.example", line)).map(|token| token.expose().to_owned());
        let text = "a".repeat(43);
        assert_eq!(of(&format!("x=1; {NAME}={text}; y=2")), Some(text.clone()));
        for line in [format!("{NAME}=short"), format!("{LOCAL_NAME}={text}"), "x".to_owned()] {
            assert_eq!(of(&line), None, "{line}");
        }
    }

    #[test]
    fn only_this_machine_does_without_the_prefix() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "console.example", "localhost.example:80", "10.0.0.1", "[::2]", "127.0.0.1.example"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn what_is_set_is_read_and_what_is_cleared_is_not() {
        let session = SessionToken::parse(&"b".repeat(43)).expect("well formed");
        for host in ["console.example", "localhost:8080"] {
            let name = CookieName::at(&headers(host, "x=1"));
            let read = |value: HeaderValue| {
                token(&headers(host, value.to_str().expect("text").split(';').next().expect("a pair")))
            };
            assert_eq!(read(name.set(&session)).expect("it is set").hash(), session.hash());
            assert!(read(name.clear()).is_none());
        }
        assert_ne!(csrf(&session), session.expose());
    }
}
