//! What a worker takes from, and how much at a time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bellhop_broker::{Shards, names};
use bellhop_model::{Ladder, Mode};

use crate::places::Division;

/// How a worker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The lanes to serve, each with its own budget.
    pub lanes: Vec<LaneOptions>,
    /// Over how many queues the events of each fresh lane are spread.
    pub shards: Shards,
    /// The waits between attempts.
    pub ladder: Ladder,
    /// Most attempts under way at one webhook, from 1.
    pub webhook_in_flight_max: u16,
    /// Most requests under way at all, at least as many as the lanes have messages in hand.
    pub sockets_max: u32,
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

impl LaneOptions {
    /// How its places are divided among its queues.
    #[must_use]
    pub fn division(self, shards: Shards) -> Division {
        let queues = match self.kind {
            LaneKind::Fresh => shards.get(),
            LaneKind::Slow | LaneKind::Due => 1,
        };
        Division::of(self.in_flight_max, queues)
    }
}

/// What a lane carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneKind {
    /// Events as published: attempt 1.
    Fresh,
    /// Single deliveries of such events, still attempt 1, that would hold up the fresh lane.
    Slow,
    /// What has waited: attempts 2 and 3, and what was deferred.
    Due,
}

/// A text that names no lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a lane: expected `live` or `test`, and behind it `.fresh`, `.slow` or `.due`")]
pub struct LaneNameError(String);

impl WorkerOptions {
    /// Most messages in hand, in all lanes together.
    #[must_use]
    pub fn in_hand_max(&self) -> u32 {
        self.lanes.iter().map(|lane| u32::from(lane.in_flight_max)).sum()
    }

    /// The modes whose fresh events this worker takes while it leaves their slow lane to others.
    pub fn modes_relying_on_others(&self) -> impl Iterator<Item = Mode> {
        let serves = |mode, kind| self.lanes.iter().any(|lane| (lane.mode, lane.kind) == (mode, kind));
        let relies = move |mode: &Mode| serves(*mode, LaneKind::Fresh) && !serves(*mode, LaneKind::Slow);
        Mode::ALL.into_iter().filter(relies)
    }
}

impl LaneKind {
    /// The word used in metrics, logs and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Slow => "slow",
            Self::Due => "due",
        }
    }

    /// The queue behind a lane; the first of them when there are several shards.
    #[must_use]
    pub fn queue(self, mode: Mode) -> String {
        match self {
            Self::Fresh => names::events_queue(mode, 0),
            Self::Slow => names::slow_queue(mode),
            Self::Due => names::due_queue(mode),
        }
    }

    /// The queues behind a lane.
    #[must_use]
    pub fn queues(self, mode: Mode, shards: Shards) -> Vec<String> {
        match self {
            Self::Fresh => shards.numbers().map(|shard| names::events_queue(mode, shard)).collect(),
            Self::Slow | Self::Due => vec![self.queue(mode)],
        }
    }
}

/// A lane's name, `<mode>.<kind>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneName(pub Mode, pub LaneKind);

impl LaneName {
    /// Every lane there is.
    pub const ALL: [Self; 6] = [
        Self(Mode::Live, LaneKind::Fresh),
        Self(Mode::Live, LaneKind::Slow),
        Self(Mode::Live, LaneKind::Due),
        Self(Mode::Test, LaneKind::Fresh),
        Self(Mode::Test, LaneKind::Slow),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(names: &[&str]) -> WorkerOptions {
        let lane = |name: &&str| {
            let LaneName(mode, kind) = name.parse().expect("a lane");
            LaneOptions { mode, kind, in_flight_max: 100 }
        };
        WorkerOptions {
            lanes: names.iter().map(lane).collect(),
            shards: Shards::ONE,
            ladder: Ladder::default(),
            webhook_in_flight_max: 20,
            sockets_max: 2048,
            publish_timeout: Duration::from_secs(15),
        }
    }

    #[test]
    fn every_lane_is_known_by_its_name() {
        for name in LaneName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert!("live.parked".parse::<LaneName>().is_err());
    }

    #[test]
    fn whoever_serves_a_fresh_lane_and_not_the_slow_one_relies_on_others() {
        let relying = |names: &[&str]| serving(names).modes_relying_on_others().collect::<Vec<_>>();
        assert_eq!(relying(&["live.fresh", "live.slow", "live.due", "test.due"]), []);
        assert_eq!(relying(&["live.fresh", "live.due", "test.fresh", "test.slow"]), [Mode::Live]);
        assert_eq!(relying(&["live.slow", "test.fresh"]), [Mode::Test]);
    }
}
