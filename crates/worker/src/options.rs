//! What a worker takes from, and how much at a time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bellhop_broker::names;
use bellhop_model::{Ladder, Mode};

/// How a worker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The lanes to serve, each with its own budget.
    pub lanes: Vec<LaneOptions>,
    /// The waits between attempts.
    pub ladder: Ladder,
    /// Most attempts under way at one webhook, from 1.
    pub webhook_in_flight_max: u16,
    /// Longest wait for one publish to be confirmed before it is tried again.
    pub publish_timeout: Duration,
}

/// One lane of one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneOptions {
    /// Live or test.
    pub mode: Mode,
    /// Which of the mode's lanes.
    pub kind: LaneKind,
    /// Most messages in hand at once, from 1.
    pub in_flight_max: u16,
}

/// What a lane carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneKind {
    /// Events as published: attempt 1.
    Fresh,
    /// What has waited: attempts 2 and 3, and what was deferred.
    Due,
}

/// A text that names no lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a lane: expected `live.fresh`, `live.due`, `test.fresh` or `test.due`")]
pub struct LaneNameError(String);

impl LaneKind {
    /// The word used in metrics, logs and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Due => "due",
        }
    }

    /// The queue behind a lane.
    #[must_use]
    pub fn queue(self, mode: Mode) -> String {
        match self {
            Self::Fresh => names::events_queue(mode, 0),
            Self::Due => names::due_queue(mode),
        }
    }
}

/// A lane's name, `<mode>.<kind>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneName(pub Mode, pub LaneKind);

impl LaneName {
    /// Every lane there is.
    pub const ALL: [Self; 4] = [
        Self(Mode::Live, LaneKind::Fresh),
        Self(Mode::Live, LaneKind::Due),
        Self(Mode::Test, LaneKind::Fresh),
        Self(Mode::Test, LaneKind::Due),
    ];
}

impl fmt::Display for LaneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1.as_str())
    }
}

impl FromStr for LaneName {
    type Err = LaneNameError;

    fn from_str(text: &str) -> Result<Self, LaneNameError> {
        let unknown = || LaneNameError(text.chars().take(32).collect());
        Self::ALL.into_iter().find(|name| name.to_string() == text).ok_or_else(unknown)
    }
}
