//! The rule, edge by edge.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-03-31 12:00 UTC);
const AFTER: Duration = Duration::from_secs(5 * 24 * 60 * 60);
const DAY: i64 = 24 * 60;

/// So many minutes ago.
fn ago(minutes: i64) -> OffsetDateTime {
    NOW - time::Duration::minutes(minutes)
}

/// A webhook that was changed a month ago, has failed since six days, and was suspected ten minutes ago.
fn failing() -> FailureEvidence {
    FailureEvidence {
        changed_at: ago(30 * DAY),
        delivered_until: Some(ago(7 * DAY)),
        exhausted: Some(exhausted(6 * DAY, 20)),
        suspected_at: Some(ago(10)),
    }
}

/// Enough deliveries, between so many minutes ago.
fn exhausted(first: i64, newest: i64) -> ExhaustedDeliveries {
    ExhaustedDeliveries { first_at: ago(first), newest_at: ago(newest), count: FAILING_DELIVERIES_MIN }
}

fn current() -> LogReach {
    LogReach { now: NOW, recorded_until: Some(ago(1)) }
}

fn judge(evidence: FailureEvidence) -> FailureDecision {
    judge_failures(&evidence, &current(), AFTER)
}

#[test]
fn the_span_has_an_exhausted_delivery_at_both_ends() {
    use FailureDecision::{Disable, Leave};
    let cases = [
        ("longer than it may", Some(exhausted(6 * DAY, 20)), Disable),
        ("exactly as long as it may", Some(exhausted(5 * DAY + 20, 20)), Disable),
        ("a minute less", Some(exhausted(5 * DAY + 19, 20)), Leave),
        ("long enough, and nothing was owed since", Some(exhausted(9 * DAY, 2 * DAY)), Disable),
        ("one six days ago, and nothing was owed since", Some(exhausted(6 * DAY, 6 * DAY)), Leave),
        ("six days ago and the day after", Some(exhausted(6 * DAY, 5 * DAY)), Leave),
        ("only of late", Some(exhausted(60, 20)), Leave),
        ("a clock that is days ahead", Some(exhausted(4 * DAY, -3 * DAY)), Leave),
        ("none", None, Leave),
    ];
    for (what, exhausted, expected) in cases {
        let evidence = FailureEvidence { delivered_until: None, exhausted, ..failing() };
        assert_eq!(judge(evidence), expected, "{what}");
    }
}

#[test]
fn a_few_exhausted_deliveries_are_too_few() {
    for (count, expected) in [
        (0, FailureDecision::Leave),
        (FAILING_DELIVERIES_MIN - 1, FailureDecision::Leave),
        (FAILING_DELIVERIES_MIN, FailureDecision::Disable),
    ] {
        let exhausted = Some(ExhaustedDeliveries { count, ..exhausted(6 * DAY, 20) });
        assert_eq!(judge(FailureEvidence { exhausted, ..failing() }), expected, "{count}");
    }
}

#[test]
fn whatever_was_delivered_or_changed_starts_the_clock_anew() {
    use FailureDecision::{Disable, Leave};
    for (minutes, expected) in
        [(7 * DAY, Disable), (6 * DAY + 1, Disable), (6 * DAY, Leave), (3 * DAY, Leave), (1, Leave)]
    {
        let (cleared, then) = (ago(minutes), failing());
        let delivered = FailureEvidence { delivered_until: Some(cleared), ..then };
        let changed = FailureEvidence { changed_at: cleared, ..then };
        let never_delivered = FailureEvidence { delivered_until: None, ..changed };
        for evidence in [delivered, changed, never_delivered] {
            assert_eq!(judge(evidence), expected, "{minutes} minutes ago");
        }
    }
}

#[test]
fn nothing_is_decided_while_the_log_may_lag_behind() {
    for (recorded_until, expected) in [
        (Some(ago(0)), FailureDecision::Disable),
        (Some(ago(15)), FailureDecision::Disable),
        (Some(ago(16)), FailureDecision::Leave),
        (Some(ago(7 * DAY)), FailureDecision::Leave),
        (None, FailureDecision::Leave),
    ] {
        for suspected_at in [None, Some(ago(10))] {
            let reach = LogReach { now: NOW, recorded_until };
            let decision = judge_failures(&FailureEvidence { suspected_at, ..failing() }, &reach, AFTER);
            let is_first = suspected_at.is_none() && expected == FailureDecision::Disable;
            let expected = if is_first { FailureDecision::Suspect } else { expected };
            assert_eq!(
                decision, expected,
                "recorded until {recorded_until:?}, suspected at {suspected_at:?}"
            );
        }
    }
}

#[test]
fn a_second_look_confirms_the_first() {
    use FailureDecision::{Disable, Leave, Suspect};
    let cases = [
        (None, Suspect),
        (Some(ago(0)), Leave),
        (Some(ago(4)), Leave),
        (Some(ago(5)), Disable),
        (Some(ago(60)), Disable),
        (Some(ago(61)), Suspect),
        (Some(ago(7 * DAY)), Suspect),
        // Noted before what was delivered since.
        (Some(ago(8 * DAY)), Suspect),
        // By a clock that was set back meanwhile.
        (Some(ago(-9)), Leave),
    ];
    for (suspected_at, expected) in cases {
        assert_eq!(judge(FailureEvidence { suspected_at, ..failing() }), expected, "{suspected_at:?}");
    }
    // However old the suspicion may be, it is none of what happened after something was delivered.
    let short = Duration::from_secs(60);
    let evidence = FailureEvidence {
        delivered_until: Some(ago(8)),
        exhausted: Some(exhausted(7, 2)),
        suspected_at: Some(ago(9)),
        ..failing()
    };
    assert_eq!(judge_failures(&evidence, &current(), short), Suspect);
}

proptest! {
    #[test]
    fn whoever_took_something_within_the_time_is_left_alone(
        delivered in 0..5 * DAY, changed in 0..30 * DAY, first in 0..30 * DAY, newest in 0..30 * DAY,
        suspected in 0..30 * DAY, recorded in 0..30 * DAY, count: u32,
    ) {
        let evidence = FailureEvidence {
            changed_at: ago(changed),
            delivered_until: Some(ago(delivered)),
            exhausted: Some(ExhaustedDeliveries { first_at: ago(first), newest_at: ago(newest), count }),
            suspected_at: Some(ago(suspected)),
        };
        let reach = LogReach { now: NOW, recorded_until: Some(ago(recorded)) };
        prop_assert_eq!(judge_failures(&evidence, &reach, AFTER), FailureDecision::Leave);
    }
}
