//! Setting aside what cannot be processed: bytes as they came, and why.

use std::time::Duration;

use bellhop_broker::Outgoing;
use bellhop_worker::{LaneKind, Settlement};

use super::bench::{Bench, header};
use crate::world::broker::Stored;
use crate::world::endpoints::Reply;
use crate::world::outages::ALWAYS;

const PARKED: &str = "bellhop.live.parked";

/// What a message in the due lane says of itself, at the least.
const OWED: [(&str, &str); 3] =
    [("bellhop-series", "1"), ("bellhop-attempt", "2"), ("bellhop-accepted-at", "1700000000000")];

#[test]
fn a_malformed_event_is_parked_with_its_bytes_and_the_reason() {
    let with = |from: &'static str, to: &'static str| {
        move |body: &[u8]| String::from_utf8_lossy(body).replace(from, to).into_bytes()
    };
    type Spoil = Box<dyn Fn(&[u8]) -> Vec<u8>>;
    let cases: [(Spoil, &str); 9] = [
        (Box::new(|_| Vec::new()), "ends too early"),
        (Box::new(|body| body[..body.len() / 2].to_vec()), "ends too early"),
        (Box::new(|body| [body, &[0xFF]].concat()), "not UTF-8"),
        (Box::new(|body| [body, b"}"].concat()), "not well-formed"),
        (Box::new(|body| [body, &[b' '; 64 * 1024]].concat()), "at most 65536"),
        (Box::new(with(r#""occurredAt""#, r#""occurred""#)), "`occurredAt` is missing"),
        (Box::new(with(r#""firstName":"Test""#, r#""id":"p_2""#)), "`data.patient`"),
        (Box::new(with("org_a", "organisation")), "expected `org_`"),
        (Box::new(with("2023-11-14T", "14.11.2023 ")), "RFC 3339"),
    ];
    for (spoil, reason) in cases {
        let mut bench = Bench::new();
        bench.webhook([]);
        let mut message = bench.event();
        message.body = spoil(&message.body).into();
        let original = message.clone();
        bench.publish(message);
        assert_eq!(bench.process(LaneKind::Fresh), Settlement::Acknowledge);
        assert_parked(&bench, &original, reason);
    }
}

/// The property content_type is the one label that a message of this world cannot get wrong; the model's tests do.
#[test]
fn any_disagreement_about_an_event_parks_it() {
    type Spoil = fn(&mut Outgoing);
    let spoils: [(Spoil, &str); 6] = [
        (|message| message.routing_key = "live.appointment.created".to_owned(), "the routing key says"),
        (|message| message.message_id = "evt_9".to_owned(), "message_id says"),
        (|message| message.message_type = Some("appointment.created".to_owned()), "type says"),
        (|message| message.headers[0].1 = "org_b".to_owned(), "organisation-id says"),
        (
            |message| replace(message, r#""organisationId":"org_a"}}"#, r#""organisationId":"org_b"}}"#),
            "`data.organisationId` says",
        ),
        (|message| replace(message, r#""mode":"live""#, r#""mode":"test""#), "the queue says"),
    ];
    for (spoil, reason) in spoils {
        let mut bench = Bench::new();
        bench.webhook([]);
        let mut message = bench.event();
        spoil(&mut message);
        bench.publish(message.clone());
        assert_eq!(bench.process(LaneKind::Fresh), Settlement::Acknowledge);
        assert_parked(&bench, &message, reason);
    }
}

#[test]
fn a_parked_message_tells_where_it_came_from_and_what_it_was_called() {
    let mut bench = Bench::new();
    let mut message = bench.event();
    message.body.truncate(9);
    bench.publish(message.clone());
    bench.process(LaneKind::Fresh);
    let parked = bench.only(PARKED);
    for (name, value) in [
        ("bellhop-origin", "bellhop.live.events.0"),
        ("bellhop-routing-key", message.routing_key.as_str()),
        ("bellhop-message-id", message.message_id.as_str()),
        ("organisation-id", "org_a"),
    ] {
        assert_eq!(header(&parked, name), Some(value), "{name}");
    }
    assert_ne!(parked.message.message_id, message.message_id);
}

#[test]
fn a_due_message_that_does_not_say_what_it_owes_is_parked() {
    let cases: [(&[(&'static str, &str)], &str); 6] = [
        (&[], "`bellhop-series`"),
        (&[OWED[0], ("bellhop-attempt", "4"), OWED[2]], "`bellhop-attempt`"),
        (&[OWED[0], ("bellhop-attempt", "0"), OWED[2]], "`bellhop-attempt`"),
        (&[OWED[0], OWED[1], ("bellhop-accepted-at", "soon")], "`bellhop-accepted-at`"),
        (&[OWED[0], OWED[1], OWED[2], ("bellhop-webhook", "mine")], "`bellhop-webhook`"),
        (&[OWED[0], OWED[1], OWED[2], ("bellhop-unrecorded", "attempts_failed")], "`bellhop-webhook`"),
    ];
    for (headers, reason) in cases {
        let mut bench = Bench::new();
        bench.webhook([]);
        let original = bench.event();
        bench.owe(headers);
        assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
        assert_parked(&bench, &original, reason);
    }
}

#[test]
fn a_due_event_that_disagrees_is_parked_with_what_it_owes() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    let id = bench.webhook_id(webhook);
    bench.owe(&[OWED[0], OWED[1], OWED[2], ("bellhop-webhook", &id), ("bellhop-copy", "c")]);
    bench.with(|state| {
        let mut stored = state.broker.discard("bellhop.live.due");
        stored.message.message_type = Some("appointment.created".to_owned());
        state.place("bellhop.live.due", stored.message)
    });
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    let parked = bench.only(PARKED);
    for (name, value) in OWED.iter().copied().chain([("bellhop-webhook", id.as_str()), ("bellhop-copy", "c")])
    {
        assert_eq!(header(&parked, name), Some(value), "{name}");
    }
}

#[test]
fn a_panic_parks_its_delivery_and_no_other() {
    let mut bench = Bench::new();
    let [panics, good, failing] =
        [Reply::Panic, Reply::Status(200), Reply::Status(500)].map(|reply| bench.webhook([reply]));
    let original = bench.event();
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(panics, 1), (good, 1), (failing, 1)]);
    let parked = assert_parked_only(&bench, &original, "panicked");
    assert_eq!(header(&parked, "bellhop-webhook"), Some(bench.webhook_id(panics).as_str()));
    assert_eq!(header(&parked, "bellhop-attempt"), Some("1"));
    assert_eq!(bench.filled(), [PARKED, "bellhop.live.wait.30s"]);
    let waiting = bench.only("bellhop.live.wait.30s");
    assert_eq!(header(&waiting, "bellhop-webhook"), Some(bench.webhook_id(failing).as_str()));
    assert!((bench.counted("bellhop_panics_total") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_panic_outside_any_delivery_parks_the_event() {
    let mut bench = Bench::new();
    let original = bench.event();
    bench.with(|state| state.outages.panicking.push(ALWAYS));
    assert_eq!(bench.deliver(), Settlement::Acknowledge);
    let parked = assert_parked_only(&bench, &original, "panicked");
    assert_eq!(header(&parked, "bellhop-webhook"), None);
}

#[test]
fn a_panic_over_a_due_message_parks_it_with_what_it_owes() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([Reply::Status(500)]);
    bench.deliver();
    let waiting = bench.only("bellhop.live.wait.30s");
    bench.with(|state| state.outages.panicking.push(ALWAYS));
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    let parked = bench.only(PARKED);
    for name in
        ["bellhop-webhook", "bellhop-series", "bellhop-attempt", "bellhop-copy", "bellhop-accepted-at"]
    {
        assert_eq!(header(&parked, name), header(&waiting, name), "{name}");
    }
    assert_eq!(bench.calls(), [(webhook, 1)]);
}

#[test]
fn a_full_parking_queue_keeps_the_message_in_hand() {
    let mut bench = Bench::new();
    let mut message = bench.event();
    message.body.truncate(9);
    let minute = Duration::ZERO..Duration::from_secs(60);
    bench.with(|state| state.outages.refusing.push((PARKED.to_owned(), minute)));
    bench.publish(message.clone());
    let hand = bench.take(LaneKind::Fresh);
    assert_eq!(bench.kept(), 1);
    assert_eq!(bench.finish(hand), Settlement::Acknowledge);
    assert_parked(&bench, &message, "ends too early");
}

/// The message, and nothing else, is parked.
fn assert_parked(bench: &Bench, original: &Outgoing, reason: &str) {
    assert_parked_only(bench, original, reason);
    assert_eq!((bench.filled(), bench.calls()), (vec![PARKED.to_owned()], Vec::new()), "{reason}");
}

fn assert_parked_only(bench: &Bench, original: &Outgoing, reason: &str) -> Stored {
    let parked = bench.only(PARKED);
    let told = header(&parked, "bellhop-reason").expect("a reason");
    assert!(told.contains(reason), "`{told}` says nothing of `{reason}`");
    assert_eq!(parked.message.body, original.body);
    parked
}

fn replace(message: &mut Outgoing, from: &str, to: &str) {
    let body = String::from_utf8(message.body.to_vec()).expect("an event is UTF-8");
    assert!(body.contains(from), "{body}");
    message.body = body.replace(from, to).into();
}
