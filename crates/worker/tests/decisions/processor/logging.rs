//! What the log hears of events and requests.

use std::time::Duration;

use bellhop_broker::PublishError;
use bellhop_model::{Decided, EventRecord, Record, micros_of};
use bellhop_worker::{LaneKind, Settlement};

use super::bench::Bench;
use crate::world::broker::Fate;
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;

const FAILED: Reply = Reply::Status(503);

fn events(bench: &Bench) -> Vec<EventRecord> {
    bench.logged(|record| match record {
        Record::Event(event) => Some(event),
        Record::Attempt(_) | Record::End(_) | Record::Waiting(_) => None,
    })
}

#[test]
fn an_event_is_recorded_once_and_each_of_its_requests() {
    let mut bench = Bench::new();
    let webhooks = [bench.webhook([]), bench.webhook([FAILED]), bench.webhook([Reply::Status(410)])];
    bench.deliver();
    let body = bench.event_published().body;
    let [event] = &events(&bench)[..] else { panic!("the event is not there, or not once") };
    assert_eq!(event.body().as_bytes(), &body[..]);
    let begun = micros_of(bench.with(|state| state.wall()));
    let made = bench.requests();
    let told: Vec<_> =
        made.iter().map(|made| (made.of.webhook.to_string(), made.status, made.verdict)).collect();
    let due = Decided::Retry { at_us: begun + 30_000_000 };
    let expected = [(200, Decided::Delivered), (503, due), (410, Decided::Gone)];
    let expected: Vec<_> = webhooks
        .into_iter()
        .zip(expected)
        .map(|(webhook, (status, verdict))| (bench.webhook_id(webhook), Some(status), verdict))
        .collect();
    assert_eq!(told, expected);
    assert!(made.iter().all(|made| made.sent.signature.starts_with("v1,")), "{made:?}");
    bench.deliver_due();
    assert_eq!((events(&bench).len(), bench.requests().len()), (1, 4));
    let second = &bench.requests()[3];
    assert_eq!((second.attempt.number(), second.verdict), (2, Decided::Delivered));
    assert_ne!(second.request, made[1].request);
}

#[test]
fn an_event_that_nobody_wants_is_not_recorded() {
    let mut bench = Bench::new();
    bench.deliver();
    assert_eq!(bench.filled(), Vec::<String>::new());
    assert!(events(&bench).is_empty());
}

#[test]
fn a_message_is_not_settled_before_its_records_are_stored() {
    for error in [PublishError::Interrupted, PublishError::TimedOut, PublishError::Blocked] {
        let mut bench = Bench::new();
        let webhook = bench.webhook([]);
        bench.with(|state| state.broker.fates.extend([Fate::Vanished(error); 3]));
        bench.publish(bench.event());
        let hand = bench.take(LaneKind::Fresh);
        assert_eq!((bench.kept(), bench.calls()), (1, vec![(webhook, 1)]));
        assert!(bench.requests().is_empty());
        assert_eq!(bench.finish(hand), Settlement::Acknowledge);
        assert_eq!((bench.kept(), bench.requests().len()), (0, 1));
        assert_eq!(bench.counted_as("bellhop_log_records_total", "stored"), 2.0);
    }
}

#[test]
fn records_that_the_log_refuses_are_dropped_and_counted_and_hold_nothing_up() {
    let mut bench = Bench::new();
    bench.webhook([FAILED]);
    bench.with(|state| state.outages.refusing.push(("bellhop.log".to_owned(), ALWAYS)));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.filled(), ["bellhop.live.wait.30s"]);
    assert!(bench.with(|state| state.now) < Duration::from_secs(1), "at once");
    assert_eq!(bench.counted_as("bellhop_log_records_total", "dropped"), 2.0);
}

/// Requests were made: the log hears of them although the broker will offer the event again.
#[test]
fn the_requests_of_a_lost_session_are_recorded() {
    let mut bench = Bench::new();
    let webhooks = [FAILED, Reply::Status(200)].map(|reply| bench.webhook([reply]));
    bench.with(|state| state.broker.fates.extend([Fate::Vanished(PublishError::Interrupted); 2]));
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    bench.lose_session();
    assert_eq!(bench.finish(hand), Settlement::GiveBack);
    assert_eq!(bench.requests().len(), webhooks.len());
}
