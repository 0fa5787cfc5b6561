//! Who would hold up the fresh lane goes by the slow one: once, before anything is sent, and back as soon as it is quick.

use std::time::Duration;

use bellhop_broker::PublishError;
use bellhop_model::{Failure, Mode, Record};
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, TYPE, header};
use crate::world::broker::Fate;
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;
use crate::world::{event, scope};

const SLOW: &str = "bellhop.live.slow";
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const DEADLINE: Duration = Duration::from_secs(15);
const HANGS: Reply = Reply::Failure(Failure::TimedOut);

/// A worker that has made one attempt at a webhook, which took so long.
fn known(answer_time: Duration) -> (Bench, usize) {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, answer_time));
    bench.deliver();
    (bench, webhook)
}

/// A webhook of an organisation of its own, so that no event is for any other.
fn webhook_of(bench: &Bench, organisation: &str, answer_time: Duration) -> usize {
    bench.with(|state| {
        let webhook = state.store.register(&scope(Mode::Live, organisation), &[TYPE], state.now);
        state.endpoints.set_answer_time(webhook, answer_time);
        webhook
    })
}

/// The same, after it has answered once, at once.
fn proven_webhook_of(bench: &mut Bench, organisation: &str) -> usize {
    let webhook = webhook_of(bench, organisation, Duration::ZERO);
    begin(bench, organisation);
    webhook
}

/// Publishes an event of an organisation and lets the worker begin with it.
fn begin(bench: &mut Bench, organisation: &str) {
    bench.with(|state| {
        let message = event(&scope(Mode::Live, organisation), TYPE, state.events.len(), state.wall());
        state.publish_event(message);
    });
    bench.take_all(LaneKind::Fresh);
}

fn diverted(bench: &Bench, reason: &str) -> f64 {
    bench.shown("bellhop_diversions_total", &["live", reason]).get_counter().get_value()
}

fn queued(bench: &Bench) -> usize {
    bench.with(|state| state.broker.queue(SLOW).len())
}

#[test]
fn a_slow_webhook_gets_its_next_event_by_the_slow_lane_as_attempt_1() {
    let (mut bench, webhook) = known(SECOND + MILLISECOND);
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!((bench.calls().len(), diverted(&bench, "slow")), (1, 1.0));
    let queued = bench.only(SLOW);
    assert_eq!(header(&queued, "bellhop-webhook"), Some(bench.webhook_id(webhook).as_str()));
    assert_eq!(header(&queued, "bellhop-attempt"), Some("1"));
    for absent in ["bellhop-copy", "bellhop-turn-at", "bellhop-unrecorded"] {
        assert_eq!(header(&queued, absent), None, "{absent}");
    }
    assert_eq!(queued.message.body, bench.event_published().body);
    assert_eq!(bench.process(LaneKind::Slow), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 1)]);
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

#[test]
fn a_webhook_that_takes_a_second_is_not_slow() {
    let (mut bench, webhook) = known(SECOND);
    bench.deliver();
    assert_eq!(bench.calls(), [(webhook, 1); 2]);
}

#[test]
fn a_webhook_that_hangs_is_slow_before_its_first_request_has_failed() {
    let mut bench = Bench::new();
    webhook_of(&bench, "org_a", DEADLINE);
    begin(&mut bench, "org_a");
    bench.pass(SECOND);
    begin(&mut bench, "org_a");
    assert_eq!((bench.calls().len(), queued(&bench)), (2, 0));
    bench.pass(MILLISECOND);
    begin(&mut bench, "org_a");
    assert_eq!((bench.calls().len(), queued(&bench), diverted(&bench, "slow")), (2, 1, 1.0));
}

/// The wait is ours, not the endpoint's.
#[test]
fn who_waits_for_a_broker_that_blocks_is_not_slow() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    let now = bench.with(|state| state.now);
    bench.with(|state| state.outages.publishing.push(now..now + DEADLINE));
    bench.publish(bench.event());
    bench.take(LaneKind::Fresh);
    bench.pass(2 * SECOND);
    bench.publish(bench.event());
    let hands = bench.take_all(LaneKind::Fresh);
    bench.finish_all(&hands);
    assert_eq!((bench.calls(), queued(&bench)), (vec![(webhook, 1); 2], 0));
}

#[test]
fn the_other_deliveries_of_an_event_go_on_and_it_waits_until_the_slow_lane_has_its_own() {
    let (mut bench, slow) = known(2 * SECOND);
    let quick = bench.webhook([]);
    bench.publish(bench.event());
    bench.with(|state| state.broker.fates.push_back(Fate::Vanished(PublishError::Interrupted)));
    let hand = bench.take(LaneKind::Fresh);
    assert_eq!((bench.calls()[1..].to_vec(), bench.kept(), queued(&bench)), (vec![(quick, 1)], 1, 0));
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    assert_eq!((queued(&bench), bench.kept()), (1, 0));
    bench.run_dry();
    assert_eq!(bench.calls()[1..], [(quick, 1), (slow, 1)]);
}

#[test]
fn the_log_knows_an_event_all_of_whose_deliveries_left_and_knows_it_once() {
    let events = |bench: &Bench| {
        let events = bench.logged(|record| match record {
            Record::Event(event) => Some(event.body().to_owned()),
            Record::Attempt(_) | Record::End(_) | Record::Waiting(_) => None,
        });
        events.len()
    };
    let (mut bench, _) = known(2 * SECOND);
    bench.deliver();
    assert_eq!((events(&bench), bench.requests().len()), (2, 1));
    bench.process(LaneKind::Slow);
    assert_eq!((events(&bench), bench.requests().len()), (2, 2));
}

#[test]
fn what_a_full_slow_lane_refuses_waits_on_a_rung_and_is_not_diverted_again() {
    let (mut bench, webhook) = known(2 * SECOND);
    bench.with(|state| state.outages.refusing.push((SLOW.to_owned(), ALWAYS)));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    let waiting = bench.only("bellhop.live.wait.30s");
    assert_eq!(header(&waiting, "bellhop-attempt"), Some("1"));
    assert_eq!(header(&waiting, "bellhop-webhook"), Some(bench.webhook_id(webhook).as_str()));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!((bench.calls(), diverted(&bench, "slow")), (vec![(webhook, 1); 2], 1.0));
}

#[test]
fn what_waits_for_a_place_leaves_when_the_webhook_proves_slow() {
    let mut bench = Bench::with_places(1, 100);
    let webhook = bench.webhook([]);
    bench.with(|state| state.endpoints.set_answer_time(webhook, 2 * SECOND));
    for _ in 0..3 {
        bench.publish(bench.event());
    }
    let hands = bench.take_all(LaneKind::Fresh);
    bench.finish_all(&hands);
    assert_eq!((bench.calls().len(), queued(&bench)), (1, 2));
    assert_eq!(bench.with(|state| state.now), 2 * SECOND);
    bench.run_dry();
    assert_eq!(bench.calls(), [(webhook, 1); 3]);
}

/// It may hang, and then it is not the fresh lane that waits for it.
#[test]
fn a_breaker_that_is_open_is_probed_from_the_slow_lane() {
    for reply in [HANGS, Reply::Failure(Failure::Connect)] {
        let mut bench = Bench::new();
        let webhook = bench.webhook([reply; 5]);
        for _ in 0..5 {
            bench.deliver();
        }
        bench.pass(Duration::from_secs(20));
        bench.deliver();
        assert_eq!((bench.calls().len(), diverted(&bench, "open")), (5, 1.0), "{reply:?}");
        bench.process(LaneKind::Slow);
        assert_eq!(bench.calls().len(), 6, "the probe");
        bench.deliver();
        assert_eq!((bench.calls().len(), queued(&bench)), (7, 0), "webhook {webhook} is well: {reply:?}");
    }
}

#[test]
fn a_webhook_that_answers_quickly_again_is_back_by_itself() {
    let (mut bench, webhook) = known(DEADLINE);
    bench.with(|state| state.endpoints.set_answer_time(webhook, 50 * MILLISECOND));
    let mut detours = 0;
    loop {
        bench.deliver();
        if queued(&bench) == 0 {
            break;
        }
        detours += 1;
        assert!(detours < 30, "it stays slow for ever");
        bench.process(LaneKind::Slow);
    }
    assert!(10 < detours, "one quick answer proves nothing");
    for _ in 0..10 {
        bench.deliver();
    }
    assert_eq!(bench.calls().len(), 1 + detours + 1 + 10);
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

/// Three webhooks of which nobody knew anything hang, and hold more than a quarter of eight places.
fn crowd(bench: &mut Bench) {
    for organisation in ["org_x", "org_y", "org_z"] {
        webhook_of(bench, organisation, DEADLINE);
        begin(bench, organisation);
    }
    bench.pass(SECOND + SECOND / 4);
}

#[test]
fn while_old_attempts_crowd_the_lane_all_leave_it_but_those_who_were_quick_lately() {
    let mut bench = Bench::with_places(20, 8);
    let quick = webhook_of(&bench, "org_quick", SECOND / 2);
    let unknown = webhook_of(&bench, "org_unknown", SECOND / 2);
    begin(&mut bench, "org_quick");
    bench.run_for(SECOND);
    crowd(&mut bench);
    begin(&mut bench, "org_quick");
    begin(&mut bench, "org_unknown");
    assert_eq!((queued(&bench), diverted(&bench, "crowded")), (1, 1.0));
    assert_eq!(bench.calls().iter().filter(|(webhook, _)| *webhook == quick).count(), 2);
    bench.run_for(2 * DEADLINE);
    assert_eq!(bench.calls().iter().filter(|(webhook, _)| *webhook == unknown).count(), 1);
    // The old ones are gone, so nobody has to leave.
    webhook_of(&bench, "org_late", SECOND / 2);
    begin(&mut bench, "org_late");
    assert_eq!((queued(&bench), diverted(&bench, "crowded")), (0, 1.0));
}

#[test]
fn two_that_hang_do_not_crowd_a_lane_of_eight() {
    let mut bench = Bench::with_places(20, 8);
    for organisation in ["org_x", "org_y"] {
        webhook_of(&bench, organisation, DEADLINE);
        begin(&mut bench, organisation);
    }
    bench.pass(3 * SECOND);
    webhook_of(&bench, "org_unknown", SECOND / 2);
    begin(&mut bench, "org_unknown");
    assert_eq!((queued(&bench), bench.calls().len()), (0, 3));
}

/// A lane may be full before anything in it is old: nothing was known of any of these webhooks, and all hang.
#[test]
fn unproven_webhooks_fill_half_of_a_lane_and_leave_the_rest_to_the_quick() {
    let mut bench = Bench::with_places(20, 8);
    let quick = proven_webhook_of(&mut bench, "org_quick");
    for number in 0..8 {
        let organisation = format!("org_{number}");
        webhook_of(&bench, &organisation, DEADLINE);
        begin(&mut bench, &organisation);
    }
    begin(&mut bench, "org_quick");
    assert_eq!(bench.with(|state| state.now), Duration::ZERO);
    assert_eq!((bench.calls().len(), queued(&bench), diverted(&bench, "crowded")), (7, 3, 3.0));
    assert_eq!(bench.calls().last(), Some(&(quick, 1)));
    bench.run_dry();
    assert_eq!(bench.calls().len(), 10);
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

/// Each may hang, and nobody would know before its deadline.
#[test]
fn a_webhook_that_nothing_speaks_for_has_two_requests_under_way_before_events_leave_the_lane() {
    let mut bench = Bench::with_places(20, 100);
    webhook_of(&bench, "org_new", SECOND / 2);
    for _ in 0..5 {
        begin(&mut bench, "org_new");
    }
    assert_eq!((bench.calls().len(), queued(&bench), diverted(&bench, "unproven")), (2, 3, 3.0));
    // What has left goes on by the other lane at once, and once it has answered there is no such bound.
    bench.take_all(LaneKind::Slow);
    assert_eq!(bench.calls().len(), 5);
    bench.run_for(SECOND);
    for _ in 0..5 {
        begin(&mut bench, "org_new");
    }
    assert_eq!((bench.calls().len(), queued(&bench), diverted(&bench, "unproven")), (10, 0, 3.0));
}

/// It answers, so that it does not hang, but nothing speaks for it either.
#[test]
fn a_webhook_that_always_fails_keeps_its_two() {
    let mut bench = Bench::with_places(20, 100);
    let webhook = webhook_of(&bench, "org_failing", SECOND / 2);
    bench.with(|state| state.endpoints.script(webhook, [Reply::Status(500); 6]));
    for _ in 0..3 {
        (0..3).for_each(|_| begin(&mut bench, "org_failing"));
        bench.run_for(SECOND);
    }
    assert_eq!((bench.calls().len(), queued(&bench), diverted(&bench, "unproven")), (9, 0, 3.0));
}

/// What an organisation may have, all of it hanging, is no more than half of the lane, and has no more sockets.
#[test]
fn events_for_many_that_hang_leave_sockets_for_the_others() {
    let mut bench = Bench::with_places(20, 16);
    let quick = proven_webhook_of(&mut bench, "org_quick");
    for _ in 0..25 {
        webhook_of(&bench, "org_x", DEADLINE);
    }
    for _ in 0..16 {
        begin(&mut bench, "org_x");
    }
    let calls = bench.calls().len();
    begin(&mut bench, "org_quick");
    assert_eq!((calls, bench.calls().last()), (1 + 9, Some(&(quick, 1))));
    assert_eq!(queued(&bench), 25 * 16 - 9);
}

/// They were quick a moment ago, all at one host, say, and hang now: nobody can know before they keep silent.
#[test]
fn in_a_lane_that_fills_who_keeps_silent_for_half_a_second_is_slow() {
    let mut bench = Bench::with_places(2, 8);
    let organisations: Vec<String> = (0..5).map(|number| format!("org_{number}")).collect();
    for organisation in &organisations {
        let webhook = proven_webhook_of(&mut bench, organisation);
        bench.with(|state| state.endpoints.set_answer_time(webhook, DEADLINE));
    }
    for organisation in &organisations {
        begin(&mut bench, organisation);
    }
    bench.pass(SECOND / 2);
    begin(&mut bench, "org_0");
    assert_eq!((bench.calls().len(), queued(&bench)), (11, 0));
    bench.pass(MILLISECOND);
    begin(&mut bench, "org_1");
    assert_eq!((bench.calls().len(), queued(&bench), diverted(&bench, "slow")), (11, 1, 1.0));
}

#[test]
fn a_success_keeps_in_a_crowded_lane_if_it_was_quick_and_lately() {
    let minute = Duration::from_secs(60);
    let cases = [
        (Reply::Status(200), minute, 0),
        (Reply::Status(200), minute + MILLISECOND, 1),
        (Reply::Status(500), SECOND * 2, 1),
    ];
    for (reply, ago, left) in cases {
        let mut bench = Bench::with_places(20, 8);
        let webhook = webhook_of(&bench, "org_a", Duration::ZERO);
        bench.with(|state| state.endpoints.script(webhook, [reply]));
        begin(&mut bench, "org_a");
        bench.pass(ago - SECOND - SECOND / 4);
        crowd(&mut bench);
        begin(&mut bench, "org_a");
        assert_eq!(queued(&bench), left, "{reply:?} {ago:?} ago");
    }
}

/// What hangs in another lane takes no place of the fresh one.
#[test]
fn attempts_in_the_slow_lane_crowd_nothing() {
    let mut bench = Bench::with_places(20, 8);
    for number in 0..6 {
        let organisation = format!("org_{number}");
        webhook_of(&bench, &organisation, 2 * SECOND);
        begin(&mut bench, &organisation);
        bench.run_for(3 * SECOND);
        begin(&mut bench, &organisation);
    }
    bench.take_all(LaneKind::Slow);
    bench.pass(SECOND + SECOND / 4);
    webhook_of(&bench, "org_unknown", SECOND / 2);
    begin(&mut bench, "org_unknown");
    assert_eq!((queued(&bench), diverted(&bench, "crowded")), (0, 0.0));
}

#[test]
fn who_is_to_leave_waits_for_no_socket() {
    let mut bench = Bench::with_places(1, 1);
    webhook_of(&bench, "org_slow", 2 * SECOND);
    begin(&mut bench, "org_slow");
    bench.run_for(3 * SECOND);
    let quick = ["org_x", "org_y"].map(|organisation| proven_webhook_of(&mut bench, organisation));
    for (webhook, organisation) in quick.into_iter().zip(["org_x", "org_y"]) {
        bench.with(|state| state.endpoints.set_answer_time(webhook, DEADLINE));
        begin(&mut bench, organisation);
    }
    assert_eq!(bench.calls().len(), 5, "a lane of one message has two sockets");
    begin(&mut bench, "org_slow");
    assert_eq!((queued(&bench), diverted(&bench, "slow")), (1, 1.0));
}

#[test]
fn a_panic_ends_the_silence_and_leaves_the_crowd() {
    let mut bench = Bench::with_places(20, 1);
    let webhook = bench.webhook([Reply::Panic]);
    bench.deliver();
    bench.pass(10 * SECOND);
    bench.deliver();
    assert_eq!(bench.calls(), [(webhook, 1); 2]);
    assert_eq!(bench.filled(), ["bellhop.live.parked"]);
}

#[test]
fn a_slow_message_that_does_not_say_what_it_owes_is_parked() {
    let mut bench = Bench::new();
    let message = bench.event();
    bench.with(|state| state.place(SLOW, message));
    assert_eq!(bench.process(LaneKind::Slow), Settlement::Acknowledge);
    assert_eq!(bench.filled(), ["bellhop.live.parked"]);
}

#[test]
fn a_webhook_disabled_while_its_delivery_lay_in_the_slow_lane_is_not_called() {
    let (mut bench, webhook) = known(2 * SECOND);
    bench.deliver();
    bench.with(|state| state.store.disable(webhook, state.now));
    assert_eq!(bench.process(LaneKind::Slow), Settlement::Acknowledge);
    assert_eq!(bench.calls().len(), 1);
    assert_eq!(bench.end().reason, bellhop_model::EndReason::WebhookInactive);
}

#[test]
fn what_is_slow_in_live_mode_is_not_in_test_mode() {
    let mut bench = Bench::with_places(20, 1);
    crowd(&mut bench);
    let test = scope(Mode::Test, "org_a");
    let webhook = bench.with(|state| {
        let webhook = state.store.register(&test, &[TYPE], state.now);
        let message = event(&test, TYPE, state.events.len(), state.wall());
        state.publish_event(message);
        webhook
    });
    bench.process_in(Mode::Test, LaneKind::Fresh);
    assert_eq!(bench.calls().last(), Some(&(webhook, 1)));
    assert_eq!(bench.with(|state| state.broker.queue("bellhop.test.slow").len()), 0);
}
