//! More for a webhook than it takes at once: a place, a wait in the worker, a turn on a rung.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bellhop_model::{EndReason, Failure, Mode, Record};
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, TYPE, header};
use crate::world::endpoints::Reply;
use crate::world::{State, event, scope};

const SECOND: Duration = Duration::from_secs(1);
const FIRST_RUNG: &str = "bellhop.live.wait.10s";

/// A worker with one place at each webhook and room for plenty, and a webhook whose answers take a second.
fn slow() -> (Bench, usize) {
    let bench = Bench::with_places(1, 100);
    let webhook = slow_webhook(&bench);
    (bench, webhook)
}

fn slow_webhook(bench: &Bench) -> usize {
    let webhook = bench.webhook([]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, SECOND));
    webhook
}

fn publish(bench: &Bench, events: usize) {
    for _ in 0..events {
        bench.publish(bench.event());
    }
}

fn waiting(bench: &Bench) -> f64 {
    bench.shown("bellhop_deliveries_waiting", &["live", "fresh"]).get_gauge().get_value()
}

/// Has every webhook answer once, so that it is welcome in however small a fresh lane; returns how many requests that
/// took, and what time it is then.
fn prove(bench: &mut Bench) -> (usize, Duration) {
    publish(bench, 1);
    bench.take_all(LaneKind::Fresh);
    bench.run_dry();
    (bench.calls().len(), bench.with(|state| state.now))
}

#[test]
fn over_the_cap_two_deliveries_for_each_place_wait_in_the_worker() {
    let (mut bench, webhook) = slow();
    publish(&bench, 3);
    let hands = bench.take_all(LaneKind::Fresh);
    assert_eq!((bench.calls(), waiting(&bench)), (vec![(webhook, 1)], 2.0));
    bench.finish_all(&hands);
    assert_eq!(bench.calls(), [(webhook, 1); 3]);
    assert_eq!((bench.with(|state| state.now), waiting(&bench)), (3 * SECOND, 0.0));
}

#[test]
fn beyond_that_a_delivery_is_put_off_until_its_turn() {
    let (mut bench, webhook) = slow();
    publish(&bench, 4);
    bench.take_all(LaneKind::Fresh);
    let deferred = bench.only(FIRST_RUNG);
    assert_eq!(header(&deferred, "bellhop-attempt"), Some("1"));
    assert_eq!(header(&deferred, "bellhop-webhook"), Some(bench.webhook_id(webhook).as_str()));
    // Nothing is known of the endpoint's speed yet. Before it come the one that has the place and the two that wait.
    assert_eq!(header(&deferred, "bellhop-turn-at"), Some("1700000000200"));
    assert_eq!(deferred.message.time_to_live, Some(SECOND / 5));
    assert_eq!(bench.counted_as("bellhop_deferrals_total", "busy").to_bits(), 1f64.to_bits());
    bench.run_dry();
    assert_eq!(bench.calls(), [(webhook, 1); 4]);
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

/// Each message in hand is good for two requests, not for as many as there are webhooks.
#[test]
fn an_event_for_many_webhooks_opens_no_more_sockets_than_its_lane_has() {
    let mut bench = Bench::with_places(1, 1);
    let webhooks = [(); 5].map(|()| slow_webhook(&bench));
    let (calls, began_at) = prove(&mut bench);
    publish(&bench, 1);
    let hands = bench.take_all(LaneKind::Fresh);
    assert_eq!(bench.calls()[calls..].len(), 2);
    bench.finish_all(&hands);
    assert_eq!(bench.calls()[calls..].len(), webhooks.len());
    assert_eq!(bench.with(|state| state.now), began_at + 3 * SECOND);
}

/// The fleet found it: an event all of whose deliveries were put off never came to be in the log.
#[test]
fn the_log_knows_an_event_once_whose_delivery_was_put_off() {
    let (mut bench, _) = slow();
    publish(&bench, 5);
    bench.take_all(LaneKind::Fresh);
    bench.run_dry();
    let events = bench.logged(|record| match record {
        Record::Event(event) => Some(event.body().to_owned()),
        Record::Attempt(_) | Record::End(_) | Record::Waiting(_) => None,
    });
    assert_eq!(events.iter().collect::<BTreeSet<_>>().len(), 5, "{events:?}");
    assert_eq!((events.len(), bench.requests().len()), (5, 5));
}

#[test]
fn all_that_wait_are_a_quarter_of_the_lane() {
    let mut bench = Bench::with_places(1, 8);
    let webhooks = [(); 2].map(|()| slow_webhook(&bench));
    publish(&bench, 3);
    bench.take_all(LaneKind::Fresh);
    assert_eq!(bench.calls(), webhooks.map(|webhook| (webhook, 1)));
    assert_eq!((waiting(&bench), bench.filled().len()), (2.0, 2));
}

#[test]
fn a_busy_webhook_does_not_make_others_see_an_event_again() {
    let mut bench = Bench::with_places(1, 1);
    let (slow, other) = (slow_webhook(&bench), bench.webhook([]));
    let (calls, _) = prove(&mut bench);
    publish(&bench, 3);
    bench.take_all(LaneKind::Fresh);
    bench.run_dry();
    let mut calls = bench.calls()[calls..].to_vec();
    calls.sort_unstable();
    assert_eq!(calls, [(slow, 1), (slow, 1), (slow, 1), (other, 1), (other, 1), (other, 1)]);
}

#[test]
fn a_deferral_keeps_series_attempt_and_copy_and_leaves_its_claim_as_it_is() {
    let (mut bench, webhook) = slow();
    bench.with(|state| state.endpoints.script(webhook, [Reply::Status(500)]));
    bench.deliver();
    let owed = bench.only("bellhop.live.wait.30s");
    bench.pass(Duration::from_secs(30));
    publish(&bench, 3);
    bench.take_all(LaneKind::Fresh);
    bench.take_all(LaneKind::Due);
    let deferred = bench.only(FIRST_RUNG);
    for name in ["bellhop-series", "bellhop-attempt", "bellhop-copy", "bellhop-accepted-at"] {
        assert_eq!(header(&deferred, name), header(&owed, name), "{name}");
    }
    bench.run_dry();
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 1), (webhook, 1), (webhook, 1), (webhook, 2)]);
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

#[test]
fn a_next_attempt_has_no_turn() {
    let (mut bench, webhook) = slow();
    bench.with(|state| state.endpoints.script(webhook, [Reply::Status(500); 4]));
    publish(&bench, 4);
    bench.take_all(LaneKind::Fresh);
    while bench.calls().len() < 4 {
        let next = bench.with(|state| state.next_at()).expect("something waits");
        bench.with(|state| state.advance(next));
        bench.take_all(LaneKind::Due);
    }
    bench.take_all(LaneKind::Fresh);
    let next = bench.with(|state| state.next_at()).expect("the last attempt is under way");
    bench.with(|state| state.advance(next));
    bench.take_all(LaneKind::Fresh);
    let owed = bench.with(|state| state.broker.queue("bellhop.live.wait.30s").clone());
    assert_eq!(owed.len(), 4);
    assert!(owed.iter().all(|stored| header(stored, "bellhop-turn-at").is_none()));
}

/// A burst for an endpoint that is slow but well, far beyond what the worker has room for.
#[test]
fn a_burst_drains_at_nearly_the_endpoints_own_rate_and_costs_few_hops() {
    for (answer_time, events) in [(10, 300), (100, 1000), (1_000, 1000), (10_000, 400)] {
        let answer_time = Duration::from_millis(answer_time);
        let (taken, own, hops) = drain(answer_time, events, &[Reply::Status(200)]);
        println!("{answer_time:?}: {taken:?} of {own:?}, {hops:.2} hops for each delivery");
        assert!(taken < own.mul_f64(1.2) + SECOND, "{answer_time:?}: {taken:?} of {own:?}");
        assert!(hops < 4.0, "{answer_time:?}: {hops} hops");
    }
}

/// What waits for others on rungs is in front of what waits for its turn, if it is on the same.
#[test]
fn a_burst_is_not_slowed_down_by_those_who_fail() {
    for replies in [&[Reply::Status(500)], &[Reply::Failure(Failure::Connect)]] {
        let (taken, own, hops) = drain(SECOND, 600, replies);
        println!("{replies:?}: {taken:?} of {own:?}, {hops:.2} hops for each delivery");
        assert!(taken < own.mul_f64(1.2) + SECOND, "{replies:?}: {taken:?} of {own:?}");
    }
}

/// Publishes a burst for one webhook, and each quarter of a second an event for another one.
///
/// * `replies`: what the other one does.
/// * returns how long the burst took, how long it would take at the endpoint's own rate, and how often each of its
///   deliveries was put off.
fn drain(answer_time: Duration, events: usize, replies: &'static [Reply]) -> (Duration, Duration, f64) {
    const PLACES: u16 = 20;
    let mut bench = Bench::with_places(PLACES, 100);
    let webhook = bench.webhook([]);
    let others = scope(Mode::Live, "org_b");
    bench.with(|state| {
        state.endpoints.set_answer_time(webhook, answer_time);
        let other = state.store.register(&others, &[TYPE], state.now);
        state.endpoints.set_mood(other, replies);
    });
    publish(&bench, events);
    let answered = |state: &State| {
        let made = state.endpoints.calls.iter().filter(|call| call.webhook == webhook);
        made.filter_map(|call| call.answered_at).collect::<Vec<_>>()
    };
    while bench.with(|state| answered(state).len()) < events {
        bench.with(|state| {
            let message = event(&others, TYPE, state.events.len(), state.wall());
            state.publish_event(message);
        });
        bench.run_for(SECOND / 4);
    }
    let taken = bench.with(|state| answered(state).into_iter().max()).expect("all were answered");
    let own = answer_time * u32::try_from(events).expect("a few events") / u32::from(PLACES);
    (taken, own, bench.with(|state| state.busy) as f64 / events as f64)
}

#[test]
fn before_its_turn_a_delivery_takes_a_free_place_and_waits_for_none() {
    let (mut bench, webhook) = slow();
    let owe = |bench: &Bench| {
        let id = bench.webhook_id(webhook);
        bench.owe(&[
            ("bellhop-webhook", &id),
            ("bellhop-series", "1"),
            ("bellhop-attempt", "1"),
            ("bellhop-accepted-at", "1700000000000"),
            ("bellhop-turn-at", "1700000025000"),
        ]);
    };
    owe(&bench);
    owe(&bench);
    bench.take_all(LaneKind::Due);
    assert_eq!(bench.calls(), [(webhook, 1)]);
    let deferred = bench.only("bellhop.live.wait.2m");
    assert_eq!(header(&deferred, "bellhop-turn-at"), Some("1700000025000"), "it keeps its turn");
}

#[test]
fn who_comes_anew_waits_behind_those_who_have_booked_a_turn() {
    let (mut bench, webhook) = slow();
    bench.deliver();
    publish(&bench, 5);
    bench.take_all(LaneKind::Fresh);
    assert_eq!(bench.filled(), [FIRST_RUNG; 2]);
    // One of those in the worker goes on: there is room again, but two have booked before.
    bench.pass(SECOND);
    bench.take_all(LaneKind::Fresh);
    bench.pass(Duration::from_millis(200));
    publish(&bench, 1);
    bench.take_all(LaneKind::Fresh);
    assert_eq!(bench.calls(), [(webhook, 1); 3]);
    assert_eq!((waiting(&bench), bench.with(|state| state.busy)), (1.0, 3));
}

#[test]
fn a_panic_gives_the_place_back() {
    let (mut bench, webhook) = slow();
    bench.with(|state| state.endpoints.script(webhook, [Reply::Panic]));
    publish(&bench, 2);
    let hands = bench.take_all(LaneKind::Fresh);
    bench.finish_all(&hands);
    assert_eq!(bench.calls(), [(webhook, 1); 2]);
    assert_eq!(bench.filled(), ["bellhop.live.parked"]);
}

#[test]
fn a_webhook_disabled_while_a_delivery_waits_for_a_place_is_not_called() {
    let (mut bench, webhook) = slow();
    publish(&bench, 2);
    let hands = bench.take_all(LaneKind::Fresh);
    bench.with(|state| state.store.disable(webhook, state.now));
    bench.finish_all(&hands);
    assert_eq!(bench.calls(), [(webhook, 1)]);
    assert_eq!(bench.end().reason, EndReason::WebhookInactive);
}

#[test]
fn a_webhook_changed_while_a_delivery_waits_for_a_place_is_called_as_it_is_then() {
    let (mut bench, webhook) = slow();
    publish(&bench, 2);
    let hands = bench.take_all(LaneKind::Fresh);
    bench.with(|state| state.store.enable(webhook, state.now));
    bench.finish_all(&hands);
    let revisions: Vec<usize> =
        bench.with(|state| state.endpoints.calls.iter().map(|call| call.revision).collect());
    assert_eq!(revisions, [0, 1]);
}

#[test]
fn a_session_lost_while_a_delivery_waits_for_a_place_sends_nothing_and_gives_the_place_back() {
    let (mut bench, webhook) = slow();
    publish(&bench, 2);
    let hands = bench.take_all(LaneKind::Fresh);
    bench.lose_session();
    let settled: Vec<Settlement> = hands.into_iter().map(|hand| bench.finish(hand)).collect();
    assert_eq!(settled, [Settlement::Acknowledge, Settlement::GiveBack]);
    assert_eq!(bench.calls(), [(webhook, 1)]);
    bench.run_dry();
    assert_eq!(bench.calls(), [(webhook, 1); 3]);
}

#[test]
fn a_worker_that_stops_puts_off_what_waits() {
    let (mut bench, webhook) = slow();
    publish(&bench, 3);
    bench.take_all(LaneKind::Fresh);
    bench.stop();
    assert_eq!((bench.filled(), waiting(&bench)), (vec![FIRST_RUNG.to_owned(); 2], 0.0));
    assert_eq!(bench.calls(), [(webhook, 1)]);
    assert_eq!(bench.with(|state| state.now), Duration::ZERO);
}

/// Forty deliveries for one place, and hardly any room to wait.
#[test]
fn busy_never_exhausts() {
    let mut bench = Bench::with_places(1, 1);
    let webhook = bench.webhook([Reply::Status(500), Reply::Status(500), Reply::Status(500)]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, 100 * SECOND));
    publish(&bench, 40);
    bench.run_dry();
    let mut attempts = BTreeMap::<usize, Vec<u8>>::new();
    bench.with(|state| {
        for call in &state.endpoints.calls {
            attempts.entry(call.event).or_default().push(call.attempt);
        }
    });
    assert_eq!(attempts.len(), 40);
    let is_whole = |made: &&Vec<u8>| **made == [1] || **made == [1, 2];
    assert_eq!(attempts.values().filter(is_whole).count(), 40, "{attempts:?}");
    assert!(3 * 40 < bench.with(|state| state.busy), "on average more often than there are attempts");
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}
