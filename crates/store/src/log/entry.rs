//! From a record to what the tables hold of it: everything is checked here, before a transaction begins.

use std::borrow::Cow;

use bellhop_model::{
    Addressed, AnswerRecord, AttemptRecord, DeliveryId, End, Event, EventError, EventId, EventLabels,
    EventRecord, EventType, Mode, Record, Standing, WaitingRecord, WebhookId,
};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::scope::Scope;

/// Longest appointment id that is kept, in characters. One chosen to be longer is no id of the platform's.
const APPOINTMENT_CHARS_MAX: usize = 128;

/// A record that the log can hold.
#[derive(Debug, Clone)]
pub struct LogEntry {
    pub(super) event: Option<EventEntry>,
    pub(super) attempt: Option<Box<AttemptRecord<'static>>>,
    pub(super) delivery: Option<DeliveryEntry>,
}

/// Why the log cannot hold a record, by itself. The text never repeats a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableRecord {
    /// The event in it is none.
    #[error("its event cannot be read: {0}")]
    Event(#[from] EventError),
    /// A time outside of the calendar.
    #[error("its time, {0} µs since the epoch, is in no calendar")]
    Time(i64),
    /// The event in it is not the one that the delivery's id was made from.
    #[error("its event is not the one that the delivery `{0}` is about")]
    Delivery(DeliveryId),
}

/// An event as it is kept.
#[derive(Debug, Clone)]
pub(super) struct EventEntry {
    pub(super) scope: Scope,
    pub(super) event: EventId,
    pub(super) event_type: EventType,
    pub(super) appointment: Option<String>,
    pub(super) occurred_at: OffsetDateTime,
    pub(super) taken_at: OffsetDateTime,
    pub(super) is_test: bool,
    pub(super) body: Vec<u8>,
}

/// A delivery as one record tells of it.
#[derive(Debug, Clone)]
pub(super) struct DeliveryEntry {
    pub(super) id: DeliveryId,
    pub(super) scope: Scope,
    pub(super) event: EventId,
    pub(super) event_type: EventType,
    pub(super) webhook: WebhookId,
    pub(super) begun_at: OffsetDateTime,
    pub(super) standing: Standing,
}

impl LogEntry {
    /// Checks a record.
    ///
    /// # Errors
    /// [`UnusableRecord`] when it can never be written, whatever the state of the tables.
    pub fn new(record: Record) -> Result<Self, UnusableRecord> {
        match record {
            Record::Event(event) => Self::of_event(&event),
            Record::Attempt(attempt) => Self::of_attempt(attempt),
            Record::End(end) => Self::of_end(end),
            Record::Waiting(waiting) => Self::of_waiting(&waiting),
        }
    }

    /// When the record was made: when the event was taken, the request begun, the end come, the wait begun.
    #[must_use]
    pub fn made_at(&self) -> OffsetDateTime {
        let delivery = self.delivery.as_ref().map(|delivery| delivery.begun_at);
        let event = self.event.as_ref().map(|event| event.taken_at);
        delivery.or(event).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn of_event(record: &EventRecord) -> Result<Self, UnusableRecord> {
        let event = EventEntry::read(record.body().as_bytes().to_vec(), record.taken_at_us)?;
        Ok(Self { event: Some(event), attempt: None, delivery: None })
    }

    fn of_attempt(record: Box<AttemptRecord<'static>>) -> Result<Self, UnusableRecord> {
        let standing = Standing::of_attempt(&record);
        let delivery = DeliveryEntry::new(&record.of, record.started_at_us, standing)?;
        Ok(Self { event: None, attempt: Some(record), delivery: Some(delivery) })
    }

    fn of_waiting(record: &WaitingRecord<'_>) -> Result<Self, UnusableRecord> {
        let standing = Standing::of_waiting(record);
        let delivery = DeliveryEntry::new(&record.of, record.since_us, standing)?;
        Ok(Self { event: None, attempt: None, delivery: Some(delivery) })
    }

    /// An end carries its event, which may be on record nowhere else: the log may have refused it when it was taken.
    fn of_end(end: End) -> Result<Self, UnusableRecord> {
        let standing = checked(Standing::of_end(&end))?;
        let event = EventEntry::read(end.event, end.ended_at_us)?;
        let Scope { mode, organisation } = &event.scope;
        if end.delivery != DeliveryId::derive(*mode, organisation, &event.event, &end.webhook) {
            return Err(UnusableRecord::Delivery(end.delivery));
        }
        let delivery = DeliveryEntry {
            id: end.delivery,
            scope: event.scope.clone(),
            event: event.event.clone(),
            event_type: event.event_type.clone(),
            webhook: end.webhook,
            begun_at: event.taken_at,
            standing,
        };
        Ok(Self { event: Some(event), attempt: None, delivery: Some(delivery) })
    }
}

impl EventEntry {
    fn read(body: Vec<u8>, taken_at_us: i64) -> Result<Self, UnusableRecord> {
        let event = Event::parse(&body, None, &EventLabels::default())?;
        Ok(Self {
            scope: Scope { mode: event.mode, organisation: event.organisation },
            event: event.id,
            event_type: event.event_type,
            appointment: appointment(&body),
            occurred_at: event.occurred_at,
            taken_at: moment(taken_at_us)?,
            is_test: event.is_test,
            body,
        })
    }

    /// What an event is called.
    pub(super) fn key(&self) -> (Mode, &str, &str) {
        (self.scope.mode, self.scope.organisation.as_str(), self.event.as_str())
    }
}

impl DeliveryEntry {
    fn new(of: &Addressed, begun_at_us: i64, standing: Standing) -> Result<Self, UnusableRecord> {
        let Addressed { delivery, mode, organisation, event, event_type, webhook } = of;
        Ok(Self {
            id: delivery.clone(),
            scope: Scope::new(*mode, organisation),
            event: event.clone(),
            event_type: event_type.clone(),
            webhook: webhook.clone(),
            begun_at: moment(begun_at_us)?,
            standing: checked(standing)?,
        })
    }

    /// What two records tell of one delivery.
    pub(super) fn merge(&mut self, other: &Self) {
        self.begun_at = self.begun_at.min(other.begun_at);
        self.standing = self.standing.clone().after(other.standing.clone());
    }
}

/// The answer's bytes, as they are sealed.
pub(super) fn answer_bytes(answer: &AnswerRecord) -> Vec<u8> {
    serde_json::to_vec(answer).expect("an answer of plain fields serialises")
}

/// A moment from microseconds since the epoch.
pub(super) fn moment(micros: i64) -> Result<OffsetDateTime, UnusableRecord> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .map_err(|_| UnusableRecord::Time(micros))
}

/// A standing whose moments can be written.
fn checked(standing: Standing) -> Result<Standing, UnusableRecord> {
    moment(standing.since_us)?;
    if let Some(next_at_us) = standing.state.next_at_us() {
        moment(next_at_us)?;
    }
    Ok(standing)
}

/// `data.id`, if it is a text that an id could be.
fn appointment(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: Identified<'a>,
    }
    #[derive(Deserialize)]
    struct Identified<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    let Envelope { data } = serde_json::from_slice(body).ok()?;
    let id = data.id.into_owned();
    let is_id = id.chars().count() <= APPOINTMENT_CHARS_MAX && !id.chars().any(char::is_control);
    is_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":"evt_1","type":"a.b","mode":"test","organisationId":"org_a","occurredAt":"2024-02-06T17:20:59Z","data":{"id":"apt_1","organisationId":"org_a"}}"#;

    #[test]
    fn only_what_an_id_could_be_is_kept_of_an_appointment() {
        assert_eq!(appointment(BODY.as_bytes()).as_deref(), Some("apt_1"));
        let with_id = |id: &str| appointment(BODY.replace("\"apt_1\"", id).as_bytes());
        assert_eq!(with_id("7"), None);
        assert_eq!(with_id("\"a\\u0000\""), None);
        assert_eq!(with_id(&format!("\"{}\"", "a".repeat(129))), None);
        assert_eq!(with_id(&format!("\"{}\"", "ä".repeat(128))), Some("ä".repeat(128)));
    }

    #[test]
    fn what_can_never_be_written_is_told_before_it_is_tried() {
        let entry = EventEntry::read(BODY.into(), 1_700_000_000_000_000).expect("an event");
        assert_eq!(entry.key(), (Mode::Test, "org_a", "evt_1"));
        let error = EventEntry::read(BODY.into(), i64::MAX).expect_err("year 294247");
        assert_eq!(error, UnusableRecord::Time(i64::MAX));
        assert!(matches!(EventEntry::read(b"{}".to_vec(), 0), Err(UnusableRecord::Event(_))));
    }
}
