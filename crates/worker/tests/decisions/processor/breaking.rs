//! What hangs or cannot be reached is left alone for a while, and nobody else is.

use std::time::Duration;

use bellhop_model::Failure;
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, header};
use crate::world::endpoints::Reply;

const HANGS: Reply = Reply::Failure(Failure::TimedOut);
const UNREACHABLE: Reply = Reply::Failure(Failure::Connect);
/// Where second attempts wait, and the first cool-down is waited out.
const SHORTEST: &str = "bellhop.live.wait.30s";

const COOL_DOWN: Duration = Duration::from_secs(10);

/// A webhook, alone at its host, whose breaker has opened.
fn broken(reply: Reply) -> (Bench, usize) {
    let mut bench = Bench::new();
    let webhook = bench.webhook([reply; 5]);
    for _ in 0..5 {
        bench.deliver();
    }
    (bench, webhook)
}

fn open(bench: &Bench, guards: &str) -> f64 {
    bench.shown("bellhop_breakers_open", &["live", guards]).get_gauge().get_value()
}

fn probes(bench: &Bench, guards: &str, result: &str) -> f64 {
    bench.shown("bellhop_probes_total", &["live", guards, result]).get_counter().get_value()
}

#[test]
fn a_webhook_that_hangs_five_times_in_a_row_is_unavailable_and_costs_no_attempt() {
    let (mut bench, webhook) = broken(HANGS);
    assert_eq!((bench.calls(), open(&bench, "webhook")), (vec![(webhook, 1); 5], 1.0));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.process(LaneKind::Slow), Settlement::Acknowledge);
    assert_eq!(bench.calls().len(), 5);
    let last = bench.with(|state| state.broker.queue(SHORTEST).back().cloned()).expect("it waits");
    assert_eq!(last.message.time_to_live, Some(COOL_DOWN));
    assert_eq!(header(&last, "bellhop-attempt"), Some("1"));
    assert_eq!(header(&last, "bellhop-webhook"), Some(bench.webhook_id(webhook).as_str()));
    assert_eq!(header(&last, "bellhop-turn-at"), None);
    assert_eq!(bench.with(|state| state.unavailable), 1);
}

#[test]
fn the_attempt_that_opens_a_breaker_counts_like_any_other() {
    let (bench, _) = broken(HANGS);
    let waiting = bench.with(|state| state.broker.queue(SHORTEST).clone());
    assert_eq!(waiting.len(), 5);
    assert!(waiting.iter().all(|stored| header(stored, "bellhop-attempt") == Some("2")));
}

#[test]
fn whoever_shares_a_host_does_not_pay_for_a_neighbour_that_hangs() {
    let mut bench = Bench::new();
    let hanging = bench.webhook_at("shared", [HANGS; 5]);
    for _ in 0..5 {
        bench.deliver();
    }
    let neighbour = bench.webhook_at("shared", []);
    bench.deliver();
    assert_eq!(bench.calls()[5..], [(neighbour, 1)], "webhook {hanging} hangs");
    assert_eq!((open(&bench, "webhook"), open(&bench, "host")), (1.0, 0.0));
}

#[test]
fn a_host_that_cannot_be_reached_is_left_alone_for_all_its_webhooks_and_no_others() {
    for failure in [Failure::Dns, Failure::Connect, Failure::Tls] {
        let mut bench = Bench::new();
        let first = bench.webhook_at("down", [Reply::Failure(failure); 5]);
        for _ in 0..5 {
            bench.deliver();
        }
        let second = bench.webhook_at("down", []);
        let elsewhere = bench.webhook_at("up", []);
        bench.deliver();
        let calls = bench.calls();
        assert_eq!(calls[5..], [(elsewhere, 1)], "{failure:?}: {first} and {second} are down");
        assert_eq!((open(&bench, "host"), open(&bench, "webhook")), (1.0, 0.0));
    }
}

#[test]
fn an_endpoint_that_answers_opens_nothing_whatever_it_answers() {
    for reply in [
        Reply::Status(500),
        Reply::Status(404),
        Reply::Later(503, Duration::from_secs(1)),
        Reply::Failure(Failure::Interrupted),
        Reply::Failure(Failure::Protocol),
        Reply::Failure(Failure::ForbiddenAddress),
    ] {
        let mut bench = Bench::new();
        let webhook = bench.webhook([reply; 50]);
        for _ in 0..50 {
            bench.deliver();
        }
        assert_eq!(bench.calls(), [(webhook, 1); 50], "{reply:?}");
    }
}

#[test]
fn after_the_cool_down_one_probe_is_made_and_its_success_lets_all_pass() {
    for (reply, guards) in [(HANGS, "webhook"), (UNREACHABLE, "host")] {
        let (mut bench, webhook) = broken(reply);
        bench.with(|state| state.endpoints.set_answer_time(webhook, Duration::from_secs(3)));
        bench.pass(Duration::from_secs(30));
        let hands = bench.take_all(LaneKind::Due);
        assert_eq!(bench.calls()[5..], [(webhook, 2)], "one of five is the probe");
        let waiting = bench.with(|state| state.broker.queue(SHORTEST).clone());
        assert_eq!(waiting.len(), 4, "the others wait for what it finds");
        bench.finish_all(&hands);
        assert_eq!((open(&bench, guards), probes(&bench, guards, "closed")), (0.0, 1.0));
        bench.run_dry();
        assert_eq!(bench.calls()[5..], [(webhook, 2); 5]);
        assert!(bench.filled().is_empty(), "{:?}", bench.filled());
    }
}

#[test]
fn a_probe_that_fails_costs_its_attempt_and_the_others_none() {
    let (mut bench, webhook) = broken(HANGS);
    bench.with(|state| state.endpoints.script(webhook, [HANGS]));
    bench.pass(Duration::from_secs(30));
    for _ in 0..5 {
        assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    }
    assert_eq!(bench.calls()[5..], [(webhook, 2)]);
    // The cool-down is 20 s now.
    let others = bench.with(|state| state.broker.queue(SHORTEST).clone());
    assert_eq!(others.len(), 4);
    assert!(others.iter().all(|stored| stored.message.time_to_live == Some(Duration::from_secs(20))));
    assert!(others.iter().all(|stored| header(stored, "bellhop-attempt") == Some("2")));
    assert_eq!(bench.filled().iter().filter(|queue| *queue == "bellhop.live.wait.10m").count(), 1);
    assert_eq!(probes(&bench, "webhook", "failed").to_bits(), 1f64.to_bits());
}

#[test]
fn a_probe_that_panics_lets_the_next_one_be_made() {
    let (mut bench, webhook) = broken(HANGS);
    bench.with(|state| state.endpoints.script(webhook, [Reply::Panic]));
    bench.pass(Duration::from_secs(30));
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    assert_eq!(bench.calls()[5..], [(webhook, 2); 2]);
    assert_eq!((probes(&bench, "webhook", "abandoned"), open(&bench, "webhook")), (1.0, 0.0));
}

#[test]
fn what_waits_for_a_place_leaves_when_the_breaker_opens_and_is_put_off() {
    let mut bench = Bench::with_places(5, 100);
    let webhook = bench.webhook([Reply::Status(200), HANGS, HANGS, HANGS, HANGS, HANGS]);
    // Whoever was never quick has no five requests under way.
    bench.deliver();
    bench.with(|state| state.endpoints.set_answer_time(webhook, Duration::from_secs(15)));
    for _ in 0..9 {
        bench.publish(bench.event());
    }
    let hands = bench.take_all(LaneKind::Fresh);
    bench.finish_all(&hands);
    assert_eq!(bench.with(|state| state.broker.queue("bellhop.live.slow").len()), 4);
    bench.take_all(LaneKind::Slow);
    assert_eq!((bench.calls().len(), bench.with(|state| state.unavailable)), (1 + 5, 4));
    assert_eq!(bench.with(|state| state.now), Duration::from_secs(15));
}

#[test]
fn a_delivery_that_is_a_day_old_is_attempted_although_its_webhook_is_unavailable() {
    for (age, calls) in [(86_399, 5), (86_400, 6)] {
        let (mut bench, webhook) = broken(HANGS);
        let accepted_at = (1_700_000_000_i64 - age) * 1_000;
        let (id, accepted_at) = (bench.webhook_id(webhook), accepted_at.to_string());
        bench.owe(&[
            ("bellhop-webhook", &id),
            ("bellhop-series", "1"),
            ("bellhop-attempt", "1"),
            ("bellhop-accepted-at", &accepted_at),
        ]);
        assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
        assert_eq!(bench.calls().len(), calls, "{age} s");
    }
}

#[test]
fn an_endpoint_that_never_answers_again_ends_its_deliveries_within_a_day_and_three_attempts() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([HANGS; 100]);
    for _ in 0..20 {
        bench.publish(bench.event());
    }
    bench.run_dry();
    assert_eq!(bench.calls().len(), 60);
    assert_eq!(bench.logged(crate::world::records::end).len(), 20);
    let ended = bench.with(|state| state.now);
    assert!(ended < Duration::from_secs(25 * 60 * 60), "{ended:?}");
    // Each is put off about twice in ten minutes: at the end of a cool-down, and for what the probe finds.
    assert!(
        bench.with(|state| state.unavailable) < 20 * 24 * 6 * 2 + 20,
        "it was put off too often: {webhook}"
    );
}

/// A webhook that moves to another host while its delivery waits is judged by where it is then.
#[test]
fn a_webhook_whose_host_is_down_may_move() {
    let (mut bench, webhook) = broken(UNREACHABLE);
    bench.with(|state| {
        state.store.webhooks[webhook].host = "elsewhere".to_owned();
        state.store.enable(webhook, state.now);
    });
    bench.deliver();
    assert_eq!(bench.calls()[5..], [(webhook, 1)]);
}
