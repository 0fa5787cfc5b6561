//! Event types: `noun.verb`, an open set.

use std::fmt;
use std::str::FromStr;

use crate::limits::EVENT_TYPE_CHARS_MAX;

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
    fn well_formed_types_pass_whoever_fires_them() {
        for text in ["appointment.created", "visit_note.signed_2.again"] {
            assert_eq!(text.parse::<EventType>().expect("well formed").as_str(), text);
        }
    }

    #[test]
    fn malformed_types_are_refused() {
        let long = format!("a.{}", "b".repeat(EVENT_TYPE_CHARS_MAX));
        for text in ["", "appointment", ".", "a.", ".b", "a..b", "a.b c", "a.b#", "a.*", "a.ü", &long] {
            assert!(text.parse::<EventType>().is_err(), "{text}");
        }
    }
}
