//! A webhook's signing secret.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a secret's text begins with, so that a leaked one is recognised by scanners.
const PREFIX: &str = "whsec_";

/// Fewest key bytes that are accepted. Standard Webhooks 1.0.0 asks for 24 to 64.
const KEY_BYTES_MIN: usize = 24;

/// Most key bytes that are accepted.
const KEY_BYTES_MAX: usize = 64;

/// The key that a webhook's payloads are signed with. `Debug` is redacted and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A secret, and until when requests are signed with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSecret {
    /// The secret.
    pub secret: Secret,
    /// Unix seconds of the first moment that is not signed with it; `None` for the current one, which has no end.
    pub until: Option<i64>,
}

/// Why a text is not a secret. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin with `whsec_`.
    #[error("a secret begins with `whsec_`")]
    Prefix,
    /// What follows is not base64.
    #[error("a secret is base64 after `whsec_`")]
    Encoding,
    /// The key is too short or too long.
    #[error("a secret has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes after decoding, not {0}")]
    Length(usize),
}

impl Secret {
    /// Makes a secret from 32 random bytes that the caller drew.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(bytes.to_vec())
    }

    /// The key's bytes, for the HMAC and for sealing only.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// The text an organisation notes: `whsec_` and base64 of the key.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl From<Secret> for SigningSecret {
    /// A current one.
    fn from(secret: Secret) -> Self {
        Self { secret, until: None }
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| SecretError::Encoding)?;
        if key.len() < KEY_BYTES_MIN || KEY_BYTES_MAX < key.len() {
            return Err(SecretError::Length(key.len()));
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_text() {
        let secret = Secret::from_random(&[42; 32]);
        assert_eq!(secret.expose().parse::<Secret>(), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn wrong_texts_are_refused_by_kind() {
        let short = format!("{PREFIX}{}", STANDARD.encode([0; 23]));
        assert_eq!("MfKQ9r8G".parse::<Secret>(), Err(SecretError::Prefix));
        assert_eq!("whsec_***".parse::<Secret>(), Err(SecretError::Encoding));
        assert_eq!(short.parse::<Secret>(), Err(SecretError::Length(23)));
    }
}
