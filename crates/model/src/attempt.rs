//! Which of the three attempts, in which series.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::ATTEMPTS_MAX;

/// One of the three attempts of a series, 1 to 3. There is no way to make a fourth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u8")]
pub struct Attempt(u8);

/// A number that is no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an attempt: expected 1 to {ATTEMPTS_MAX}")]
pub struct AttemptError(i64);

impl Attempt {
    /// The first attempt of a series.
    pub const FIRST: Self = Self(1);

    /// The number, 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The attempt after this one; `None` after the third.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        if self.0 < ATTEMPTS_MAX { Some(Self(self.0 + 1)) } else { None }
    }
}

impl TryFrom<i64> for Attempt {
    type Error = AttemptError;

    fn try_from(number: i64) -> Result<Self, AttemptError> {
        match u8::try_from(number) {
            Ok(number @ 1..=ATTEMPTS_MAX) => Ok(Self(number)),
            _ => Err(AttemptError(number)),
        }
    }
}

impl From<Attempt> for u8 {
    fn from(attempt: Attempt) -> Self {
        attempt.0
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which series of attempts of a delivery: 1 when the event was published, one more for each redelivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Series(pub u32);

impl Series {
    /// The series that the event itself starts.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_attempts_and_no_fourth() {
        let second = Attempt::FIRST.next().expect("a second");
        let third = second.next().expect("a third");
        assert_eq!((second.number(), third.number(), third.next()), (2, 3, None));
        for number in [i64::MIN, -1, 0, 4, 255, 257, i64::MAX] {
            assert!(Attempt::try_from(number).is_err(), "{number}");
        }
    }
}
