//! Sealing: what lies in PostgreSQL and Redis opens only with our key, and only where it was put.
//!
//! A sealed value is `1`, the length of the key's id, the id, a random 96-bit nonce, and AES-256-GCM's ciphertext with
//! its tag. Each place has a key of its own, derived (HKDF-SHA-256) from the configured one: random nonces are safe for
//! 2^32 values under one key, which a whole fleet would reach and one organisation never does.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellhop_model::{EventId, RequestId, WebhookId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::hmac;

use crate::scope::Scope;
use crate::{StoreError, random};

/// First byte of every sealed value.
const FORMAT: u8 = 1;

/// Length of a configured key.
const KEY_BYTES: usize = 32;

/// Greatest length of a key's id.
const KEY_ID_BYTES_MAX: usize = 32;

/// The keys that sealed values may be opened with. The first one seals. `Debug` shows only their ids.
#[derive(Clone)]
pub struct SealingKeys(Arc<[SealingKey]>);

/// Why a text is not a keyring. It never repeats a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeysError {
    /// An entry without a colon.
    #[error("sealing key {0} is not written as `id:base64`")]
    Form(usize),
    /// An id that cannot be written into a sealed value.
    #[error("the id of sealing key {0} is not 1 to {KEY_ID_BYTES_MAX} letters, digits, `_` or `-`")]
    Id(usize),
    /// Two keys of one id.
    #[error("the sealing key id `{0}` occurs twice")]
    RepeatedId(String),
    /// Not 32 bytes of base64.
    #[error(
        "the sealing key `{0}` is not base64 of {KEY_BYTES} bytes: make one with `openssl rand -base64 {KEY_BYTES}`"
    )]
    Key(String),
}

/// Where a sealed value lies. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// The cached subscriptions of an organisation.
    Subscriptions(&'a Scope),
    /// A webhook's secret.
    Secret(&'a Scope, &'a WebhookId),
    /// An event as published.
    Payload(&'a Scope, &'a EventId),
    /// What an endpoint answered to a request.
    Answer(&'a Scope, &'a RequestId),
    /// What was answered to a creation with an idempotency key.
    IdempotentAnswer(&'a Scope, &'a str),
}

struct SealingKey {
    id: Box<str>,
    root: Prk,
}

impl SealingKeys {
    /// Reads `id:base64` or, for a rotation, `new:base64,old:base64`.
    ///
    /// # Errors
    /// [`SealingKeysError`], fit for an operator.
    pub fn parse(text: &str) -> Result<Self, SealingKeysError> {
        let mut keys: Vec<SealingKey> = Vec::new();
        for (index, entry) in text.split(',').enumerate() {
            let (id, encoded) = entry.trim().split_once(':').ok_or(SealingKeysError::Form(index + 1))?;
            if !is_key_id(id) {
                return Err(SealingKeysError::Id(index + 1));
            }
            if keys.iter().any(|key| *key.id == *id) {
                return Err(SealingKeysError::RepeatedId(id.to_owned()));
            }
            let bytes = STANDARD.decode(encoded.trim()).ok().filter(|bytes| bytes.len() == KEY_BYTES);
            let bytes = bytes.ok_or_else(|| SealingKeysError::Key(id.to_owned()))?;
            let root = Salt::new(HKDF_SHA256, b"bellhop sealing 1").extract(&bytes);
            keys.push(SealingKey { id: id.into(), root });
        }
        Ok(Self(keys.into()))
    }

    /// The id of the first key, which seals.
    pub(crate) fn current_id(&self) -> &str {
        &self.0.first().expect("a keyring has at least one key").id
    }

    /// A key for hashing what must be recognised but never shown, derived from a sealing key.
    ///
    /// * `key_id`: of the sealing key.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`].
    pub(crate) fn hashing_key(&self, key_id: &str) -> Result<hmac::Key, StoreError> {
        let key = self.0.iter().find(|key| *key.id == *key_id);
        let key = key.ok_or_else(|| StoreError::SealingKeyUnknown { key_id: key_id.to_owned() })?;
        let info: [&[u8]; 1] = [b"api keys\0"];
        let derived = key.root.expand(&info, hmac::HMAC_SHA256);
        Ok(derived.expect("a key is shorter than HKDF's greatest output").into())
    }

    /// Seals a value for a place with the first key.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let key = self.0.first().expect("a keyring has at least one key");
        let associated = place.associated_data();
        let nonce: [u8; NONCE_LEN] = random::bytes();
        let mut sealed = plain.to_vec();
        key.derive(&associated)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(&associated),
                &mut sealed,
            )
            .expect("what we seal is far below AES-GCM's 64 GiB");
        let id_bytes = u8::try_from(key.id.len()).expect("the length of an id is checked when it is read");
        [&[FORMAT, id_bytes], key.id.as_bytes(), &nonce, &sealed].concat()
    }

    /// Opens a value that was sealed for this place.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`], [`StoreError::SealingKeyWrong`], or [`StoreError::Corrupt`] when it is no
    /// sealed value at all.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (key_id, nonce, ciphertext) =
            split(sealed).ok_or_else(|| StoreError::Corrupt("not a sealed value".to_owned()))?;
        let key = self.0.iter().find(|key| *key.id == *key_id);
        let key = key.ok_or_else(|| StoreError::SealingKeyUnknown { key_id: key_id.to_owned() })?;
        let associated = place.associated_data();
        let mut opened = ciphertext.to_vec();
        let length = key
            .derive(&associated)
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(&associated), &mut opened)
            .map_err(|_| StoreError::SealingKeyWrong { key_id: key_id.to_owned() })?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl SealingKey {
    fn derive(&self, associated: &[u8]) -> LessSafeKey {
        let info = [associated];
        let key =
            self.root.expand(&info, &AES_256_GCM).expect("a key is shorter than HKDF's greatest output");
        LessSafeKey::new(UnboundKey::from(key))
    }
}

impl Place<'_> {
    /// Purpose, mode, organisation and what it is called there, each ended by a byte that no part can contain.
    fn associated_data(self) -> Vec<u8> {
        let request_text;
        let (purpose, scope, name) = match self {
            Self::Subscriptions(scope) => ("subscriptions", scope, ""),
            Self::Secret(scope, webhook) => ("secret", scope, webhook.as_str()),
            Self::IdempotentAnswer(scope, key) => ("idempotent", scope, key),
            Self::Payload(scope, event) => ("payload", scope, event.as_str()),
            Self::Answer(scope, request) => {
                request_text = request.to_string();
                ("answer", scope, request_text.as_str())
            }
        };
        let parts = [purpose, scope.mode.as_str(), scope.organisation.as_str(), name];
        parts.iter().flat_map(|part| part.bytes().chain([0])).collect()
    }
}

fn is_key_id(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !text.is_empty() && text.len() <= KEY_ID_BYTES_MAX && text.bytes().all(is_word)
}

fn split(sealed: &[u8]) -> Option<(&str, [u8; NONCE_LEN], &[u8])> {
    let (&[format, id_bytes], rest) = sealed.split_first_chunk()?;
    if format != FORMAT {
        return None;
    }
    let (id, rest) = rest.split_at_checked(usize::from(id_bytes))?;
    let (nonce, ciphertext) = rest.split_first_chunk()?;
    let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id))?;
    Some((id, *nonce, ciphertext))
}

#[cfg(test)]
mod tests {
    use bellhop_model::Mode;

    use super::*;

    fn keys(entries: &[(&str, u8)]) -> SealingKeys {
        let entries: Vec<String> =
            entries.iter().map(|(id, byte)| format!("{id}:{}", STANDARD.encode([*byte; 32]))).collect();
        SealingKeys::parse(&entries.join(",")).expect("valid keys")
    }

    fn scope(mode: Mode, organisation: &str) -> Scope {
        Scope::new(mode, &organisation.parse().expect("valid id"))
    }

    #[test]
    fn a_sealed_value_opens_where_it_was_put_and_nowhere_else() {
        let (here, there) = (scope(Mode::Live, "org_a"), scope(Mode::Test, "org_a"));
        let (one, other) = (WebhookId::from_uuid(&[1; 16]), WebhookId::from_uuid(&[2; 16]));
        let keys = keys(&[("k", 7)]);
        let sealed = keys.seal(Place::Secret(&here, &one), b"secret");
        assert_eq!(keys.open(Place::Secret(&here, &one), &sealed).expect("its own place"), b"secret");
        // An event may be called what a webhook is called.
        let event: EventId = one.as_str().parse().expect("a valid id");
        let elsewhere = [
            Place::Secret(&there, &one),
            Place::Secret(&here, &other),
            Place::Subscriptions(&here),
            Place::Payload(&here, &event),
        ];
        for place in elsewhere {
            let error = keys.open(place, &sealed).expect_err("another place");
            assert!(matches!(error, StoreError::SealingKeyWrong { .. }), "{place:?}: {error}");
        }
    }

    #[test]
    fn no_byte_can_be_changed_or_cut() {
        let scope = scope(Mode::Live, "org_a");
        let keys = keys(&[("k", 7)]);
        let sealed = keys.seal(Place::Subscriptions(&scope), b"value");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(keys.open(Place::Subscriptions(&scope), &changed).is_err(), "byte {index} changed");
            assert!(keys.open(Place::Subscriptions(&scope), &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn during_a_rotation_the_first_key_seals_and_all_open() {
        let scope = scope(Mode::Live, "org_a");
        let place = Place::Subscriptions(&scope);
        let old = keys(&[("old", 1)]);
        let both = keys(&[("new", 2), ("old", 1)]);
        let by_old = old.seal(place, b"value");
        assert_eq!(both.open(place, &by_old).expect("the old key is there"), b"value");
        let by_new = both.seal(place, b"value");
        let error = old.open(place, &by_new).expect_err("the new key is missing");
        assert!(matches!(error, StoreError::SealingKeyUnknown { key_id } if key_id == "new"));
        let impostor = keys(&[("new", 3)]).open(place, &by_new).expect_err("other bytes");
        assert!(matches!(impostor, StoreError::SealingKeyWrong { key_id } if key_id == "new"));
    }

    #[test]
    fn wrong_keyrings_are_refused_without_repeating_a_key() {
        let key = STANDARD.encode([7; 32]);
        let cases = [
            (key.clone(), SealingKeysError::Form(1)),
            (String::new(), SealingKeysError::Form(1)),
            (format!("k k:{key}"), SealingKeysError::Id(1)),
            (format!("k:{key},k:{key}"), SealingKeysError::RepeatedId("k".to_owned())),
            (format!("k:{key},l:c2hvcnQ="), SealingKeysError::Key("l".to_owned())),
        ];
        for (text, expected) in cases {
            let error = SealingKeys::parse(&text).expect_err("wrong");
            assert!(!error.to_string().contains(&key));
            assert_eq!(error, expected);
        }
        let keys = SealingKeys::parse(&format!("k:{key}")).expect("valid");
        assert_eq!(format!("{keys:?}"), r#"["k"]"#);
    }
}
