//! The wait ladder: one broker queue per rung, each with one fixed wait.

use std::fmt;
use std::time::Duration;

use crate::Attempt;
use crate::limits::{LADDER_DEFAULT, RETRY_WAITS_DEFAULT, RUNG_WAIT_MAX, RUNG_WAIT_MIN};

/// One rung: how long a message waits on it. Its name, such as `30s`, is part of the queue's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rung(Duration);

/// The rungs there are, and which of them the waits between attempts use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    rungs: Vec<Rung>,
    waits: [Rung; 2],
}

/// Why a wait cannot be a rung.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// Shorter or longer than a rung may be.
    #[error("a wait of {0:?} is out of range: expected {RUNG_WAIT_MIN:?} to {RUNG_WAIT_MAX:?}")]
    OutOfRange(Duration),
    /// Finer than the broker's clock.
    #[error("a wait of {0:?} is not a whole number of milliseconds")]
    TooFine(Duration),
    /// Not one wait before each attempt after the first.
    #[error("expected 2 waits, one before each attempt after the first, not {0}")]
    Count(usize),
}

impl Rung {
    /// How long a message stays on it.
    #[must_use]
    pub const fn wait(self) -> Duration {
        self.0
    }

    fn new(wait: Duration) -> Result<Self, LadderError> {
        if wait < RUNG_WAIT_MIN || RUNG_WAIT_MAX < wait {
            return Err(LadderError::OutOfRange(wait));
        }
        if !wait.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(LadderError::TooFine(wait));
        }
        Ok(Self(wait))
    }
}

impl fmt::Display for Rung {
    /// The shortest of `1h`, `2m`, `30s` and `500ms` that says it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (amount, unit) = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")]
            .into_iter()
            .find(|(size, _)| millis.is_multiple_of(*size))
            .map_or((millis, "ms"), |(size, unit)| (millis / size, unit));
        write!(f, "{amount}{unit}")
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self::with_waits(&RETRY_WAITS_DEFAULT).expect("the default waits are rungs")
    }
}

impl Ladder {
    /// Builds the ladder for two waits: the default rungs, and the waits where they are none of them.
    ///
    /// * `waits`: before attempt 2 and before attempt 3.
    ///
    /// # Errors
    /// [`LadderError`] when there are not two, or one cannot be a rung.
    pub fn with_waits(waits: &[Duration]) -> Result<Self, LadderError> {
        let &[second, third] = waits else { return Err(LadderError::Count(waits.len())) };
        let waits = [Rung::new(second)?, Rung::new(third)?];
        let mut rungs: Vec<Rung> = LADDER_DEFAULT.into_iter().map(Rung).chain(waits).collect();
        rungs.sort_unstable();
        rungs.dedup();
        Ok(Self { rungs, waits })
    }

    /// The rungs, shortest first.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The rung that is waited on before an attempt; the longest of the two waits for any but the second.
    #[must_use]
    pub fn before(&self, attempt: Attempt) -> Rung {
        if attempt.number() <= 2 { self.waits[0] } else { self.waits[1] }
    }

    /// The shortest rung that waits at least this long; the longest rung when none does.
    #[must_use]
    pub fn at_least(&self, wait: Duration) -> Rung {
        self.rungs.iter().copied().find(|rung| wait <= rung.wait()).unwrap_or(self.longest())
    }

    /// The longest rung.
    #[must_use]
    pub fn longest(&self) -> Rung {
        *self.rungs.last().expect("the default rungs are always there")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn rungs_are_named_by_their_wait() {
        let names: Vec<String> = Ladder::default().rungs().iter().map(Rung::to_string).collect();
        assert_eq!(names, ["10s", "30s", "2m", "10m", "1h"]);
        assert_eq!(Rung::new(Duration::from_millis(1500)).expect("a rung").to_string(), "1500ms");
        assert_eq!(Rung::new(seconds(90)).expect("a rung").to_string(), "90s");
    }

    #[test]
    fn short_waits_are_added_to_the_default_rungs() {
        let ladder = Ladder::with_waits(&[seconds(1), seconds(2)]).expect("valid");
        assert_eq!(ladder.rungs().len(), LADDER_DEFAULT.len() + 2);
        let second = Attempt::FIRST.next().expect("second");
        assert_eq!(ladder.before(second).wait(), seconds(1));
        assert_eq!(ladder.before(second.next().expect("third")).wait(), seconds(2));
    }

    #[test]
    fn waits_that_cannot_be_rungs_are_refused() {
        let with = |waits: &[Duration]| Ladder::with_waits(waits).expect_err("refused");
        assert_eq!(with(&[seconds(1)]), LadderError::Count(1));
        assert_eq!(with(&[]), LadderError::Count(0));
        assert_eq!(with(&[Duration::ZERO, seconds(1)]), LadderError::OutOfRange(Duration::ZERO));
        assert_eq!(with(&[seconds(1), Duration::MAX]), LadderError::OutOfRange(Duration::MAX));
        let fine = Duration::from_micros(100_500);
        assert_eq!(with(&[fine, seconds(1)]), LadderError::TooFine(fine));
    }

    proptest! {
        #[test]
        fn a_wait_is_rounded_up_to_a_rung_or_cut_to_the_longest(wait in 0u64..100_000) {
            let ladder = Ladder::default();
            let rung = ladder.at_least(seconds(wait));
            prop_assert!(seconds(wait) <= rung.wait() || rung == ladder.longest());
            let shorter_would_do = ladder.rungs().iter().any(|r| r < &rung && seconds(wait) <= r.wait());
            prop_assert!(!shorter_would_do);
        }
    }
}
