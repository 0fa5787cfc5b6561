//! Identifiers: newtypes, so that no id is taken for another.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::limits::{EVENT_ID_CHARS_MAX, ORGANISATION_ID_CHARS_MAX};
use crate::{Mode, hex};

/// Why a text is not the id it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("{kind} is empty")]
    Empty {
        /// Which id was being read, for the message.
        kind: &'static str,
    },
    /// Longer than the wire contract allows.
    #[error("{kind} has {chars} characters; at most {chars_max} are allowed")]
    TooLong {
        /// Which id was being read.
        kind: &'static str,
        /// How long the text is.
        chars: usize,
        /// How long it may be.
        chars_max: usize,
    },
    /// A character outside `[A-Za-z0-9_-]`, or a missing prefix.
    #[error("{kind} `{text}` is malformed: expected {expected}")]
    Malformed {
        /// Which id was being read.
        kind: &'static str,
        /// The text, cut to a readable length.
        text: String,
        /// What would have been right.
        expected: &'static str,
    },
}

/// The shape of one kind of id.
struct Shape {
    kind: &'static str,
    prefix: &'static str,
    chars_max: usize,
    expected: &'static str,
}

impl Shape {
    fn check(&self, text: &str) -> Result<(), IdError> {
        let Self { kind, prefix, chars_max, .. } = *self;
        if text.is_empty() {
            return Err(IdError::Empty { kind });
        }
        if chars_max < text.len() {
            return Err(IdError::TooLong { kind, chars: text.chars().count(), chars_max });
        }
        let is_word = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.strip_prefix(prefix).is_some_and(is_word) {
            return Ok(());
        }
        Err(self.malformed(text))
    }

    fn malformed(&self, text: &str) -> IdError {
        let text = text.chars().take(40).flat_map(char::escape_debug).collect();
        IdError::Malformed { kind: self.kind, text, expected: self.expected }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $shape:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            const SHAPE: Shape = $shape;

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::SHAPE.check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An organisation: `org_` and what the platform put behind it.
    OrganisationId,
    Shape {
        kind: "organisation id",
        prefix: "org_",
        chars_max: ORGANISATION_ID_CHARS_MAX,
        expected: "`org_` followed by letters, digits, `_` or `-`",
    }
);

text_id!(
    /// An event: opaque, chosen by the publisher, unique within organisation and mode.
    EventId,
    Shape {
        kind: "event id",
        prefix: "",
        chars_max: EVENT_ID_CHARS_MAX,
        expected: "1 to 64 letters, digits, `_` or `-`",
    }
);

text_id!(
    /// A webhook: `wh_` and 32 hexadecimal digits.
    WebhookId,
    Shape {
        kind: "webhook id",
        prefix: "wh_",
        chars_max: 64,
        expected: "`wh_` followed by letters, digits, `_` or `-`",
    }
);

text_id!(
    /// A key of the API: `key_` and 32 hexadecimal digits. It is no secret.
    ApiKeyId,
    Shape {
        kind: "key id",
        prefix: "key_",
        chars_max: 64,
        expected: "`key_` followed by letters, digits, `_` or `-`",
    }
);

text_id!(
    /// A recovery, which owes many deliveries again: `rec_` and 32 hexadecimal digits.
    RecoveryId,
    Shape {
        kind: "recovery id",
        prefix: "rec_",
        chars_max: 64,
        expected: "`rec_` followed by letters, digits, `_` or `-`",
    }
);

text_id!(
    /// Which copy of a next attempt this message is; random, so that two copies of one attempt can be told apart.
    CopyToken,
    Shape {
        kind: "copy token",
        prefix: "",
        chars_max: 64,
        expected: "1 to 64 letters, digits, `_` or `-`",
    }
);

impl EventId {
    /// Makes the id that our own producer gives: `evt_` and a version 7 UUID in hexadecimal.
    ///
    /// * `uuid`: 16 bytes, drawn by the caller.
    #[must_use]
    pub fn from_uuid(uuid: &[u8; 16]) -> Self {
        Self(format!("evt_{}", hex::encode(uuid)).into())
    }

    /// Makes the id of a test event: `evt_test_` and a version 7 UUID in hexadecimal. Whoever sees it, say in a log, knows
    /// it for one; whoever has to be sure asks the event.
    ///
    /// * `uuid`: 16 bytes, drawn by the caller.
    #[must_use]
    pub fn of_test(uuid: &[u8; 16]) -> Self {
        Self(format!("evt_test_{}", hex::encode(uuid)).into())
    }
}

impl WebhookId {
    /// Makes a webhook's id from 16 random or time-ordered bytes.
    #[must_use]
    pub fn from_uuid(uuid: &[u8; 16]) -> Self {
        Self(format!("wh_{}", hex::encode(uuid)).into())
    }
}

impl ApiKeyId {
    /// Makes a key's id from 16 time-ordered bytes.
    #[must_use]
    pub fn from_uuid(uuid: &[u8; 16]) -> Self {
        Self(format!("key_{}", hex::encode(uuid)).into())
    }
}

impl RecoveryId {
    /// Makes a recovery's id from 16 random or time-ordered bytes.
    #[must_use]
    pub fn from_uuid(uuid: &[u8; 16]) -> Self {
        Self(format!("rec_{}", hex::encode(uuid)).into())
    }
}

impl CopyToken {
    /// Makes a token from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; 16]) -> Self {
        Self(hex::encode(bytes).into())
    }
}

/// One HTTP request: a version 7 UUID, so that ids sort by time. Two requests of one attempt differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Makes an id.
    ///
    /// * `millis`: when the request begins, in milliseconds since the epoch.
    /// * `random`: drawn by the caller; 74 bits of it are used.
    #[must_use]
    pub fn new(millis: u64, random: &[u8; 16]) -> Self {
        let [bytes @ .., _, _, _, _, _, _] = random;
        Self(uuid::Builder::from_unix_timestamp_millis(millis, bytes).into_uuid())
    }

    /// When the request began, in milliseconds since the epoch; what the id sorts by.
    #[must_use]
    pub fn millis(&self) -> u64 {
        u64::try_from(self.0.as_u128() >> 80).expect("48 bits are left")
    }

    /// The UUID, for columns of that type.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<Uuid> for RequestId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A delivery: one event owed to one webhook. `dlv_` and 32 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(Box<str>);

impl DeliveryId {
    /// How long the text is.
    const CHARS: usize = "dlv_".len() + 32;

    /// Derives the id, so that every worker that meets the delivery calls it the same.
    ///
    /// * returns the first 128 bits of SHA-256 over the parts, each ended by a byte that no part can contain.
    #[must_use]
    pub fn derive(mode: Mode, organisation: &OrganisationId, event: &EventId, webhook: &WebhookId) -> Self {
        let mut hasher = Sha256::new();
        for part in [mode.as_str(), organisation.as_str(), event.as_str(), webhook.as_str()] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        Self(format!("dlv_{}", hex::encode(&hasher.finalize()[..16])).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeliveryId {
    type Err = IdError;

    /// Reads an id that [`DeliveryId::derive`] made.
    fn from_str(text: &str) -> Result<Self, IdError> {
        const SHAPE: Shape = Shape {
            kind: "delivery id",
            prefix: "dlv_",
            chars_max: DeliveryId::CHARS,
            expected: "`dlv_` followed by 32 hexadecimal digits",
        };
        SHAPE.check(text)?;
        let digits = &text[SHAPE.prefix.len()..];
        if text.len() == Self::CHARS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Self(text.into()));
        }
        Err(SHAPE.malformed(text))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_parsed_by_their_shape() {
        let cases = [
            ("org_7eUZfyQq3xxxXXXxJlf".parse::<OrganisationId>().is_ok(), true),
            ("7eUZ".parse::<OrganisationId>().is_ok(), false),
            ("org_".parse::<OrganisationId>().is_ok(), false),
            ("org_a.b".parse::<OrganisationId>().is_ok(), false),
            ("evt-1_A".parse::<EventId>().is_ok(), true),
            ("a.b".parse::<EventId>().is_ok(), false),
            ("".parse::<EventId>().is_ok(), false),
            ("e".repeat(64).parse::<EventId>().is_ok(), true),
            ("e".repeat(65).parse::<EventId>().is_ok(), false),
        ];
        for (index, (actual, expected)) in cases.into_iter().enumerate() {
            assert_eq!(actual, expected, "case {index}");
        }
    }

    #[test]
    fn a_delivery_id_depends_on_each_part_and_on_their_borders() {
        let organisation: OrganisationId = "org_a".parse().expect("valid");
        let webhook = WebhookId::from_uuid(&[7; 16]);
        let derive = |mode, organisation: &str, event: &str| {
            DeliveryId::derive(
                mode,
                &organisation.parse().expect("valid"),
                &event.parse().expect("valid"),
                &webhook,
            )
        };
        let one = DeliveryId::derive(Mode::Live, &organisation, &"e1".parse().expect("valid"), &webhook);
        assert_eq!(one, derive(Mode::Live, "org_a", "e1"));
        assert_ne!(one, derive(Mode::Test, "org_a", "e1"));
        assert_ne!(derive(Mode::Live, "org_ab", "c"), derive(Mode::Live, "org_a", "bc"));
        assert_eq!(one.as_str().len(), "dlv_".len() + 32);
    }

    #[test]
    fn an_error_shows_hostile_text_escaped_and_cut() {
        let error = "a\u{1b}[2J".parse::<EventId>().expect_err("has an escape");
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}
