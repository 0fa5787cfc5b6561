//! What happened to a delivery, step by step, and what is to come.

use std::collections::BTreeSet;

use bellhop_model::limits::ATTEMPTS_MAX;
use bellhop_model::{Attempt, DeliveryState, Standing};
use bellhop_store::{LoggedAttempt, LoggedDelivery, LoggedSeries, SeriesProgress};
use maud::{Markup, html};
use time::OffsetDateTime;

use crate::console::parts::{answered, badge, moment, took, why_not};
use crate::console::visitor::path_of;
use crate::told::{moment_of, tells_no_time, told_moment};

/// Most requests that are shown: of more, the last.
const REQUESTS_SHOWN_MAX: usize = 50;

/// The form by which a payload is asked for; each request's button says of which.
pub(super) const REVEAL_FORM: &str = "reveal";

/// One thing that happened, or is to come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Somebody asked for a series.
    Series(&'a LoggedSeries),
    /// A request was made. It is a repeat when its attempt had one before.
    Request { made: &'a LoggedAttempt, is_repeat: bool },
    /// An attempt follows, once its time has come.
    Next { attempt: u8, standing: &'a Standing },
}

/// Puts in order what happened: series by series, each with its requests, then what is to come.
pub(super) fn steps<'a>(
    delivery: &'a LoggedDelivery,
    attempts: &'a [LoggedAttempt],
    series: &'a [LoggedSeries],
) -> Vec<Step<'a>> {
    let mut steps = Vec::with_capacity(attempts.len() + series.len() + 1);
    let numbers: BTreeSet<u32> =
        attempts.iter().map(|made| made.series.0).chain(series.iter().map(|begun| begun.series.0)).collect();
    for number in numbers {
        steps.extend(series.iter().filter(|begun| begun.series.0 == number).map(Step::Series));
        let mut seen = BTreeSet::new();
        for made in attempts.iter().filter(|made| made.series.0 == number) {
            let is_repeat = !seen.insert(made.attempt);
            steps.push(Step::Request { made, is_repeat });
        }
    }
    let standing = &delivery.standing;
    if !standing.state.name().is_ended() {
        let next = standing.attempt.map_or(Some(Attempt::FIRST), Attempt::next);
        steps.extend(next.map(|next| Step::Next { attempt: next.number(), standing }));
    }
    steps
}

/// The steps as a list.
pub(super) fn timeline(
    delivery: &LoggedDelivery,
    attempts: &[LoggedAttempt],
    series: &[LoggedSeries],
    now: OffsetDateTime,
) -> Markup {
    let hidden = attempts.len().saturating_sub(REQUESTS_SHOWN_MAX);
    let steps = steps(delivery, &attempts[hidden..], series);
    html! {
        @if hidden != 0 {
            p.quiet { "The first " (hidden) " requests are not shown here; the API lists them." }
        }
        @if steps.is_empty() {
            p.quiet { "No request is on record yet." }
        }
        ol.timeline {
            @for step in &steps {
                @match step {
                    Step::Series(begun) => (shown_series(begun, delivery, now)),
                    Step::Request { made, is_repeat } => (request(made, *is_repeat, delivery, now)),
                    Step::Next { attempt, standing } => (next(*attempt, standing, now)),
                }
            }
        }
    }
}

fn shown_series(begun: &LoggedSeries, delivery: &LoggedDelivery, now: OffsetDateTime) -> Markup {
    html! {
        li.series {
            p {
                strong { "Series " (begun.series) } " " (badge::badge("quiet", "Manual")) " asked for by " (begun.begun_by) " "
                (moment(begun.begun_at, now))
                @if let Some(recovery) = &begun.recovery {
                    ", as part of " a href=(path_of(delivery.mode, &format!("/recoveries/{recovery}"))) { "a recovery" }
                }
            }
            @match begun.progress {
                SeriesProgress::Owed => p.quiet { "Its first attempt follows in a moment." },
                SeriesProgress::Published(_) => {},
                SeriesProgress::Withdrawn(at) => p.quiet {
                    "Given up " (moment(at, now)) ": the payload was no longer on record."
                },
            }
        }
    }
}

fn request(made: &LoggedAttempt, is_repeat: bool, delivery: &LoggedDelivery, now: OffsetDateTime) -> Markup {
    let tone = if made.verdict == "delivered" { "good" } else { "bad" };
    let reveal =
        path_of(delivery.mode, &format!("/deliveries/{}/requests/{}/reveal", delivery.id, made.request));
    let name = format!("attempt {} of series {}", made.attempt, made.series.0);
    html! {
        li class=(tone) data-key=(made.request) {
            div.heading {
                h3 {
                    "Attempt " (made.attempt) " of " (ATTEMPTS_MAX)
                    @if is_repeat {
                        " " span.badge.warning title="A fault hid what became of the request before, so it was sent again." { "Repeat" }
                    }
                }
                button.plain.small type="submit" form=(REVEAL_FORM) formaction=(reveal) {
                    "View payload" span.unseen { " of " (name) }
                }
            }
            p {
                @match made.status {
                    Some(_) => { "Answered " (answered(made.status, &made.outcome)) },
                    None => span.answer.bad { (why_not(&made.outcome)) },
                }
                " · " (moment(made.started_at, now))
                @if !tells_no_time(&made.outcome) { " · took " (took(made.timing.whole_us)) }
            }
            @if !tells_no_time(&made.outcome) { (phases(made)) }
            p.quiet { (verdict(made, now)) }
        }
    }
}

/// How long each phase of a request took, as a bar and in words.
fn phases(made: &LoggedAttempt) -> Markup {
    let whole = made.timing.whole_us.max(1);
    let connected = made.timing.connected_us.unwrap_or(0).min(whole);
    let head = made.timing.head_us.unwrap_or(whole).clamp(connected, whole);
    let share = |from: u64, to: u64| format!("{:.2}", (to - from) as f64 * 100.0 / whole as f64);
    let at = |from: u64| format!("{:.2}", from as f64 * 100.0 / whole as f64);
    html! {
        svg.phases viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.connect x="0" y="0" height="6" width=(share(0, connected)) {}
            rect.wait x=(at(connected)) y="0" height="6" width=(share(connected, head)) {}
            rect.read x=(at(head)) y="0" height="6" width=(share(head, whole)) {}
        }
        p.phases {
            @match made.timing.connected_us {
                Some(_) => span.connect { "Connected in " (took(connected)) },
                None => span { "Kept connection" },
            }
            @if made.timing.head_us.is_some() {
                span.wait { "answer after " (took(head - connected)) }
                span.read { "read in " (took(whole - head)) }
            } @else {
                span.wait { "waited " (took(whole - connected)) }
            }
        }
    }
}

/// What was decided after a request.
fn verdict(made: &LoggedAttempt, now: OffsetDateTime) -> Markup {
    match (made.verdict.as_str(), made.next_at) {
        ("delivered", _) => html! { "Delivered: the endpoint took it." },
        ("retry", Some(next_at)) => {
            let next_at = told_moment(next_at, &made.outcome);
            let verb = if now <= next_at { "is" } else { "was" };
            html! { "Failed. Another attempt " (verb) " due " (moment(next_at, now)) "." }
        }
        ("retry", None) => html! { "Failed. Another attempt follows." },
        ("exhausted", _) => html! { "Failed. It was the third, so the series is exhausted." },
        ("gone", _) => html! {
            "The endpoint said that it is gone. The webhook was disabled, and the delivery cancelled."
        },
        (word, _) => html! { (word) },
    }
}

/// The attempt to come.
fn next(attempt: u8, standing: &Standing, now: OffsetDateTime) -> Markup {
    let told = |micros| told_moment(moment_of(micros), &standing.outcome);
    html! {
        li.next {
            h3 { "Attempt " (attempt) " of " (ATTEMPTS_MAX) }
            p {
                @match standing.state {
                    DeliveryState::Retrying { next_at_us } if now <= told(next_at_us) => {
                        "Next, " (moment(told(next_at_us), now)) "."
                    },
                    DeliveryState::Deferred { next_at_us } => {
                        "Put off since " (moment(told(standing.since_us), now))
                        ": the endpoint hangs or cannot be reached. It uses up no attempt."
                        @if now <= told(next_at_us) { " The endpoint is asked again " (moment(told(next_at_us), now)) "." }
                    },
                    _ => "Next, as soon as its turn comes.",
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
