//! Headers by which a caller makes a change conditional: on a version, or on not having been made before.

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use crate::problem::Problem;
use crate::state::Api;

/// The header that names a creation.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Greatest length of an idempotency key.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// A version that nothing ever has.
const NO_VERSION: i64 = -1;

/// The version that a change is for; any without the header `If-Match`.
pub(crate) struct IfMatch(pub(crate) Option<i64>);

/// What the caller calls the creation, if anything.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl FromRequestParts<Api> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Ok(Self(None)) };
        let tag = value.to_str().unwrap_or_default().trim();
        if tag == "*" {
            return Ok(Self(None));
        }
        let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let version = version.filter(|version| !version.contains('"'));
        let version = version.ok_or_else(|| {
            Problem::malformed("if-match", "must be one `ETag` as an answer told it, such as `\"3\"`, or `*`")
        })?;
        Ok(Self(Some(version.parse().unwrap_or(NO_VERSION))))
    }
}

impl FromRequestParts<Api> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let key = value.to_str().ok().filter(|key| {
            (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(is_visible)
        });
        let Some(key) = key.filter(|_| values.next().is_none()) else {
            return Err(Problem::malformed(
                IDEMPOTENCY_KEY,
                format!("must be one text of 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters"),
            ));
        };
        Ok(Self(Some(key.to_owned())))
    }
}

/// Hashes what is asked for, so that one key is not taken for two things.
///
/// * `parts`: each is ended by a byte that none of them contains in JSON.
pub(crate) fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}
