//! Who wants an event: somebody, nobody, or it cannot be told now.

use std::time::Duration;

use bellhop_model::Mode;
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, TYPE, header};
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;
use crate::world::{event, scope};

#[test]
fn an_event_that_nobody_wants_is_acknowledged() {
    let cases = [
        ("no webhook at all", None),
        ("another type", Some((Mode::Live, "org_a", "appointment.created"))),
        ("the other mode", Some((Mode::Test, "org_a", TYPE))),
        ("another organisation", Some((Mode::Live, "org_b", TYPE))),
    ];
    for (case, registered) in cases {
        let mut bench = Bench::new();
        if let Some((mode, organisation, event_type)) = registered {
            bench.with(|state| {
                state.store.register(&scope(mode, organisation), &[event_type], Duration::ZERO)
            });
        }
        assert_eq!(bench.deliver(), Settlement::Acknowledge, "{case}");
        assert_eq!((bench.calls(), bench.filled()), (Vec::new(), Vec::new()), "{case}");
    }
}

#[test]
fn an_event_is_deferred_whole_while_nobody_can_tell_who_wants_it() {
    let mut bench = Bench::new();
    let webhooks = [bench.webhook([]), bench.webhook([])];
    bench.with(|state| state.outages.store.push(Duration::ZERO..Duration::from_secs(5)));
    let body = bench.event().body;
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    let deferred = bench.only("bellhop.live.wait.10s");
    assert_eq!(deferred.message.body, body);
    assert_eq!(
        (header(&deferred, "bellhop-attempt"), header(&deferred, "bellhop-webhook")),
        (Some("1"), None)
    );
    assert_eq!(bench.calls(), []);
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), webhooks.map(|webhook| (webhook, 1)));
    assert!(bench.filled().is_empty(), "{:?}", bench.filled());
}

#[test]
fn a_deferred_attempt_stays_the_same_attempt_and_the_same_copy() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(500)]);
    bench.deliver();
    let waiting = bench.only("bellhop.live.wait.30s");
    bench.with(|state| state.outages.store.push(Duration::ZERO..Duration::from_secs(31)));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    let deferred = bench.only("bellhop.live.wait.30s");
    assert_eq!(deferred.message.headers, waiting.message.headers);
    assert_eq!(deferred.message.body, waiting.message.body);
    bench.deliver_due();
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2)]);
}

#[test]
fn an_event_is_put_off_for_longer_the_older_it_is() {
    for (age, rung) in [
        (0, "10s"),
        (20, "10s"),
        (21, "30s"),
        (60, "30s"),
        (61, "2m"),
        (300, "10m"),
        (3_600, "1h"),
        (86_400, "1h"),
    ] {
        let mut bench = Bench::new();
        bench.with(|state| {
            state.outages.store.push(ALWAYS);
            state.advance(Duration::from_secs(age));
        });
        let (series, attempt) = (("bellhop-series", "1"), ("bellhop-attempt", "1"));
        bench.owe(&[series, attempt, ("bellhop-accepted-at", "1700000000000")]);
        assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
        assert_eq!(bench.filled(), [format!("bellhop.live.wait.{rung}")], "{age} s");
    }
}

#[test]
fn however_long_nobody_can_tell_the_event_is_not_dropped() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    let until = Duration::from_secs(3 * 24 * 60 * 60);
    bench.with(|state| state.outages.store.push(Duration::ZERO..until));
    bench.deliver();
    while bench.with(|state| state.now) < until {
        assert_eq!(bench.filled().len(), 1);
        assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    }
    assert_eq!(bench.calls(), [(webhook, 1)]);
}

#[test]
fn a_deferral_that_every_rung_refuses_is_kept() {
    let mut bench = Bench::new();
    bench.webhook([]);
    let minute = Duration::ZERO..Duration::from_secs(60);
    bench.with(|state| {
        state.outages.store.push(ALWAYS);
        let rungs = ["10s", "30s", "2m", "10m", "1h"].map(|rung| format!("bellhop.live.wait.{rung}"));
        state.outages.refusing.extend(rungs.map(|queue| (queue, minute.clone())));
    });
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert!(minute.end <= bench.with(|state| state.now));
    assert_eq!(bench.filled(), ["bellhop.live.wait.10s"]);
}

#[test]
fn test_mode_stays_in_test_mode() {
    let mut bench = Bench::new();
    let test = scope(Mode::Test, "org_a");
    bench.webhook([]);
    bench.with(|state| {
        let webhook = state.store.register(&test, &[TYPE], Duration::ZERO);
        state.endpoints.script(webhook, [Reply::Status(500), Reply::Status(410)]);
        let message = event(&test, TYPE, 0, state.wall());
        state.publish_event(message);
    });
    bench.process_in(Mode::Test, LaneKind::Fresh);
    assert_eq!(bench.filled(), ["bellhop.test.wait.30s"]);
    bench.with(|state| state.advance(Duration::from_secs(30)));
    bench.process_in(Mode::Test, LaneKind::Due);
    assert_eq!(bench.calls(), [(1, 1), (1, 2)]);
    assert_eq!(bench.end().mode, Mode::Test);
}
