//! Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{EventId, Secret, SigningSecret};

/// The version of the scheme that a signature begins with.
const VERSION: &str = "v1";

/// The value of the header `webhook-signature`: one signature per secret, separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(String);

/// Signs for one webhook. The keyed states are computed once, so a request costs only its own bytes.
#[derive(Clone)]
pub struct Signer {
    keyed: Vec<Keyed>,
}

#[derive(Clone)]
struct Keyed {
    mac: Hmac<Sha256>,
    /// Unix seconds of the first moment that is not signed with it.
    until: Option<i64>,
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header has no signature of a version we know.
    #[error("no `v1` signature in the header")]
    Missing,
    /// None of the signatures is of this body under this secret.
    #[error("the signature does not match id, timestamp and body")]
    Mismatch,
}

impl Signer {
    /// Prepares to sign with each of a webhook's secrets, the current one first.
    #[must_use]
    pub fn new(secrets: &[SigningSecret]) -> Self {
        let keyed =
            |SigningSecret { secret, until }: &SigningSecret| Keyed { mac: keyed(secret), until: *until };
        Self { keyed: secrets.iter().map(keyed).collect() }
    }

    /// Signs one request, with every secret that has not ended by then. That is judged here and not where secrets are
    /// read, so that no copy of them, however old, signs for longer than it may.
    ///
    /// * `id`: the event's id, sent as `webhook-id`; it contains no dot, so the parts cannot be shifted.
    /// * `timestamp`: unix seconds of this attempt, sent as `webhook-timestamp`.
    /// * `body`: the exact bytes that are sent.
    #[must_use]
    pub fn sign(&self, id: &EventId, timestamp: i64, body: &[u8]) -> Signature {
        let signatures: Vec<String> = self
            .keyed
            .iter()
            .filter(|keyed| keyed.until.is_none_or(|until| timestamp < until))
            .map(|keyed| {
                let mac = feed(keyed.mac.clone(), id.as_str(), timestamp, body).finalize();
                format!("{VERSION},{}", STANDARD.encode(mac.into_bytes()))
            })
            .collect();
        Signature(signatures.join(" "))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets)", self.keyed.len())
    }
}

impl Signature {
    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Verifies a request as a receiver does; the caller judges the timestamp's age.
///
/// * `secret`: the one noted at registration.
/// * `id`, `timestamp`: the headers `webhook-id` and `webhook-timestamp`.
/// * `body`: the bytes received.
/// * `header`: the value of `webhook-signature`.
///
/// # Errors
/// [`SignatureError`]; signatures are compared in constant time.
pub fn verify(
    secret: &Secret,
    id: &str,
    timestamp: i64,
    body: &[u8],
    header: &str,
) -> Result<(), SignatureError> {
    let expected = feed(keyed(secret), id, timestamp, body).finalize().into_bytes();
    let mut candidates = header
        .split(' ')
        .filter_map(|signature| signature.strip_prefix(VERSION)?.strip_prefix(','))
        .peekable();
    candidates.peek().ok_or(SignatureError::Missing)?;
    let is_match = |candidate: &str| {
        STANDARD.decode(candidate).is_ok_and(|bytes| bool::from(bytes.ct_eq(expected.as_slice())))
    };
    if candidates.any(is_match) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn keyed(secret: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.key()).expect("HMAC takes a key of any length")
}

fn feed(mut mac: Hmac<Sha256>, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vector published with Standard Webhooks 1.0.0.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        SECRET.parse().expect("valid")
    }

    #[test]
    fn the_published_vector_is_reproduced() {
        let signature = Signer::new(&[secret().into()]).sign(&ID.parse().expect("valid"), TIMESTAMP, BODY);
        assert_eq!(signature.as_str(), SIGNATURE);
        assert_eq!(verify(&secret(), ID, TIMESTAMP, BODY, SIGNATURE), Ok(()));
    }

    #[test]
    fn during_a_rotation_either_secret_verifies() {
        let old = Secret::from_random(&[9; 32]);
        let signature = Signer::new(&[secret().into(), old.clone().into()]).sign(
            &ID.parse().expect("valid"),
            TIMESTAMP,
            BODY,
        );
        assert_eq!(signature.as_str().split(' ').count(), 2);
        for secret in [secret(), old] {
            assert_eq!(verify(&secret, ID, TIMESTAMP, BODY, signature.as_str()), Ok(()));
        }
    }

    #[test]
    fn a_secret_that_has_ended_signs_no_more_however_long_the_signer_lives() {
        let old = Secret::from_random(&[9; 32]);
        let ending = SigningSecret { secret: old.clone(), until: Some(TIMESTAMP) };
        let signer = Signer::new(&[secret().into(), ending]);
        let sign = |timestamp| signer.sign(&ID.parse().expect("valid"), timestamp, BODY);
        let before = sign(TIMESTAMP - 1);
        assert_eq!(verify(&old, ID, TIMESTAMP - 1, BODY, before.as_str()), Ok(()));
        assert_eq!(sign(TIMESTAMP).as_str(), SIGNATURE, "the current one alone");
    }

    #[test]
    fn other_versions_are_passed_over() {
        let header = format!("v1a,abc {SIGNATURE} v2,xyz");
        assert_eq!(verify(&secret(), ID, TIMESTAMP, BODY, &header), Ok(()));
        assert_eq!(verify(&secret(), ID, TIMESTAMP, BODY, "v2,xyz"), Err(SignatureError::Missing));
        assert_eq!(verify(&secret(), ID, TIMESTAMP, BODY, ""), Err(SignatureError::Missing));
        assert_eq!(verify(&secret(), ID, TIMESTAMP, BODY, "v1,***"), Err(SignatureError::Mismatch));
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else(
            key: [u8; 32],
            id in "[A-Za-z0-9_-]{1,64}",
            timestamp: i64,
            body: Vec<u8>,
            flipped: u8,
        ) {
            let secret = Secret::from_random(&key);
            let event_id = id.parse().expect("matches the shape");
            let signature = Signer::new(&[secret.clone().into()]).sign(&event_id, timestamp, &body);
            prop_assert_eq!(verify(&secret, &id, timestamp, &body, signature.as_str()), Ok(()));
            let mut other = body.clone();
            other.push(flipped);
            let result = verify(&secret, &id, timestamp, &other, signature.as_str());
            prop_assert_eq!(result, Err(SignatureError::Mismatch));
            let result = verify(&secret, &id, timestamp ^ 1, &body, signature.as_str());
            prop_assert_eq!(result, Err(SignatureError::Mismatch));
        }
    }
}
