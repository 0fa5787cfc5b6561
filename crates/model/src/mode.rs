//! Test Mode or live: everything exists twice, and the two never meet.

use std::fmt;
use std::str::FromStr;

/// Which of the two worlds something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Real patients, real endpoints.
    Live,
    /// An organisation trying a webhook against its staging system.
    Test,
}

/// A word that is neither `live` nor `test`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode: expected `live` or `test`")]
pub struct ModeError(String);

impl Mode {
    /// Both modes, live first.
    pub const ALL: [Self; 2] = [Self::Live, Self::Test];

    /// The word used in queue names, headers, tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(ModeError(text.chars().take(32).collect())),
        }
    }
}
