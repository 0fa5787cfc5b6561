//! What a user or a key may do: two roles open something, any other word of the platform opens nothing.

use std::fmt;
use std::str::FromStr;

/// Greatest length of a role's word, in characters.
const ROLE_CHARS_MAX: usize = 32;

/// The role of a user or a key in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Webhooks, keys and the audit.
    Administrator,
    /// Webhooks.
    Developer,
    /// A role of the platform that opens nothing here.
    Other(Box<str>),
}

/// A text that is no role's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a role is `administrator`, `developer`, or another word of at most {ROLE_CHARS_MAX} letters `a-z` or `_`"
)]
pub struct RoleError;

impl Role {
    /// The word used in tables, the API and the audit.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        match text {
            "administrator" => Ok(Self::Administrator),
            "developer" => Ok(Self::Developer),
            _ if text.is_empty() || ROLE_CHARS_MAX < text.len() || !text.bytes().all(is_letter) => {
                Err(RoleError)
            }
            _ => Ok(Self::Other(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_roles_and_anything_else_is_none() {
        assert_eq!("administrator".parse(), Ok(Role::Administrator));
        assert_eq!("developer".parse(), Ok(Role::Developer));
        assert_eq!("care_planner".parse(), Ok(Role::Other("care_planner".into())));
        for text in ["", "Administrator", "a b", "a-b", &"a".repeat(33)] {
            assert_eq!(text.parse::<Role>(), Err(RoleError), "{text}");
        }
    }
}
