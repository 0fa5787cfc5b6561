//! Keeping results until the broker has them.

use std::time::Duration;

use bellhop_broker::PublishError;
use bellhop_model::{Attempt, Decided, EndReason, Ladder, Mode};
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, TYPE, header};
use crate::world::broker::Fate;
use crate::world::endpoints::Reply;
use crate::world::outages::{ALWAYS, Window};
use crate::world::{event, scope};

const FAILED: Reply = Reply::Status(500);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_rung_that_refuses_is_replaced_by_the_next_longer_one() {
    let cases = [
        (&["30s"][..], "2m", 2 * MINUTE),
        (&["30s", "2m"], "10m", 10 * MINUTE),
        (&["30s", "2m", "10m"], "1h", 60 * MINUTE),
    ];
    for (refusing, taking, wait) in cases {
        let mut bench = Bench::new();
        bench.webhook([FAILED]);
        refuse(&bench, refusing, ALWAYS);
        assert_eq!(bench.deliver(), Settlement::Acknowledge);
        assert_eq!(bench.filled(), [format!("bellhop.live.wait.{taking}")]);
        assert_eq!(bench.kept(), 0);
        let made = &bench.requests()[0];
        let told =
            Decided::Retry { at_us: made.started_at_us + i64::try_from(wait.as_micros()).expect("it fits") };
        assert_eq!(made.verdict, told, "the log tells when it is due where it waits");
    }
}

/// A queue that has lost its leader refuses until it has another.
#[test]
fn a_rung_that_refuses_for_two_seconds_is_asked_until_it_takes() {
    let mut bench = Bench::new();
    bench.webhook([FAILED]);
    refuse(&bench, &["30s"], Duration::ZERO..Duration::from_secs(2));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.filled(), ["bellhop.live.wait.30s"]);
}

#[test]
fn a_rung_that_is_known_to_be_full_is_not_waited_for() {
    let mut bench = Bench::new();
    bench.webhook([FAILED, FAILED]);
    refuse(&bench, &["30s"], ALWAYS);
    bench.deliver();
    let before = bench.with(|state| state.now);
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.with(|state| state.now), before);
    assert_eq!(bench.filled(), ["bellhop.live.wait.2m"; 2]);
}

/// It is the same rung, of the other mode.
#[test]
fn a_rung_that_is_full_in_test_mode_is_not_taken_for_full_in_live_mode() {
    let mut bench = Bench::new();
    let test = scope(Mode::Test, "org_a");
    bench.with(|state| {
        let webhook = state.store.register(&test, &[TYPE], state.now);
        state.endpoints.script(webhook, [FAILED]);
        let full = "bellhop.test.wait.30s".to_owned();
        state.outages.refusing.push((full, ALWAYS));
        let message = event(&test, TYPE, state.events.len(), state.wall());
        state.publish_event(message);
    });
    bench.process_in(Mode::Test, LaneKind::Fresh);
    bench.webhook([FAILED]);
    let now = bench.with(|state| state.now);
    refuse(&bench, &["30s"], now..now + Duration::from_secs(2));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.filled(), ["bellhop.live.wait.30s", "bellhop.test.wait.2m"]);
}

#[test]
fn a_rung_that_was_never_declared_is_replaced_by_the_next_longer_one() {
    let waits = [Duration::from_secs(1), Duration::from_secs(2)];
    let mut bench = Bench::with_ladder(&Ladder::with_waits(&waits).expect("a ladder"));
    bench.webhook([FAILED]);
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.filled(), ["bellhop.live.wait.10s"]);
}

/// The simulation found it: refusals all round were answered by asking again at once, for ever.
#[test]
fn rungs_that_all_refuse_are_asked_again_after_a_pause() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED]);
    refuse(&bench, &["30s", "2m", "10m", "1h"], Duration::ZERO..MINUTE);
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    assert_eq!(bench.kept(), 1);
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    let waiting = bench.only("bellhop.live.wait.30s");
    assert_eq!(header(&waiting, "bellhop-attempt"), Some("2"));
    assert_eq!((bench.calls(), bench.kept()), (vec![(webhook, 1)], 0));
}

#[test]
fn an_end_that_the_log_refuses_waits_unrecorded_and_is_recorded_without_a_request() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED, FAILED, Reply::Status(503)]);
    bench.deliver();
    bench.deliver_due();
    let from = bench.with(|state| state.now);
    bench.with(|state| state.outages.refusing.push(("bellhop.log".to_owned(), from..from + 15 * MINUTE)));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    let waiting = bench.only("bellhop.live.wait.1h");
    for (name, value) in
        [("bellhop-unrecorded", "attempts_failed"), ("bellhop-outcome", "5xx"), ("bellhop-attempt", "3")]
    {
        assert_eq!(header(&waiting, name), Some(value), "{name}");
    }
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls().len(), 3);
    assert_eq!(bench.filled(), ["bellhop.log"]);
    let end = bench.end();
    assert_eq!((end.reason, end.outcome.as_str()), (EndReason::AttemptsFailed, "5xx"));
    assert_eq!(end.attempt, Attempt::try_from(3).ok());
    assert_eq!(end.webhook.to_string(), bench.webhook_id(webhook));
}

/// Neither the webhook nor anybody who knows it is needed any more.
#[test]
fn an_unrecorded_end_is_recorded_whatever_became_of_its_webhook() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(410)]);
    let log = "bellhop.log".to_owned();
    bench.with(|state| state.outages.refusing.push((log, Duration::ZERO..MINUTE)));
    bench.deliver();
    bench.with(|state| state.outages.store.push(ALWAYS));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!((bench.end().reason, bench.calls()), (EndReason::EndpointGone, vec![(webhook, 1)]));
}

#[test]
fn an_unconfirmed_result_is_tried_again_on_the_same_rung_while_the_gate_is_shut() {
    for error in [PublishError::Interrupted, PublishError::TimedOut, PublishError::Blocked] {
        let mut bench = Bench::new();
        let webhook = bench.webhook([FAILED]);
        bench.with(|state| state.broker.fates.extend([Fate::Vanished(error); 3]));
        bench.publish(bench.event());
        let hand = bench.take(LaneKind::Fresh);
        assert_eq!((bench.kept(), bench.filled()), (1, Vec::new()));
        assert_eq!(bench.finish(hand), Settlement::Acknowledge);
        assert_eq!((bench.kept(), bench.filled()), (0, vec!["bellhop.live.wait.30s".to_owned()]));
        assert_eq!(bench.calls(), [(webhook, 1)]);
    }
}

/// The two messages are one copy, so that a claim of one does not end the other should it be the only one left.
#[test]
fn a_result_stored_unseen_is_stored_again_as_the_same_copy() {
    let mut bench = Bench::new();
    bench.webhook([FAILED]);
    bench.with(|state| state.broker.fates.push_back(Fate::StoredUnseen(PublishError::Interrupted)));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    let waiting = bench.with(|state| state.broker.queue("bellhop.live.wait.30s").clone());
    let copies: Vec<_> = waiting.iter().map(|stored| header(stored, "bellhop-copy")).collect();
    assert_eq!(copies.len(), 2);
    assert_eq!(copies[0], copies[1]);
}

#[test]
fn a_record_that_is_not_confirmed_is_tried_again_in_the_log() {
    let mut bench = Bench::new();
    bench.webhook([Reply::Status(410)]);
    bench.with(|state| state.broker.fates.push_back(Fate::Vanished(PublishError::TimedOut)));
    bench.deliver();
    assert_eq!(bench.filled(), ["bellhop.log"]);
}

#[test]
fn a_result_of_a_lost_session_is_given_up_without_a_second_request() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([FAILED]);
    bench.with(|state| state.broker.fates.extend([Fate::Vanished(PublishError::Interrupted); 2]));
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    bench.lose_session();
    assert_eq!(bench.finish(hand), Settlement::GiveBack);
    assert_eq!((bench.calls(), bench.kept()), (vec![(webhook, 1)], 0));
    assert_eq!(bench.filled(), ["bellhop.live.events.0"], "the broker offers it again");
    assert!(bench.with(|state| state.now) < Duration::from_secs(1), "at once");
}

#[test]
fn nothing_is_sent_for_a_session_that_is_lost() {
    let mut bench = Bench::new();
    bench.webhook([]);
    bench.publish(bench.event());
    let hand = bench.take_until(LaneKind::Fresh, |_| true);
    bench.lose_session();
    assert_eq!(bench.finish(hand), Settlement::GiveBack);
    assert_eq!(bench.calls(), []);
}

/// The message comes back whole, so whoever is done is repeated; but nobody who is not done is forgotten.
#[test]
fn one_result_that_is_given_up_gives_the_message_back() {
    let mut bench = Bench::new();
    let webhooks = [Reply::Status(200), FAILED].map(|reply| bench.webhook([reply]));
    bench.with(|state| state.broker.fates.extend([Fate::Vanished(PublishError::Interrupted); 2]));
    bench.publish(bench.event());
    let hand = bench.take(LaneKind::Fresh);
    assert_eq!(bench.calls(), webhooks.map(|webhook| (webhook, 1)));
    bench.lose_session();
    assert_eq!(bench.finish(hand), Settlement::GiveBack);
}

fn refuse(bench: &Bench, rungs: &[&str], window: Window) {
    let queues = rungs.iter().map(|rung| (format!("bellhop.live.wait.{rung}"), window.clone()));
    bench.with(|state| state.outages.refusing.extend(queues));
}
