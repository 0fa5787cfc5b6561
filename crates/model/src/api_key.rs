//! A key of the API as its holder has it: mode, id and 256 random bits in one word.

use std::fmt;
use std::str::FromStr;

use crate::{ApiKeyId, Mode, hex};

/// Bytes of the id, and of what nobody can guess.
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// Greatest length of a key's name, in characters.
const KEY_NAME_CHARS_MAX: usize = 100;

/// The whole value of an `Authorization` header: `test_` or `live_`, then 32 hexadecimal digits that are the key's id and
/// 64 that are its secret. `Debug` is redacted and there is no `Display`.
///
/// Digits and one underscore, so that a double click selects all of it and no encoding changes it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    mode: Mode,
    id: ApiKeyId,
    text: Box<str>,
}

/// A text that is no key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key begins with `test_` or `live_`, followed by {} hexadecimal digits", 2 * (ID_BYTES + SECRET_BYTES))]
pub struct ApiKeyError;

/// Why a text cannot be what a person calls a key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name has 1 to {KEY_NAME_CHARS_MAX} characters, none of them a control character")]
pub struct KeyNameError;

/// Judges what a person calls a key.
///
/// # Errors
/// [`KeyNameError`] when it is empty, too long, or would do something to a terminal.
pub fn check_key_name(text: &str) -> Result<(), KeyNameError> {
    let is_fit =
        (1..=KEY_NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_fit { Ok(()) } else { Err(KeyNameError) }
}

impl ApiKey {
    /// Makes a key.
    ///
    /// * `uuid`: 16 time-ordered bytes for the id.
    /// * `secret`: 32 random bytes.
    #[must_use]
    pub fn from_random(mode: Mode, uuid: &[u8; ID_BYTES], secret: &[u8; SECRET_BYTES]) -> Self {
        let text = format!("{mode}_{}{}", hex::encode(uuid), hex::encode(secret));
        Self { mode, id: ApiKeyId::from_uuid(uuid), text: text.into() }
    }

    /// The mode it is for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What it is called; no secret.
    #[must_use]
    pub fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// The whole key, for its holder and for hashing only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        let (mode, digits) = text.split_once('_').ok_or(ApiKeyError)?;
        let mode = mode.parse().map_err(|_| ApiKeyError)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 2 * (ID_BYTES + SECRET_BYTES) || !digits.bytes().all(is_digit) {
            return Err(ApiKeyError);
        }
        let id = format!("key_{}", &digits[..2 * ID_BYTES]).parse().map_err(|_| ApiKeyError)?;
        Ok(Self { mode, id, text: text.into() })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_is_not_shown() {
        let key = ApiKey::from_random(Mode::Test, &[1; 16], &[0xab; 32]);
        assert!(key.expose().starts_with("test_0101"), "{}", key.expose());
        let read: ApiKey = key.expose().parse().expect("our own text");
        assert_eq!((read.mode(), read.id().as_str()), (Mode::Test, "key_01010101010101010101010101010101"));
        assert_eq!(read, key);
        assert!(!format!("{key:?}").contains("abab"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let key = ApiKey::from_random(Mode::Live, &[1; 16], &[2; 32]);
        let text = key.expose();
        let cases = [
            String::new(),
            text.replace("live", "Live"),
            text.replace("live_", "live"),
            text.replace("0202", "0ü02"),
            text.replace("02", "0A"),
            format!("{text}0"),
            text[..text.len() - 1].to_owned(),
        ];
        for case in cases {
            assert_eq!(case.parse::<ApiKey>(), Err(ApiKeyError), "{case}");
        }
    }

    #[test]
    fn a_name_is_short_and_harmless() {
        for name in ["a", &"ä".repeat(100), "CI (staging)"] {
            assert_eq!(check_key_name(name), Ok(()), "{name}");
        }
        for name in ["", &"a".repeat(101), "a\0", "a\n", "\u{9b}2J"] {
            assert_eq!(check_key_name(name), Err(KeyNameError), "{name:?}");
        }
    }
}
