//! The cookie that says who is signed in, and the word that only our own pages can know beside it.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellhop_store::SessionToken;
use sha2::{Digest, Sha256};

/// By its prefix browsers take it from this very host alone, and over nothing but TLS (or from this machine).
const NAME: &str = "__Host-bellhop-session";

/// No script reads it, no other site's page sends it, and it is gone with the browser.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The session that a browser shows, if it shows one.
pub(super) fn token(headers: &HeaderMap) -> Option<SessionToken> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == NAME)?;
    SessionToken::parse(value)
}

/// Has the browser show a session from now on.
pub(super) fn set(token: &SessionToken) -> HeaderValue {
    let cookie = format!("{NAME}={}; {ATTRIBUTES}", token.expose());
    let mut cookie = HeaderValue::from_str(&cookie).expect("a token is letters, digits, `-` and `_`");
    cookie.set_sensitive(true);
    cookie
}

/// Has the browser forget it.
pub(super) fn clear() -> HeaderValue {
    HeaderValue::from_str(&format!("{NAME}=; {ATTRIBUTES}; Max-Age=0")).expect("our own words")
}

/// The word that a form of this session carries. Nobody who does not know the token can know it, and it tells nothing of
/// the token.
pub(super) fn csrf(token: &SessionToken) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"bellhop console form\0");
    hasher.update(token.expose().as_bytes());
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let of = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, line.parse().expect("a header"));
            token(&headers).map(|token| token.expose().to_owned())
        };
        let text = "a".repeat(43);
        assert_eq!(of(&format!("x=1; {NAME}={text}; y=2")), Some(text.clone()));
        for line in [format!("{NAME}=short"), format!("bellhop-session={text}"), "x".to_owned()] {
            assert_eq!(of(&line), None, "{line}");
        }
    }

    #[test]
    fn what_is_set_is_read_and_what_is_cleared_is_not() {
        let token_of = |value: &HeaderValue| {
            let pair = value.to_str().expect("text").split(';').next().expect("a pair").to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, pair.parse().expect("a header"));
            token(&headers)
        };
        let session = SessionToken::parse(&"b".repeat(43)).expect("well formed");
        assert_eq!(token_of(&set(&session)).expect("it is set").hash(), session.hash());
        assert!(token_of(&clear()).is_none());
        assert_ne!(csrf(&session), session.expose());
    }
}
