//! Tests of the balance.

use bellhop_model::{Attempt, DeliveryId, End, EndReason, EventId, Mode, OrganisationId, Series, WebhookId};

use super::*;
use crate::sink::{Run, RunTally};

/// Four events of one run.
fn expected() -> Expected {
    Expected { runs: vec![Run { events: 4, turns: vec![0], is_timed: true }] }
}

fn seen(attempts: &[u8], is_taken: bool) -> Seen {
    let mut seen = Seen::default();
    for attempt in attempts {
        seen.count(*attempt);
    }
    Seen(seen.0 | if is_taken { 1 << 3 } else { 0 })
}

fn tally(seen: [Seen; 4]) -> TallyTold {
    TallyTold { runs: vec![RunTally { seen: seen.to_vec(), ..RunTally::default() }], strays: 0 }
}

fn body(number: usize) -> Vec<u8> {
    format!(r#"{{"id":"0-{number}-99","type":"t"}}"#).into_bytes()
}

fn end(number: usize, reason: EndReason) -> Record {
    let (webhook, event): (_, EventId) = (WebhookId::from_uuid(&[1; 16]), "e".parse().expect("an id"));
    let organisation: OrganisationId = "org_a".parse().expect("an id");
    Record::End(End {
        delivery: DeliveryId::derive(Mode::Test, &organisation, &event, &webhook),
        mode: Mode::Test,
        organisation,
        webhook,
        series: Series::FIRST,
        attempt: Some(Attempt::FIRST),
        reason,
        outcome: "5xx".to_owned(),
        ended_at_us: 0,
        event: body(number),
    })
}

/// One is delivered, one exhausted, one cancelled, one waits.
fn sound() -> (Ledger, TallyTold) {
    let mut ledger = Ledger::of(&expected());
    ledger.note_record(&end(1, EndReason::AttemptsFailed));
    ledger.note_record(&end(2, EndReason::WebhookInactive));
    ledger.note_queued(&body(3));
    (ledger, tally([seen(&[1], true), seen(&[1, 2, 3], false), Seen::default(), seen(&[1], false)]))
}

#[test]
fn each_event_is_counted_once_for_what_became_of_it() {
    let (ledger, tally) = sound();
    let balance = ledger.balance(&tally, 0);
    assert_eq!(balance.breaches, Vec::<String>::new());
    assert_eq!(
        (balance.published, balance.delivered, balance.exhausted, balance.cancelled, balance.waiting),
        (4, 1, 1, 1, 1)
    );
    assert_eq!((balance.lost, balance.requests, balance.requests_max), (0, 5, 3));
    assert!(balance.is_kept() && ledger.missing(&tally) == 0);
}

#[test]
fn what_nobody_has_is_lost() {
    let (ledger, mut tally) = sound();
    tally.runs[0].seen[0] = seen(&[1], false);
    let balance = ledger.balance(&tally, 0);
    assert_eq!((balance.lost, ledger.missing(&tally)), (1, 1));
    assert!(!balance.is_kept() && balance.breaches[0].contains("event 0 of run 0 is lost"));
}

#[test]
fn more_than_three_requests_are_a_breach_whoever_tells_of_them() {
    let (ledger, mut tally) = sound();
    tally.runs[0].seen[3] = seen(&[1, 2, 3, 3], false);
    assert!(ledger.balance(&tally, 0).breaches[0].contains("had 4 requests"));
    let (mut ledger, tally) = sound();
    for attempt in [1, 2, 3, 3] {
        ledger.runs[0][3].logged.count(attempt);
    }
    assert!(ledger.balance(&tally, 0).breaches[0].contains("had 4 requests"));
}

#[test]
fn repeats_strays_and_strangers_are_breaches() {
    let (ledger, mut tally) = sound();
    tally.runs[0].repeats = 2;
    tally.strays = 1;
    assert_eq!(ledger.balance(&tally, 0).breaches.len(), 2);
    let (mut ledger, tally) = sound();
    for attempt in [1, 1] {
        // What is cancelled here was seen by no endpoint.
        ledger.runs[0][2].logged.count(attempt);
    }
    assert_eq!(ledger.balance(&tally, 0).breaches, ["1 requests repeat an attempt"]);
    let (mut ledger, tally) = sound();
    ledger.note_queued(b"{}");
    assert_eq!(ledger.balance(&tally, 0).breaches.len(), 1);
}

#[test]
fn two_copies_two_ends_and_ends_that_cannot_be_are_breaches() {
    for (record, words) in [
        (end(1, EndReason::AttemptsFailed), "2 ends"),
        (end(0, EndReason::WebhookInactive), "ended otherwise"),
        (end(3, EndReason::AttemptsFailed), "before its third"),
    ] {
        let (mut ledger, tally) = sound();
        ledger.note_record(&record);
        let breaches = ledger.balance(&tally, 1).breaches;
        assert!(breaches.iter().any(|breach| breach.contains(words)), "{words}: {breaches:?}");
    }
    let (mut ledger, tally) = sound();
    ledger.note_queued(&body(3));
    assert!(ledger.balance(&tally, 0).breaches[0].contains("2 copies"));
}

#[test]
fn as_many_as_were_in_hand_may_be_offered_again() {
    let (mut ledger, tally) = sound();
    ledger.note_queued(&body(0));
    let balance = ledger.balance(&tally, 1);
    assert_eq!((balance.delivered, balance.waiting, balance.offered_again), (1, 1, 1));
    assert!(balance.is_kept());
    assert!(!ledger.balance(&tally, 0).is_kept());
}
