//! From outcome to verdict: what happens next, decided in one total function.

use crate::{Attempt, Ladder, Outcome, Rung};

/// What we do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint took it; nothing is owed any more.
    Delivered,
    /// Wait on `rung`, then make attempt `next`.
    Retry {
        /// The attempt to make then.
        next: Attempt,
        /// Where to wait.
        rung: Rung,
    },
    /// Three attempts failed.
    Exhausted,
    /// The endpoint is gone for good: disable the webhook and end the delivery as cancelled.
    Gone,
}

/// Why a delivery ended without being delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Three attempts failed.
    AttemptsFailed,
    /// The webhook was disabled or removed before the delivery was due.
    WebhookInactive,
    /// The endpoint answered `410 Gone`, and the webhook was disabled.
    EndpointGone,
}

impl EndReason {
    /// The word used in records, tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsFailed => "attempts_failed",
            Self::WebhookInactive => "webhook_inactive",
            Self::EndpointGone => "endpoint_gone",
        }
    }
}

/// Decides what happens after an attempt.
///
/// * `attempt`: which one it was.
/// * `outcome`: what came of it.
/// * `ladder`: the waits between attempts, and the rungs a longer wait is rounded up to.
/// * returns [`Verdict::Retry`] at most for attempts 1 and 2, so there is never a fourth.
#[must_use]
pub fn decide(attempt: Attempt, outcome: &Outcome, ladder: &Ladder) -> Verdict {
    if outcome.is_success() {
        return Verdict::Delivered;
    }
    if outcome.status() == Some(410) {
        return Verdict::Gone;
    }
    let Some(next) = attempt.next() else { return Verdict::Exhausted };
    let scheduled = ladder.before(next);
    let asked = match outcome {
        Outcome::Answered(answer) => answer.retry_after.map(|wait| ladder.at_least(wait)),
        Outcome::Failed(_) => None,
    };
    Verdict::Retry { next, rung: asked.map_or(scheduled, |asked| asked.max(scheduled)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{Answer, Failure};

    fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
        Outcome::Answered(Answer { status, retry_after: retry_after.map(Duration::from_secs) })
    }

    fn attempt(number: i64) -> Attempt {
        Attempt::try_from(number).expect("1 to 3")
    }

    /// The verdict in short: what is decided, and for a retry the attempt and the rung.
    fn told(number: i64, outcome: &Outcome) -> String {
        match decide(attempt(number), outcome, &Ladder::default()) {
            Verdict::Retry { next, rung } => format!("{next} after {rung}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_outcome_has_its_verdict() {
        let cases = [
            (1, answered(200, None), "Delivered"),
            (3, answered(204, None), "Delivered"),
            (1, answered(302, None), "2 after 30s"),
            (1, answered(400, None), "2 after 30s"),
            (2, answered(500, None), "3 after 10m"),
            (3, answered(500, None), "Exhausted"),
            (1, answered(410, None), "Gone"),
            (3, answered(410, None), "Gone"),
            (1, answered(429, Some(1)), "2 after 30s"),
            (1, answered(429, Some(31)), "2 after 2m"),
            (1, answered(503, Some(3600)), "2 after 1h"),
            (2, answered(503, Some(31)), "3 after 10m"),
            (3, answered(503, Some(31)), "Exhausted"),
            (1, answered(999, None), "2 after 30s"),
            (1, Outcome::Failed(Failure::TimedOut), "2 after 30s"),
            (2, Outcome::Failed(Failure::ForbiddenAddress), "3 after 10m"),
            (3, Outcome::Failed(Failure::Dns), "Exhausted"),
        ];
        for (number, outcome, expected) in cases {
            assert_eq!(told(number, &outcome), expected, "attempt {number}, {outcome:?}");
        }
    }

    proptest! {
        #[test]
        fn no_verdict_leads_past_the_third_attempt(number in 1i64..=3, status in 100u16..1000, wait: Option<u64>) {
            match decide(attempt(number), &answered(status, wait), &Ladder::default()) {
                Verdict::Retry { next, rung } => {
                    prop_assert_eq!(i64::from(next.number()), number + 1);
                    prop_assert!(Ladder::default().rungs().contains(&rung));
                    prop_assert!(Ladder::default().before(next) <= rung);
                }
                Verdict::Exhausted => prop_assert_eq!(number, 3),
                Verdict::Delivered => prop_assert!((200..300).contains(&status)),
                Verdict::Gone => prop_assert_eq!(status, 410),
            }
        }
    }
}
