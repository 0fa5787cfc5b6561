use bellhop_model::{EndReason, Series};
use time::Duration;

use super::*;
use crate::console::samples::{HARMLESS, HOSTILE, NOW, delivery, request};

fn series(number: u32, progress: SeriesProgress) -> LoggedSeries {
    LoggedSeries {
        series: Series(number),
        begun_by: "<b>Zoë</b>".parse().expect("a name"),
        begun_at: NOW - Duration::MINUTE,
        recovery: None,
        progress,
    }
}

/// An attempt, then the same again, then the next; and a series that somebody asked for.
#[test]
fn steps_are_in_order_with_repeats_and_manual_series_marked() {
    let mut waiting = delivery(DeliveryState::Pending);
    waiting.standing.series = Series(2);
    let attempts = [request(1, 1), request(1, 1), request(1, 2), request(1, 3)];
    let begun = [series(2, SeriesProgress::Published(NOW))];
    let steps = steps(&waiting, &attempts, &begun);
    let told: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::Series(begun) => format!("series {}", begun.series.0),
            Step::Request { made, is_repeat } => {
                format!("{}{}", made.attempt.number(), if *is_repeat { " again" } else { "" })
            }
            Step::Next { attempt, .. } => format!("next {attempt}"),
        })
        .collect();
    assert_eq!(told, ["1", "1 again", "2", "3", "series 2", "next 1"]);
    let shown = timeline(&waiting, &attempts, &begun, NOW).into_string();
    assert!(shown.contains("Repeat") && shown.contains("Manual"), "{shown}");
    assert!(shown.contains("&lt;b&gt;Zoë") && !shown.contains("<b>Zoë"), "{shown}");
}

#[test]
fn a_delivery_that_has_ended_has_nothing_to_come() {
    let ended = delivery(DeliveryState::Ended(EndReason::AttemptsFailed));
    assert!(!steps(&ended, &[], &[]).iter().any(|step| matches!(step, Step::Next { .. })));
    assert!(timeline(&ended, &[], &[], NOW).into_string().contains("No request is on record yet"));
    let owed = [series(2, SeriesProgress::Owed)];
    assert!(timeline(&ended, &[], &owed, NOW).into_string().contains("follows in a moment"));
}

#[test]
fn a_request_tells_phases_answer_and_verdict() {
    let mut retrying =
        delivery(DeliveryState::Retrying { next_at_us: bellhop_model::micros_of(NOW + Duration::MINUTE) });
    retrying.standing.attempt = Some(Attempt::FIRST);
    let shown = timeline(&retrying, &[request(1, 1)], &[], NOW).into_string();
    for told in [
        "503",
        "took 412 ms",
        "Connected in 30 ms",
        "answer after 380 ms",
        "read in 2.0 ms",
        "Attempt 2 of 3",
    ] {
        assert!(shown.contains(told), "`{told}` is missing in {shown}");
    }
    assert!(shown.contains("in 1 minute"), "when the next one comes: {shown}");
    assert!(shown.contains("/requests/") && shown.contains("form=\"reveal\""), "{shown}");
}

/// One failed at a name that exists inside, one at a name that does not.
#[test]
fn what_must_not_be_told_apart_is_told_alike() {
    let told = ["dns", "forbidden_address"].map(|outcome| {
        let mut made = request(1, 1);
        made.outcome = outcome.to_owned();
        made.status = None;
        made.timing.whole_us = if outcome == "dns" { 90_000 } else { 200 };
        made.next_at = made
            .next_at
            .map(|at| at + Duration::microseconds(i64::try_from(made.timing.whole_us).expect("few")));
        timeline(&delivery(DeliveryState::Pending), &[made], &[], NOW).into_string()
    });
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains("Host cannot be reached") && !told[0].contains("took"), "{}", told[0]);
}

#[test]
fn words_of_tomorrow_are_text() {
    let made = LoggedAttempt {
        verdict: HOSTILE.to_owned(),
        outcome: HOSTILE.to_owned(),
        status: None,
        ..request(1, 1)
    };
    let shown = timeline(&delivery(DeliveryState::Pending), &[made], &[], NOW).into_string();
    assert!(shown.contains(HARMLESS) && !shown.contains("<script>"), "{shown}");
}

#[test]
fn of_very_many_requests_the_last_are_shown() {
    let attempts: Vec<LoggedAttempt> = (1..=60).map(|number| request(number, 1)).collect();
    let shown = timeline(&delivery(DeliveryState::Pending), &attempts, &[], NOW).into_string();
    assert!(shown.contains("The first 10 requests"), "{shown}");
    assert_eq!(shown.matches("View payload").count(), REQUESTS_SHOWN_MAX);
}
