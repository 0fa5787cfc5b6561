//! Claims: of the copies of one attempt, one goes on.

use std::time::Duration;

use bellhop_broker::PublishError;
use bellhop_model::{Attempt, CopyToken, DeliveryId, Event, EventLabels, Mode, Series};
use bellhop_store::ClaimedAttempt;
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, header};
use crate::world::broker::Fate;
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;

const SECOND: &str = "bellhop.live.wait.30s";

/// A delivery whose second attempt is due, and its webhook.
fn due_again() -> (Bench, usize) {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(500)]);
    bench.deliver();
    (bench, webhook)
}

/// Claims the second attempt for a copy.
fn claim(bench: &Bench, webhook: usize, copy: &str) {
    let event = Event::parse(&bench.event_published().body, None, &EventLabels::default()).expect("an event");
    bench.with(|state| {
        let id = &state.store.webhooks[webhook].id;
        let delivery = DeliveryId::derive(Mode::Live, &event.organisation, &event.id, id);
        let second = Attempt::FIRST.next().expect("a second");
        let attempt =
            ClaimedAttempt { mode: Mode::Live, delivery: &delivery, series: Series::FIRST, attempt: second };
        let copy: CopyToken = copy.parse().expect("a copy token");
        state.store.claim(&attempt, &copy);
    });
}

#[test]
fn an_attempt_that_another_copy_owns_is_acknowledged_without_a_request() {
    let (mut bench, webhook) = due_again();
    claim(&bench, webhook, "another");
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1)]);
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

#[test]
fn an_attempt_that_the_same_copy_owns_is_made() {
    let (mut bench, webhook) = due_again();
    let waiting = bench.only(SECOND);
    claim(&bench, webhook, header(&waiting, "bellhop-copy").expect("a copy token"));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2)]);
}

#[test]
fn an_attempt_is_made_if_nobody_can_say_whose_it_is() {
    let (mut bench, webhook) = due_again();
    claim(&bench, webhook, "another");
    bench.with(|state| state.outages.claims.push(ALWAYS));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2)]);
}

/// What a broker that forgot the acknowledgement leaves behind, whatever came of the attempt.
#[test]
fn a_copy_whose_attempt_is_concluded_is_acknowledged_without_a_request() {
    for (reply, left) in [(Reply::Status(200), None), (Reply::Status(500), Some("bellhop.live.wait.10m"))] {
        let mut bench = Bench::new();
        let webhook = bench.webhook([Reply::Status(500), reply]);
        bench.deliver();
        bench.with(|state| state.broker.repeat(SECOND, 0));
        assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
        assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
        assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2)], "{reply:?}");
        assert_eq!(bench.filled(), Vec::from_iter(left), "{reply:?}");
    }
}

#[test]
fn an_attempt_is_not_concluded_before_what_came_of_it_is_stored() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(500); 3]);
    bench.deliver();
    bench.with(|state| state.advance(state.broker.next_at().expect("a message waits")));
    bench.with(|state| state.broker.fates.extend([Fate::Vanished(PublishError::Interrupted); 2]));
    let hand = bench.take(LaneKind::Due);
    bench.lose_session();
    assert_eq!(bench.finish(hand), Settlement::GiveBack);
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2), (webhook, 2)]);
    assert_eq!(bench.filled(), ["bellhop.live.wait.10m"]);
}

/// A worker that knows a webhook as slow, and the event that it diverted last, whose attempts will fail.
fn diverted() -> (Bench, usize) {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(200)]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, Duration::from_secs(2)));
    bench.deliver();
    bench.with(|state| state.endpoints.script(webhook, [Reply::Status(500); 6]));
    bench.publish(bench.event());
    bench.take_until(LaneKind::Fresh, |state| state.broker.queue("bellhop.live.slow").len() == 1);
    (bench, webhook)
}

/// The worker crashes between diverting a delivery and acknowledging its event. The next one knows of no slow webhook.
#[test]
fn an_event_diverted_before_a_crash_and_sent_after_it_makes_one_request_more_and_one_second_attempt() {
    let (mut bench, webhook) = diverted();
    bench.crash();
    assert_eq!(bench.process(LaneKind::Fresh), Settlement::Acknowledge);
    bench.run_dry();
    assert_eq!(bench.calls()[1..], [1, 1, 2, 3].map(|attempt| (webhook, attempt)));
    assert_eq!(bench.filled(), ["bellhop.log"]);
}

/// The session is lost, so that the same worker is offered the event again.
#[test]
fn an_event_diverted_twice_makes_one_request_more_and_one_second_attempt() {
    let (mut bench, webhook) = diverted();
    bench.lose_session();
    assert_eq!(bench.process(LaneKind::Fresh), Settlement::Acknowledge);
    assert_eq!(bench.with(|state| state.broker.queue("bellhop.live.slow").len()), 2);
    bench.run_dry();
    assert_eq!(bench.calls()[1..], [1, 1, 2, 3].map(|attempt| (webhook, attempt)));
    assert_eq!(bench.filled(), ["bellhop.log"]);
}

/// What a crash between publishing the next attempt and acknowledging the last leaves behind.
#[test]
fn two_copies_of_an_attempt_make_one_request_and_leave_one_successor() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(500); 3]);
    bench.publish(bench.event());
    bench.publish(bench.event_published());
    assert_eq!([(); 2].map(|()| bench.process(LaneKind::Fresh)), [Settlement::Acknowledge; 2]);
    assert_eq!(bench.filled(), [SECOND, SECOND]);
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 1), (webhook, 2)]);
    assert_eq!(bench.filled(), ["bellhop.live.wait.10m"]);
}
