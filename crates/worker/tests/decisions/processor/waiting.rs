//! What the log hears of deliveries that wait: once, when that begins.

use std::time::Duration;

use bellhop_model::{Failure, Record, WaitCause, WaitingRecord, micros_of};
use bellhop_worker::LaneKind;

use super::bench::{Bench, header};
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;

const UNREACHABLE: Reply = Reply::Failure(Failure::Connect);
const SHORTEST: &str = "bellhop.live.wait.30s";
const SINCE: &str = "bellhop-unavailable-since";

fn waits(bench: &Bench) -> Vec<WaitingRecord<'static>> {
    bench.logged(|record| match record {
        Record::Waiting(waits) => Some(*waits),
        Record::Event(_) | Record::Attempt(_) | Record::End(_) => None,
    })
}

/// Each record's last attempt made and cause.
fn told(bench: &Bench) -> Vec<(Option<u8>, WaitCause)> {
    let told = |waits: WaitingRecord<'_>| (waits.attempt.map(|attempt| attempt.number()), waits.cause);
    waits(bench).into_iter().map(told).collect()
}

fn now_us(bench: &Bench) -> i64 {
    micros_of(bench.with(|state| state.wall()))
}

/// A webhook, alone at its host, whose breaker has opened, and a delivery that has gone to the slow lane for it.
fn unavailable() -> (Bench, usize) {
    let mut bench = Bench::new();
    let webhook = bench.webhook([UNREACHABLE; 5]);
    for _ in 0..6 {
        bench.deliver();
    }
    (bench, webhook)
}

#[test]
fn a_first_delivery_that_is_put_off_is_pending_and_then_deferred_until_it_is_taken() {
    let (mut bench, webhook) = unavailable();
    assert_eq!(told(&bench), [(None, WaitCause::Slow)]);
    bench.process(LaneKind::Slow);
    let next_at_us = now_us(&bench) + 10_000_000;
    let told_of = waits(&bench);
    assert_eq!(told_of[1].cause, WaitCause::Unavailable { next_at_us });
    assert_eq!((told_of[1].attempt, told_of[1].since_us), (None, now_us(&bench)));
    assert_eq!(told_of[1].of.webhook.as_str(), bench.webhook_id(webhook));
    bench.run_dry();
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

/// Hundreds of hops of each delivery, and the log hears of as many outages as they meet attempts.
#[test]
fn a_day_of_unavailability_is_told_once_between_two_attempts() {
    let mut bench = Bench::new();
    bench.webhook([UNREACHABLE; 100]);
    for _ in 0..20 {
        bench.publish(bench.event());
    }
    bench.run_dry();
    let deferrals = bench.with(|state| state.unavailable);
    let deferred =
        told(&bench).into_iter().filter(|(_, cause)| matches!(cause, WaitCause::Unavailable { .. }));
    let deferred = deferred.count();
    assert_eq!(bench.calls().len(), 60);
    assert!((20..=60).contains(&deferred) && 10 * deferred < deferrals, "{deferred} of {deferrals}");
}

#[test]
fn what_is_put_off_again_is_not_told_again_and_keeps_since_when() {
    let (mut bench, webhook) = unavailable();
    bench.with(|state| state.endpoints.script(webhook, [UNREACHABLE; 100]));
    bench.process(LaneKind::Slow);
    let since = (now_us(&bench) / 1_000).to_string();
    let first = bench.with(|state| state.broker.queue(SHORTEST).back().cloned()).expect("it waits");
    assert_eq!(header(&first, SINCE), Some(since.as_str()));
    bench.run_for(Duration::from_secs(45));
    let later = told(&bench).into_iter().filter(|(attempt, _)| attempt.is_none()).count();
    assert_eq!(later, 2, "pending and deferred, once each");
}

#[test]
fn a_later_attempt_that_is_put_off_is_deferred_with_the_attempt_that_was_made() {
    let (mut bench, webhook) = unavailable();
    bench.with(|state| state.endpoints.set_answer_time(webhook, Duration::from_secs(3)));
    bench.pass(Duration::from_secs(30));
    bench.take_all(LaneKind::Due);
    // One of five is the probe; the others wait for what it finds.
    let deferred = told(&bench).into_iter().filter(|(attempt, _)| *attempt == Some(1));
    assert_eq!(deferred.count(), 4);
    let waiting = bench.with(|state| state.broker.queue(SHORTEST).clone());
    assert!(waiting.iter().all(|stored| header(stored, SINCE).is_some()));
}

#[test]
fn what_is_attempted_no_longer_says_since_when() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(500)]);
    let id = bench.webhook_id(webhook);
    let owed = [
        ("bellhop-webhook", id.as_str()),
        ("bellhop-series", "1"),
        ("bellhop-attempt", "1"),
        ("bellhop-accepted-at", "1700000000000"),
        (SINCE, "1700000000000"),
    ];
    bench.owe(&owed);
    bench.process(LaneKind::Due);
    assert_eq!(header(&bench.only(SHORTEST), SINCE), None);
    assert!(waits(&bench).is_empty());
}

#[test]
fn only_a_first_delivery_that_is_busy_is_told_and_once() {
    let mut bench = Bench::with_places(1, 100);
    let webhook = bench.webhook([]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, Duration::from_secs(1)));
    for _ in 0..5 {
        bench.publish(bench.event());
    }
    bench.take_all(LaneKind::Fresh);
    bench.run_dry();
    assert_eq!(bench.calls().len(), 5);
    assert_eq!(told(&bench), [(None, WaitCause::Busy); 2], "two found neither place nor room");
}

/// The moment that is told is that of the rung it waits on, not of the one that refused.
#[test]
fn a_rung_that_was_stepped_over_is_not_told_as_the_next_moment() {
    let (mut bench, _) = unavailable();
    bench.with(|state| state.outages.refusing.push((SHORTEST.to_owned(), ALWAYS)));
    let before = now_us(&bench);
    bench.process(LaneKind::Slow);
    assert_eq!(told(&bench)[1].1, WaitCause::Unavailable { next_at_us: before + 120_000_000 });
}
