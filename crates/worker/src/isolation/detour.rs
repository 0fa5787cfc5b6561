//! Which deliveries leave the fresh lane for the slow one, before anything is sent.
//!
//! The fresh lane is for those who answer quickly. Whoever does not has a lane apart, with places of its own, so that
//! nobody's first attempts wait behind theirs. What has left does not return: its later attempts come by the due lane, and
//! a webhook is back in the fresh lane with its next event once what is measured says that it is quick again.

use std::time::Duration;

use time::OffsetDateTime;

use super::Asking;
use super::side::{Conduct, Side, Standing};
use crate::options::LaneKind;

/// A webhook is slow whose attempts take longer than this: on average, or those that are under way.
///
/// The average weighs what a webhook holds of a lane: one request in fifteen that hangs for 15 s makes as slow as each
/// taking a second.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(1);

/// The same for those under way, while the lane is filling: webhooks that were quick a moment ago and now hang, all of
/// them at once, would fill it within the second.
pub(crate) const SLOW_SOON_AFTER: Duration = Duration::from_millis(500);

/// For how long a quick success keeps a webhook in the fresh lane although that is crowded.
pub(crate) const QUICK_FOR: Duration = Duration::from_secs(60);

/// How many requests may be under way at a webhook that nothing speaks for before its next event leaves the fresh lane.
/// It may hang, and then each would hold a place of the lane until its deadline. Two, since an appointment that is created
/// with a window causes two events at once; whoever takes one of them quickly has no such bound any more.
pub(crate) const UNPROVEN_AT_ONCE: u64 = 2;

/// Why a delivery goes by the slow lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detour {
    /// Its webhook is slow.
    Slow,
    /// A breaker is open, its webhook's or its host's: who probes it may hang.
    Open,
    /// Attempts that are old, or at webhooks that nothing speaks for, hold too much of the fresh lane, and nothing speaks
    /// for its webhook.
    Crowded,
    /// Nothing speaks for its webhook, and requests are under way there already.
    Unproven,
}

impl Detour {
    pub(crate) const ALL: [Self; 4] = [Self::Slow, Self::Open, Self::Crowded, Self::Unproven];

    /// The word used in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Open => "open",
            Self::Crowded => "crowded",
            Self::Unproven => "unproven",
        }
    }
}

impl Side {
    /// Why a delivery is to leave the lane in which it asks, if it is.
    ///
    /// * `conduct`: of `standing`. Hosts are locked meanwhile; never the other way round.
    pub(super) fn detour(
        &self,
        standing: &Standing,
        conduct: &Conduct,
        asking: &Asking<'_>,
        now: OffsetDateTime,
    ) -> Option<Detour> {
        if asking.lane != LaneKind::Fresh {
            return None;
        }
        if conduct.switch.is_open() || self.is_host_open(asking.origin, now) {
            return Some(Detour::Open);
        }
        let is_slow = conduct.pace.mean().is_some_and(|mean| SLOW_AFTER < mean);
        let patience = if self.crowd.is_filling() { SLOW_SOON_AFTER } else { SLOW_AFTER };
        if is_slow || patience < standing.silence.length(now) {
            return Some(Detour::Slow);
        }
        if conduct.is_proven(now) {
            return None;
        }
        if self.crowd.is_crowded(now) {
            return Some(Detour::Crowded);
        }
        (UNPROVEN_AT_ONCE <= standing.silence.under_way()).then_some(Detour::Unproven)
    }
}

impl Conduct {
    /// Whether a quick success, not long ago, speaks for the webhook.
    pub(super) fn is_proven(&self, now: OffsetDateTime) -> bool {
        self.quick_at.is_some_and(|at| (now - at).unsigned_abs() <= QUICK_FOR)
    }
}
