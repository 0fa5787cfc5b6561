//! When a webhook counts as failing: nothing that was owed to it has been taken for so long that nobody seems to mind.
//!
//! ```text
//!  changed, or delivered       first exhausted                     newest exhausted        now
//!  ───────┼───────────────────────────┼────────────────────────────────────┼────────────────┼──▶
//!         │  earlier ones say nothing │ at least so long, at least so many │  may be silent
//! ```
//!
//! The span has evidence at both ends: a webhook with one exhausted delivery a week ago, and silence since, is not known
//! to fail. Cancelled deliveries say nothing about the endpoint; those still waiting for an attempt say nothing yet.
//!
//! *Unknown never disables.* The log may lag behind what happens, and then the success that would clear a webhook still
//! waits in a queue. So nothing is decided unless the log is known to reach to the present, and nothing at the first
//! look: what a recorder had in hand then is written by the second.

use std::time::Duration;

use time::OffsetDateTime;

use crate::limits::{FAILING_DELIVERIES_MIN, FAILING_LOG_LAG_MAX, FAILING_SUSPICION_AGE};

/// What is on record of one webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureEvidence {
    /// When it was registered, enabled, or otherwise changed: somebody was there.
    pub changed_at: OffsetDateTime,
    /// A moment by which everything that was delivered to it had been; absent when nothing ever was.
    pub delivered_until: Option<OffsetDateTime>,
    /// What was exhausted since both; absent when nothing was.
    pub exhausted: Option<ExhaustedDeliveries>,
    /// When it was last found to look as if it failed.
    pub suspected_at: Option<OffsetDateTime>,
}

/// Deliveries that were exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExhaustedDeliveries {
    /// When the first was.
    pub first_at: OffsetDateTime,
    /// When the newest was.
    pub newest_at: OffsetDateTime,
    /// How many; need not be counted beyond [`FAILING_DELIVERIES_MIN`].
    pub count: u32,
}

/// How far the delivery log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogReach {
    /// The moment of the look, by the clock that the evidence is kept by.
    pub now: OffsetDateTime,
    /// When the newest request on record was made, whoever's; absent when there is none.
    pub recorded_until: Option<OffsetDateTime>,
}

/// What is to be done about a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureDecision {
    /// Nothing.
    Leave,
    /// Note that it looks as if it failed, and look again.
    Suspect,
    /// Disable it.
    Disable,
}

impl FailureEvidence {
    /// The moment before which nothing counts.
    #[must_use]
    pub fn counts_from(&self) -> OffsetDateTime {
        self.delivered_until.map_or(self.changed_at, |until| until.max(self.changed_at))
    }

    /// Whether everything that ended for at least `after` was exhausted, and enough of it to tell.
    fn is_damning(&self, after: Duration, now: OffsetDateTime) -> bool {
        let Some(ExhaustedDeliveries { first_at, newest_at, count }) = self.exhausted else { return false };
        // A worker's clock may be ahead of ours; what it says of the future is not the past.
        let lasted = newest_at.min(now) - first_at;
        self.counts_from() < first_at && after <= lasted && FAILING_DELIVERIES_MIN <= count
    }
}

impl LogReach {
    /// Whether what happened until lately is on record.
    fn is_current(&self) -> bool {
        self.recorded_until.is_some_and(|until| self.now - until <= FAILING_LOG_LAG_MAX)
    }
}

/// Decides about one webhook.
///
/// * `after`: how long it may fail.
/// * returns [`FailureDecision::Disable`] only at a look that confirms an earlier one, the log reaching to the present
///   at both.
#[must_use]
pub fn judge_failures(evidence: &FailureEvidence, reach: &LogReach, after: Duration) -> FailureDecision {
    if !reach.is_current() || !evidence.is_damning(after, reach.now) {
        return FailureDecision::Leave;
    }
    let suspected_at = evidence.suspected_at.filter(|at| evidence.counts_from() < *at);
    let suspected_for = suspected_at.map(|at| reach.now - at);
    let (least, most) = FAILING_SUSPICION_AGE;
    match suspected_for {
        Some(age) if age < least => FailureDecision::Leave,
        Some(age) if age <= most => FailureDecision::Disable,
        // An old one may have been noted before the log fell behind.
        Some(_) | None => FailureDecision::Suspect,
    }
}

#[cfg(test)]
mod tests;
