use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::{
    Addressed, AnswerRecord, Attempt, Decided, DeliveryId, EndReason, EventLabels, Expansion, Mode,
    PayloadLevel, RequestId, Sent, Series, Timing, WaitCause, WebhookId,
};

const BODY: &str = r#"{"id":"evt_1","type":"appointment.created","mode":"test","organisationId":"org_a","occurredAt":"2024-02-06T17:20:59Z","data":{"id":"apt_1","cost":112.50,"organisationId":"org_a","note":"ä \u00e4"}}"#;

fn event() -> Event {
    Event::parse(BODY.as_bytes(), Some(Mode::Test), &EventLabels::default()).expect("an event")
}

fn addressed() -> Addressed {
    let (event, webhook) = (event(), WebhookId::from_uuid(&[1; 16]));
    Addressed {
        delivery: DeliveryId::derive(event.mode, &event.organisation, &event.id, &webhook),
        mode: event.mode,
        organisation: event.organisation,
        event: event.id,
        event_type: event.event_type,
        webhook,
    }
}

fn attempt() -> AttemptRecord<'static> {
    AttemptRecord {
        request: RequestId::new(1_700_000_000_000, &[7; 16]),
        of: Cow::Owned(addressed()),
        series: Series(2),
        attempt: Attempt::FIRST,
        started_at_us: 1_700_000_000_000_123,
        timing: Timing { connected_us: None, head_us: Some(900), whole_us: 1_000 },
        status: Some(500),
        outcome: "5xx".into(),
        verdict: Decided::Retry { at_us: 1_700_000_030_000_123 },
        sent: Sent {
            payload: PayloadLevel::Full(Expansion { task: true, ..Expansion::default() }),
            timestamp: 1_700_000_000,
            signature: "v1,abc=".into(),
            user_agent: Some("Bellhop/0.1.0".into()),
            origin: Some("https://hooks.example:8443".into()),
        },
        answer: Some(AnswerRecord {
            headers: vec![("server".to_owned(), "\"x\"".to_owned())],
            body: "no,\n{}".to_owned(),
            is_truncated: true,
        }),
    }
}

fn end() -> End {
    let Addressed { delivery, mode, organisation, webhook, .. } = addressed();
    End {
        delivery,
        mode,
        organisation,
        webhook,
        series: Series::FIRST,
        attempt: Some(Attempt::FIRST),
        reason: EndReason::EndpointGone,
        outcome: "4xx".to_owned(),
        ended_at_us: -1,
        event: vec![0, 255, b'{'],
    }
}

fn waiting(cause: WaitCause) -> WaitingRecord<'static> {
    WaitingRecord {
        of: Cow::Owned(addressed()),
        series: Series(2),
        attempt: None,
        since_us: 1_700_000_000_000_123,
        cause,
    }
}

fn batch() -> Records {
    let mut records = Records::default();
    records.push_event(&event(), BODY.as_bytes(), OffsetDateTime::UNIX_EPOCH);
    records.push_attempt(&attempt());
    records.push_end(&end());
    records
}

#[test]
fn records_survive_their_encoding() {
    let records = decode_batch(&batch().into_message()).expect("decodes");
    let [Record::Event(event), Record::Attempt(made), Record::End(ended)] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!((event.taken_at_us, event.body()), (0, BODY));
    assert_eq!((&**made, ended), (&attempt(), &end()));
    let bare = AttemptRecord { status: None, verdict: Decided::Gone, answer: None, ..attempt() };
    let mut records = Records::default();
    records.push_attempt(&bare);
    assert_eq!(decode_batch(&records.into_message()), Ok(vec![Record::Attempt(Box::new(bare))]));
    let never = End { attempt: None, reason: EndReason::WebhookInactive, ..end() };
    let mut records = Records::default();
    records.push_end(&never);
    assert_eq!(decode_batch(&records.into_message()), Ok(vec![Record::End(never)]));
}

#[test]
fn deliveries_that_wait_survive_their_encoding_and_make_a_batch_of_version_2() {
    let causes = [WaitCause::Busy, WaitCause::Slow, WaitCause::Unavailable { next_at_us: 7 }];
    let waits: Vec<WaitingRecord<'static>> = causes.map(waiting).into();
    let mut records = batch();
    let mut others = Records::default();
    waits.iter().for_each(|wait| others.push_waiting(wait));
    records.append(&others);
    let message = records.into_message();
    assert!(message.starts_with(br#"{"version":2,"#));
    let decoded = decode_batch(&message).expect("decodes");
    let expected: Vec<Record> = waits.into_iter().map(|wait| Record::Waiting(Box::new(wait))).collect();
    assert_eq!(decoded[3..], expected);
    assert!(decode_each(&message).is_ok_and(|records| records.iter().all(Result::is_ok)));
}

/// Recorders from before read what they always did.
#[test]
fn a_batch_without_deliveries_that_wait_is_of_version_1() {
    for records in [Records::default(), batch()] {
        assert!(records.into_message().starts_with(br#"{"version":1,"#));
    }
}

#[test]
fn joined_records_are_all_of_them_in_their_order() {
    let mut joined = Records::default();
    joined.append(&Records::default());
    assert!(joined.is_empty());
    assert_eq!(decode_batch(&joined.clone().into_message()), Ok(Vec::new()));
    joined.append(&batch());
    joined.append(&Records::default());
    joined.append(&batch());
    assert_eq!(joined.len(), 6);
    let (bytes, message) = (joined.message_bytes(), joined.into_message());
    assert_eq!(message.len(), bytes);
    let once = decode_batch(&batch().into_message()).expect("decodes");
    assert_eq!(decode_batch(&message), Ok([&once[..], &once[..]].concat()));
}

#[test]
fn later_versions_and_unknown_words_are_refused_and_new_members_are_not() {
    let text = String::from_utf8(batch().into_message()).expect("JSON");
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in {text}");
        decode_batch(text.replace(from, to).as_bytes())
    };
    assert!(changed(r#""version":1"#, r#""version":2"#).is_ok());
    assert_eq!(changed(r#""version":1"#, r#""version":3"#), Err(RecordError::Version(3)));
    let later = br#"{"version":3,"entries":[]}"#;
    assert_eq!(decode_batch(later), Err(RecordError::Version(3)));
    for (from, to) in [
        (r#""endpoint_gone""#, r#""bored""#),
        (r#""attempt":1,"#, r#""attempt":4,"#),
        (r#""mode":"test","organisation":"#, r#""mode":"both","organisation":"#),
        (r#""delivery":"dlv_"#, r#""delivery":"dlv_X"#),
        (r#"{"attempt":{"#, r#"{"guess":{"#),
    ] {
        assert!(matches!(changed(from, to), Err(RecordError::Malformed { .. })), "{to}");
    }
    assert!(changed(r#""outcome":"5xx""#, r#""outcome":"5xx","mood":"good""#).is_ok());
}

#[test]
fn an_error_repeats_nothing_of_a_record() {
    let text = String::from_utf8(batch().into_message()).expect("JSON");
    let error = decode_batch(text.replace(r#""status":500"#, r#""status":"Jane Doe""#).as_bytes());
    let shown = format!("{0} {0:?}", error.expect_err("a status is a number"));
    assert!(!shown.contains("Jane"), "{shown}");
}

/// Workers are replaced one by one, and the log may wait for days.
#[test]
fn records_that_tell_less_of_what_was_sent_are_read_beside_those_that_tell_all() {
    let text = String::from_utf8(batch().into_message()).expect("JSON");
    let told = r#","user_agent":"Bellhop/0.1.0","origin":"https://hooks.example:8443""#;
    let less = text.replace(told, "");
    assert_ne!(less, text);
    let sent = Sent { user_agent: None, origin: None, ..attempt().sent };
    let expected = Record::Attempt(Box::new(AttemptRecord { sent, ..attempt() }));
    assert_eq!(decode_batch(less.as_bytes()).expect("a batch")[1], expected);
}

proptest! {
    #[test]
    fn whatever_an_endpoint_said_survives(body: String, name: String, value: String, signature: String) {
        let said = AnswerRecord { headers: vec![(name, value)], body, is_truncated: false };
        let sent = Sent { signature: signature.into(), ..attempt().sent };
        let record = AttemptRecord { answer: Some(said), sent, ..attempt() };
        let mut records = Records::default();
        records.push_attempt(&record);
        prop_assert_eq!(decode_batch(&records.into_message()), Ok(vec![Record::Attempt(Box::new(record))]));
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(bytes: Vec<u8>) {
        let _ = decode_batch(&bytes);
    }
}

#[test]
fn a_record_that_cannot_be_read_does_not_hide_the_others() {
    let text = String::from_utf8(batch().into_message()).expect("JSON");
    let spoilt = text.replace(r#""attempt":1,"started"#, r#""attempt":4,"started"#);
    assert_ne!(spoilt, text);
    let decoded = decode_each(spoilt.as_bytes()).expect("a batch");
    assert!(matches!(&decoded[..], [Ok(Record::Event(_)), Err(_), Ok(Record::End(_))]), "{decoded:?}");
    let whole: Vec<Record> = decode_each(text.as_bytes())
        .expect("a batch")
        .into_iter()
        .map(|record| record.expect("sound"))
        .collect();
    assert_eq!(Ok(whole), decode_batch(text.as_bytes()));
    assert!(decode_each(b"[]").is_err());
    let later = decode_each(br#"{"version":3,"records":[]}"#).expect_err("later");
    assert!(later.is_of_later_version() && !RecordError::Version(0).is_of_later_version());
}
