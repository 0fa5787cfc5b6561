//! Where a delivery stands, told from the records of its requests and ends, in whatever order they arrive.
//!
//! ```text
//!  ┌─ owed ───────────────────────────────────────┐
//!  │             request failed                   │  request taken
//!  │  pending ──────────────────▶ retrying        ├──────────────────▶ delivered
//!  │     │                         │    ▲         │  third failed
//!  │     │ unavailable             │    │ request ├──────────────────▶ exhausted ─┐ another series
//!  │     └───────────▶ deferred ◀──┘    │ failed  │  webhook went away            ├───────────────▶ pending
//!  │                       └────────────┘         ├──────────────────▶ cancelled ─┘ begins
//!  └──────────────────────────────────────────────┘
//! ```
//!
//! What was delivered may be owed again, too. A delivery is *pending* while it waits for its first attempt, and of a series
//! that somebody asked for from the moment the broker has that; what is attempted at once never is. It is *deferred* while
//! its webhook hangs or cannot be reached, whichever attempt it owes.
//!
//! Recorders share the log and workers repeat what they are not sure of, so records come late, repeated and out of
//! order. Each record therefore has a [`Standing::rank`], and the highest wins: a later series before an earlier one;
//! within a series *delivered*, since what an endpoint took it has, before an end, before a retry or a deferral; then the
//! later attempt, then the later moment. Taking the highest does not depend on the order, and a store that keeps the rank's
//! bytes beside the state decides as [`Standing::after`] does by comparing bytes.

use std::fmt;
use std::str::FromStr;

use crate::{
    Attempt, AttemptRecord, Decided, End, EndReason, EndState, RequestId, Series, WaitCause, WaitingRecord,
};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Owed, and no request has come to an end yet.
    Pending,
    /// A request failed; another follows.
    Retrying {
        /// Not before, in microseconds since the epoch.
        next_at_us: i64,
    },
    /// Put off while its webhook is unavailable: it hangs, or its host cannot be reached.
    Deferred {
        /// Not asked again before, in microseconds since the epoch. Only the first time is told: what is asked again
        /// later, and put off again, leaves this behind it.
        next_at_us: i64,
    },
    /// It ended without having been taken.
    Ended(EndReason),
    /// The endpoint took it.
    Delivered,
}

/// A delivery's state as a word, for filters and listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStateName {
    /// See [`DeliveryState::Pending`].
    Pending,
    /// See [`DeliveryState::Retrying`].
    Retrying,
    /// See [`DeliveryState::Deferred`].
    Deferred,
    /// Three attempts failed.
    Exhausted,
    /// The webhook went away first.
    Cancelled,
    /// See [`DeliveryState::Delivered`].
    Delivered,
}

/// A word that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a state: expected `pending`, `retrying`, `deferred`, `exhausted`, `cancelled` or `delivered`"
)]
pub struct DeliveryStateNameError(String);

/// Where a delivery stands by one record, or by all that were met so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which series.
    pub series: Series,
    /// The state.
    pub state: DeliveryState,
    /// The last attempt that was made, if any was.
    pub attempt: Option<Attempt>,
    /// Since when, in microseconds since the epoch.
    pub since_us: i64,
    /// The request that led here; absent when a record of an end did.
    pub request: Option<RequestId>,
    /// The status it was answered with.
    pub status: Option<u16>,
    /// The last outcome's label; empty when there was none.
    pub outcome: String,
}

impl DeliveryState {
    /// The state as a word.
    #[must_use]
    pub const fn name(self) -> DeliveryStateName {
        match self {
            Self::Pending => DeliveryStateName::Pending,
            Self::Retrying { .. } => DeliveryStateName::Retrying,
            Self::Deferred { .. } => DeliveryStateName::Deferred,
            Self::Ended(reason) => match reason.state() {
                EndState::Exhausted => DeliveryStateName::Exhausted,
                EndState::Cancelled => DeliveryStateName::Cancelled,
            },
            Self::Delivered => DeliveryStateName::Delivered,
        }
    }

    /// When something is tried again, at the earliest, in microseconds since the epoch, if that is known.
    #[must_use]
    pub const fn next_at_us(self) -> Option<i64> {
        match self {
            Self::Retrying { next_at_us } | Self::Deferred { next_at_us } => Some(next_at_us),
            Self::Pending | Self::Ended(_) | Self::Delivered => None,
        }
    }

    /// Why it ended, if it did other than delivered.
    #[must_use]
    pub const fn reason(self) -> Option<EndReason> {
        match self {
            Self::Ended(reason) => Some(reason),
            Self::Pending | Self::Retrying { .. } | Self::Deferred { .. } | Self::Delivered => None,
        }
    }

    /// What beats what within a series.
    const fn class(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Retrying { .. } | Self::Deferred { .. } => 1,
            Self::Ended(_) => 2,
            Self::Delivered => 3,
        }
    }
}

impl DeliveryStateName {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Retrying, Self::Deferred, Self::Exhausted, Self::Cancelled, Self::Delivered];

    /// Whether nothing is owed any more.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Pending | Self::Retrying | Self::Deferred => false,
            Self::Exhausted | Self::Cancelled | Self::Delivered => true,
        }
    }

    /// The word used in tables, listings and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Deferred => "deferred",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
            Self::Delivered => "delivered",
        }
    }
}

impl fmt::Display for DeliveryStateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryStateName {
    type Err = DeliveryStateNameError;

    fn from_str(text: &str) -> Result<Self, DeliveryStateNameError> {
        let unknown = || DeliveryStateNameError(text.chars().take(32).flat_map(char::escape_debug).collect());
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(unknown)
    }
}

impl Standing {
    /// Where a delivery stands by the record of one request.
    #[must_use]
    pub fn of_attempt(record: &AttemptRecord<'_>) -> Self {
        let whole_us = i64::try_from(record.timing.whole_us).unwrap_or(i64::MAX);
        Self {
            series: record.series,
            state: match record.verdict {
                Decided::Delivered => DeliveryState::Delivered,
                Decided::Retry { at_us } => DeliveryState::Retrying { next_at_us: at_us },
                Decided::Exhausted => DeliveryState::Ended(EndReason::AttemptsFailed),
                Decided::Gone => DeliveryState::Ended(EndReason::EndpointGone),
            },
            attempt: Some(record.attempt),
            since_us: record.started_at_us.saturating_add(whole_us),
            request: Some(record.request),
            status: record.status,
            outcome: record.outcome.clone().into_owned(),
        }
    }

    /// Where a delivery stands by the record of its end.
    #[must_use]
    pub fn of_end(end: &End) -> Self {
        Self {
            series: end.series,
            state: DeliveryState::Ended(end.reason),
            attempt: end.attempt,
            since_us: end.ended_at_us,
            request: None,
            status: None,
            outcome: end.outcome.clone(),
        }
    }

    /// Where a delivery stands by the record that it waits.
    #[must_use]
    pub fn of_waiting(record: &WaitingRecord<'_>) -> Self {
        Self {
            series: record.series,
            state: match record.cause {
                WaitCause::Busy | WaitCause::Slow => DeliveryState::Pending,
                WaitCause::Unavailable { next_at_us } => DeliveryState::Deferred { next_at_us },
            },
            attempt: record.attempt,
            since_us: record.since_us,
            request: None,
            status: None,
            outcome: String::new(),
        }
    }

    /// Where a delivery stands when another series of it has begun, and none of its requests has come to an end yet.
    #[must_use]
    pub const fn of_series(series: Series, begun_at_us: i64) -> Self {
        Self {
            series,
            state: DeliveryState::Pending,
            attempt: None,
            since_us: begun_at_us,
            request: None,
            status: None,
            outcome: String::new(),
        }
    }

    /// Where it stands after one more record.
    #[must_use]
    pub fn after(self, news: Self) -> Self {
        if self.rank() < news.rank() { news } else { self }
    }

    /// What beats what, as bytes to be compared from the first on. Equal ranks are equal standings.
    #[must_use]
    pub fn rank(&self) -> Vec<u8> {
        let mut rank = Vec::with_capacity(48 + self.outcome.len());
        rank.extend(self.series.0.to_be_bytes());
        rank.push(self.state.class());
        rank.push(self.attempt.map_or(0, Attempt::number));
        rank.extend(ordered(self.since_us));
        // From here on only so that of two records that differ the same one wins everywhere.
        rank.extend(self.request.map_or([0; 17], |request| {
            let mut bytes = [1; 17];
            bytes[1..].copy_from_slice(request.as_uuid().as_bytes());
            bytes
        }));
        match self.state {
            DeliveryState::Pending | DeliveryState::Delivered => {}
            DeliveryState::Retrying { next_at_us } => rank.extend(ordered(next_at_us)),
            DeliveryState::Deferred { next_at_us } => {
                rank.extend(ordered(next_at_us));
                // Of a retry what comes next begins with 0 or 1.
                rank.push(2);
            }
            DeliveryState::Ended(EndReason::AttemptsFailed) => rank.push(2),
            DeliveryState::Ended(EndReason::WebhookInactive) => rank.push(0),
            DeliveryState::Ended(EndReason::EndpointGone) => rank.push(1),
        }
        rank.extend(self.status.map_or([0; 3], |status| {
            let [high, low] = status.to_be_bytes();
            [1, high, low]
        }));
        rank.extend(self.outcome.as_bytes());
        rank
    }
}

/// Bytes that sort as the number does.
fn ordered(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

#[cfg(test)]
mod tests;
