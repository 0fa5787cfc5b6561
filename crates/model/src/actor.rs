//! Who asked for something that is on record.

use std::fmt;
use std::str::FromStr;

use crate::limits::ACTOR_CHARS_MAX;

/// Somebody or something that asks: a person's name, a user's id, an API key's id. Shown as it is, never decided by.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Actor(Box<str>);

/// A text that names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("whoever asks is named by 1 to {ACTOR_CHARS_MAX} characters, none of them a control character")]
pub struct ActorError;

impl Actor {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        let text = text.trim();
        let is_name = !text.is_empty()
            && text.chars().count() <= ACTOR_CHARS_MAX
            && !text.chars().any(char::is_control);
        if is_name { Ok(Self(text.into())) } else { Err(ActorError) }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_can_be_shown() {
        assert_eq!("  Zoë Müller ".parse::<Actor>().expect("a name").as_str(), "Zoë Müller");
        for text in ["", "   ", "a\u{1b}[2J", "a\nb", &"a".repeat(ACTOR_CHARS_MAX + 1)] {
            assert_eq!(text.parse::<Actor>(), Err(ActorError), "{text:?}");
        }
    }
}
