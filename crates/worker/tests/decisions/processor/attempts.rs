//! Attempts and their verdicts.

use std::time::Duration;

use bellhop_model::{Attempt, EndReason, Failure, Series, micros_of};
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, TYPE, header};
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;
use crate::world::records;

/// A trace of the publisher.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const FAILED: Reply = Reply::Status(500);

#[test]
fn a_success_is_acknowledged_and_nothing_is_published() {
    for status in [200, 201, 204, 299] {
        let mut bench = Bench::new();
        let webhook = bench.webhook([Reply::Status(status)]);
        assert_eq!(bench.deliver(), Settlement::Acknowledge);
        assert_eq!(bench.calls(), [(webhook, 1)]);
        assert!(bench.filled().is_empty(), "{:?}", bench.filled());
    }
}

#[test]
fn a_failed_attempt_waits_on_its_rung() {
    for reply in [
        Reply::Status(302),
        Reply::Status(404),
        Reply::Status(503),
        Reply::Failure(Failure::TimedOut),
        Reply::Failure(Failure::Dns),
        Reply::Failure(Failure::ForbiddenAddress),
    ] {
        let mut bench = Bench::new();
        bench.webhook([reply, reply]);
        assert_eq!(bench.deliver(), Settlement::Acknowledge);
        assert_eq!(bench.filled(), ["bellhop.live.wait.30s"], "{reply:?}");
        assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
        assert_eq!(bench.filled(), ["bellhop.live.wait.10m"], "{reply:?}");
    }
}

#[test]
fn what_waits_says_what_it_owes() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED, FAILED]);
    let mut event = bench.event();
    event.headers.push(("traceparent", TRACE.to_owned()));
    bench.publish(event.clone());
    bench.process(LaneKind::Fresh);
    let second = bench.only("bellhop.live.wait.30s");
    bench.deliver_due();
    let third = bench.only("bellhop.live.wait.10m");
    let id = bench.webhook_id(webhook);
    for (waiting, attempt) in [(&second, "2"), (&third, "3")] {
        assert_eq!(waiting.message.body, event.body);
        assert_eq!(waiting.message.message_type, event.message_type);
        for (name, value) in [
            ("bellhop-webhook", id.as_str()),
            ("bellhop-series", "1"),
            ("bellhop-attempt", attempt),
            ("bellhop-accepted-at", "1700000000000"),
            ("organisation-id", "org_a"),
            ("traceparent", TRACE),
        ] {
            assert_eq!(header(waiting, name), Some(value), "{name}");
        }
    }
    let copies = [&second, &third].map(|waiting| header(waiting, "bellhop-copy").expect("a copy token"));
    assert_ne!(copies[0], copies[1]);
    assert_ne!(second.message.message_id, third.message.message_id);
}

#[test]
fn the_third_failure_is_recorded_once_with_the_original_bytes() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED, FAILED, Reply::Failure(Failure::Connect)]);
    let body = bench.event().body;
    bench.deliver();
    bench.deliver_due();
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2), (webhook, 3)]);
    assert_eq!(bench.filled(), ["bellhop.log"]);
    let end = bench.end();
    assert_eq!((end.reason, end.outcome.as_str()), (EndReason::AttemptsFailed, "connect"));
    assert_eq!((end.series, end.attempt), (Series::FIRST, Attempt::try_from(3).ok()));
    assert_eq!(end.webhook.to_string(), bench.webhook_id(webhook));
    assert_eq!(end.event, body);
    assert_eq!(end.ended_at_us, micros_of(bench.with(|state| state.wall())));
}

#[test]
fn attempts_are_made_when_they_are_due() {
    let mut bench = Bench::new();
    bench.webhook([FAILED, FAILED, FAILED]);
    bench.deliver();
    bench.deliver_due();
    bench.deliver_due();
    let times: Vec<u64> =
        bench.with(|state| state.endpoints.calls.iter().map(|call| call.at.as_secs()).collect());
    assert_eq!(times, [0, 30, 630]);
}

#[test]
fn a_wait_that_the_endpoint_asks_for_is_rounded_up_to_a_rung() {
    for (status, seconds, rung) in
        [(429, 0, "30s"), (429, 30, "30s"), (429, 31, "2m"), (503, 121, "10m"), (503, 3600, "1h")]
    {
        let mut bench = Bench::new();
        bench.webhook([Reply::Later(status, Duration::from_secs(seconds))]);
        bench.deliver();
        assert_eq!(bench.filled(), [format!("bellhop.live.wait.{rung}")], "{status} {seconds} s");
    }
}

#[test]
fn a_410_disables_the_webhook_and_cancels_the_delivery() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(410)]);
    let body = bench.event().body;
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert!(!bench.with(|state| state.store.webhooks[webhook].is_in_force()));
    let end = bench.end();
    assert_eq!((end.reason, end.attempt), (EndReason::EndpointGone, Some(Attempt::FIRST)));
    assert_eq!((end.outcome.as_str(), end.event), ("4xx", body.to_vec()));
    bench.deliver();
    assert_eq!(bench.calls(), [(webhook, 1)], "the next event finds it disabled");
}

#[test]
fn a_410_cancels_the_delivery_even_if_the_webhook_cannot_be_disabled() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(410)]);
    bench.publish(bench.event());
    let hand = bench.take_until(LaneKind::Fresh, |state| !state.endpoints.calls.is_empty());
    bench.with(|state| state.outages.store.push(ALWAYS));
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    assert!(bench.with(|state| state.store.webhooks[webhook].is_in_force()));
    assert_eq!(bench.end().reason, EndReason::EndpointGone);
}

#[test]
fn a_410_cancels_all_that_is_queued_for_the_webhook_wherever_it_lies() {
    // Two wait on a rung and two in the slow lane when the first of these is answered 410.
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED, FAILED, Reply::Status(410)]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, Duration::from_secs(2)));
    let mut published = Vec::new();
    for _ in 0..4 {
        published.push(bench.event().body);
        assert_eq!(bench.deliver(), Settlement::Acknowledge);
    }
    bench.process(LaneKind::Slow);
    let queues = ["bellhop.live.slow", "bellhop.live.wait.30s"];
    assert_eq!(bench.filled(), [queues[0], queues[0], queues[1], queues[1]]);

    bench.process(LaneKind::Slow);
    bench.process(LaneKind::Slow);
    bench.deliver_due();
    bench.deliver_due();

    assert_eq!(bench.calls().len(), 3, "nothing is sent after the 410");
    let ends: Vec<_> = bench.logged(records::end).into_iter().map(|end| (end.reason, end.event)).collect();
    let (gone, inactive) = (EndReason::EndpointGone, EndReason::WebhookInactive);
    let expected = [(gone, 2), (inactive, 3), (inactive, 0), (inactive, 1)];
    assert_eq!(ends, expected.map(|(reason, number)| (reason, published[number].to_vec())));
    assert!(bench.filled().iter().all(|queue| queue == "bellhop.log"), "{:?}", bench.filled());
    let cancelled = bench.shown("bellhop_deliveries_total", &["live", TYPE, "cancelled"]);
    assert_eq!(cancelled.get_counter().get_value(), 4.0);
}

#[test]
fn a_webhook_that_is_gone_when_the_attempt_is_due_is_not_called() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED]);
    bench.deliver();
    bench.with(|state| state.store.disable(webhook, state.now));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1)]);
    let end = bench.end();
    assert_eq!((end.reason, end.attempt), (EndReason::WebhookInactive, Some(Attempt::FIRST)));
    assert_eq!(bench.filled(), ["bellhop.log"]);
}

#[test]
fn a_webhook_that_changed_is_called_as_it_is_when_the_attempt_is_due() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED]);
    bench.deliver();
    bench.with(|state| state.store.enable(webhook, state.now));
    bench.deliver_due();
    let revisions: Vec<usize> =
        bench.with(|state| state.endpoints.calls.iter().map(|call| call.revision).collect());
    assert_eq!(revisions, [0, 1]);
}

#[test]
fn each_webhook_settles_on_its_own() {
    let mut bench = Bench::new();
    let webhooks =
        [Reply::Status(200), FAILED, Reply::Status(410), FAILED].map(|reply| bench.webhook([reply]));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), webhooks.map(|webhook| (webhook, 1)));
    assert_eq!(bench.end().webhook.to_string(), bench.webhook_id(webhooks[2]));
    let waiting = bench.with(|state| state.broker.queue("bellhop.live.wait.30s").clone());
    let named: Vec<_> = waiting.iter().map(|stored| header(stored, "bellhop-webhook")).collect();
    let owed = [webhooks[1], webhooks[3]].map(|webhook| bench.webhook_id(webhook));
    assert_eq!(named, owed.each_ref().map(|id| Some(id.as_str())));
}

#[test]
fn no_attempt_starts_while_its_result_could_not_be_stored() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    bench.with(|state| state.outages.publishing.push(Duration::ZERO..Duration::from_secs(600)));
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    assert_eq!(bench.calls(), []);
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1)]);
    assert_eq!(bench.with(|state| state.endpoints.calls[0].at), Duration::from_secs(600));
}

/// The simulation found it: what was resolved before the wait was used after it.
#[test]
fn a_webhook_that_changed_while_the_worker_waited_is_called_as_it_is_then() {
    let mut bench = Bench::new();
    let [disabled, changed] = [bench.webhook([]), bench.webhook([])];
    bench.with(|state| state.outages.publishing.push(Duration::ZERO..Duration::from_secs(600)));
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    bench.with(|state| {
        state.store.disable(disabled, state.now);
        state.store.enable(changed, state.now);
    });
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    assert_eq!(bench.with(|state| state.endpoints.calls[0].revision), 1);
    assert_eq!(bench.calls(), [(changed, 1)]);
    let end = bench.end();
    assert_eq!((end.reason, end.attempt), (EndReason::WebhookInactive, None));
    assert_eq!(end.webhook.to_string(), bench.webhook_id(disabled));
}

#[test]
fn a_delivery_whose_webhook_cannot_be_told_after_the_wait_is_deferred() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    bench.with(|state| state.outages.publishing.push(Duration::ZERO..Duration::from_secs(1)));
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    bench.with(|state| state.outages.store.push(ALWAYS));
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    assert_eq!(bench.calls(), []);
    let deferred = bench.only("bellhop.live.wait.10s");
    assert_eq!(header(&deferred, "bellhop-webhook"), Some(bench.webhook_id(webhook).as_str()));
    assert_eq!(header(&deferred, "bellhop-attempt"), Some("1"));
}
