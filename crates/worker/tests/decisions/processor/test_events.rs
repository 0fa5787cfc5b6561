//! Test events: due from the beginning, at one webhook, and otherwise like any other.

use bellhop_model::{EventRecord, Record};
use bellhop_worker::{LaneKind, Settlement};

use super::bench::Bench;
use crate::world::endpoints::Reply;

fn events(bench: &Bench) -> Vec<EventRecord> {
    bench.logged(|record| match record {
        Record::Event(event) => Some(event),
        Record::Attempt(_) | Record::End(_) | Record::Waiting(_) => None,
    })
}

/// Puts a test event for a webhook into the due lane, as the API does.
fn owe_test(bench: &Bench, webhook: usize) -> String {
    let mut message = bench.event();
    let text = std::str::from_utf8(&message.body).expect("UTF-8");
    let marked = format!("{},\"testEvent\":true}}", &text[..text.len() - 1]);
    message.body = marked.clone().into_bytes().into();
    let headers = [
        ("bellhop-webhook", bench.webhook_id(webhook)),
        ("bellhop-series", "1".to_owned()),
        ("bellhop-attempt", "1".to_owned()),
        ("bellhop-accepted-at", "1700000000000".to_owned()),
    ];
    message.headers.extend(headers);
    bench.with(|state| state.place("bellhop.live.due", message));
    marked
}

#[test]
fn only_the_webhook_it_is_for_gets_it_and_the_log_hears_of_it_once() {
    let mut bench = Bench::new();
    let _other = bench.webhook([]);
    let webhook = bench.webhook([Reply::Status(500)]);
    let body = owe_test(&bench, webhook);
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    let [event] = &events(&bench)[..] else { panic!("the event is not on record, or not once") };
    assert_eq!(event.body(), body);
    assert_eq!(bench.only("bellhop.live.wait.30s").message.body, body, "the mark stays with the event");
    assert_eq!(bench.deliver_due(), Settlement::Acknowledge);
    assert_eq!(bench.calls(), [(webhook, 1), (webhook, 2)]);
    assert_eq!((events(&bench).len(), bench.requests().len()), (1, 2));
}

#[test]
fn a_webhook_that_went_away_meanwhile_gets_no_test_event() {
    let mut bench = Bench::new();
    let webhook = bench.webhook([]);
    bench.with(|state| state.store.disable(webhook, state.now));
    owe_test(&bench, webhook);
    assert_eq!(bench.process(LaneKind::Due), Settlement::Acknowledge);
    assert!(bench.calls().is_empty());
    assert_eq!(bench.end().webhook.as_str(), bench.webhook_id(webhook));
}
