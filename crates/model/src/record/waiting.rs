//! A delivery that waits without an attempt: told once when it begins to, so that it can be found meanwhile.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Addressed;
use crate::{Attempt, Series};

/// A delivery was put off, or left its lane, before the attempt that it owes. A worker tells of the first time only, not
/// of each time that it asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRecord<'a> {
    /// Which delivery.
    pub of: Cow<'a, Addressed>,
    /// Which series it waits in.
    pub series: Series,
    /// The last attempt that was made in it, if any was.
    pub attempt: Option<Attempt>,
    /// Since when, in microseconds since the epoch.
    pub since_us: i64,
    /// What for.
    pub cause: WaitCause,
}

/// Why a delivery waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitCause {
    /// Its webhook has as much as it takes.
    Busy,
    /// Its webhook is slow: it waits for a place in the lane for those.
    Slow,
    /// Its webhook hangs, or its host cannot be reached.
    Unavailable {
        /// Not asked again before, in microseconds since the epoch.
        next_at_us: i64,
    },
}
