//! Event types: `noun.verb`, an open set.

use std::fmt;
use std::str::FromStr;

use crate::limits::EVENT_TYPE_CHARS_MAX;

/// The types that the platform fires today. More will come; an unknown well-formed type is data, not an error.
pub const KNOWN_EVENT_TYPES: [&str; 5] = [
    "appointment.created",
    "appointment.scheduled",
    "appointment.updated",
    "appointment.completed",
    "appointment.cancelled",
];

/// What happened, as `noun.verb` of `[a-zA-Z0-9_]` words separated by dots.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Box<str>);

/// A text that is no event type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an event type: expected words of letters, digits or `_` joined by dots, such as `appointment.scheduled`, at most {EVENT_TYPE_CHARS_MAX} characters"
)]
pub struct EventTypeError {
    text: String,
}

impl EventType {
    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the platform is known to fire it today.
    #[must_use]
    pub fn is_known(&self) -> bool {
        KNOWN_EVENT_TYPES.contains(&self.as_str())
    }
}

impl FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(text: &str) -> Result<Self, EventTypeError> {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_well_formed =
            text.len() <= EVENT_TYPE_CHARS_MAX && text.contains('.') && text.split('.').all(is_word);
        if is_well_formed {
            return Ok(Self(text.into()));
        }
        Err(EventTypeError { text: text.chars().take(40).flat_map(char::escape_debug).collect() })
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_types_pass_whether_known_or_not() {
        for text in KNOWN_EVENT_TYPES {
            assert!(text.parse::<EventType>().expect("known").is_known());
        }
        let unknown: EventType = "visit_note.signed_2.again".parse().expect("well formed");
        assert!(!unknown.is_known());
    }

    #[test]
    fn malformed_types_are_refused() {
        let long = format!("a.{}", "b".repeat(EVENT_TYPE_CHARS_MAX));
        for text in ["", "appointment", ".", "a.", ".b", "a..b", "a.b c", "a.b#", "a.*", "a.ü", &long] {
            assert!(text.parse::<EventType>().is_err(), "{text}");
        }
    }
}
