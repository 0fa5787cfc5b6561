//! The rows that entries make: each once, sealed where they are health data, and in one order for every writer.
//!
//! Two recorders may write rows of one event or delivery at once. Both go through the tables and through each table's
//! keys in the same order, so that one waits for the other and neither for each other.

use std::collections::{BTreeMap, BTreeSet};

use bellhop_model::{AttemptRecord, Mode, RequestId};
use time::{Date, OffsetDateTime};

use super::entry::{DeliveryEntry, EventEntry, LogEntry, answer_bytes};
use super::health::HealthRows;
use super::partition::{ANSWERS, ATTEMPTS, PAYLOADS, Partition};
use super::retention::{Content, Kept};
use crate::SealingKeys;
use crate::scope::Scope;
use crate::seal::Place;

/// What is to be written.
#[derive(Debug)]
pub(super) struct Rows<'e> {
    pub(super) events: Vec<EventRow<'e>>,
    pub(super) attempts: Vec<&'e AttemptRecord<'static>>,
    pub(super) answers: Vec<AnswerRow>,
    pub(super) deliveries: Vec<DeliveryEntry>,
    pub(super) health: HealthRows,
}

/// An event with its payload.
#[derive(Debug)]
pub(super) struct EventRow<'e> {
    pub(super) event: &'e EventEntry,
    /// Absent when it is too old to be kept.
    pub(super) sealed: Option<Vec<u8>>,
}

/// What an endpoint answered.
#[derive(Debug)]
pub(super) struct AnswerRow {
    pub(super) mode: Mode,
    pub(super) request: RequestId,
    pub(super) sealed: Vec<u8>,
}

impl<'e> Rows<'e> {
    /// The rows of some entries.
    pub(super) fn of(entries: &'e [LogEntry], sealing: &SealingKeys) -> Self {
        let mut events: BTreeMap<_, &'e EventEntry> = BTreeMap::new();
        let mut attempts: BTreeMap<_, &'e AttemptRecord<'static>> = BTreeMap::new();
        let mut deliveries: BTreeMap<_, DeliveryEntry> = BTreeMap::new();
        let mut health = HealthRows::default();
        for LogEntry { event, attempt, delivery } in entries {
            if let Some(event) = event {
                let earliest = events.entry(event.key()).or_insert(event);
                if event.taken_at < earliest.taken_at {
                    *earliest = event;
                }
            }
            if let Some(attempt) = attempt {
                attempts.entry((attempt.of.mode, attempt.request)).or_insert(attempt);
            }
            if let Some(delivery) = delivery {
                health.note(&delivery.webhook, &delivery.standing);
                let known = deliveries.entry(delivery.id.clone()).or_insert_with(|| delivery.clone());
                known.merge(delivery);
            }
        }
        Self {
            events: events.into_values().map(|event| EventRow::sealed(event, sealing)).collect(),
            answers: attempts.values().filter_map(|attempt| AnswerRow::sealed(attempt, sealing)).collect(),
            attempts: attempts.into_values().collect(),
            deliveries: deliveries.into_values().collect(),
            health,
        }
    }

    /// The partitions that the rows belong into.
    pub(super) fn partitions(&self) -> BTreeSet<Partition> {
        let payloads = self.events.iter().filter(|row| row.sealed.is_some()).map(|row| Partition {
            table: PAYLOADS,
            mode: row.event.scope.mode,
            day: row.event.taken_at.date(),
        });
        let attempts = self.attempts.iter().map(|attempt| Partition {
            table: ATTEMPTS,
            mode: attempt.of.mode,
            day: day_of(attempt.request),
        });
        let answers = self.answers.iter().map(|answer| Partition {
            table: ANSWERS,
            mode: answer.mode,
            day: day_of(answer.request),
        });
        payloads.chain(attempts).chain(answers).collect()
    }

    /// Leaves out what is too old to be kept.
    ///
    /// * returns how many events, requests and answers went.
    pub(super) fn retain(&mut self, kept: &Kept) -> usize {
        let before = self.count();
        self.events.retain(|row| kept.includes(row.event.scope.mode, Content::Attempts, row.event.taken_at));
        for row in &mut self.events {
            if !kept.includes(row.event.scope.mode, Content::Payload, row.event.taken_at) {
                row.sealed = None;
            }
        }
        self.attempts
            .retain(|attempt| kept.first_day(attempt.of.mode, Content::Attempts) <= day_of(attempt.request));
        self.answers.retain(|row| kept.first_day(row.mode, Content::Payload) <= day_of(row.request));
        self.deliveries
            .retain(|delivery| kept.includes(delivery.scope.mode, Content::Attempts, delivery.begun_at));
        before - self.count()
    }

    fn count(&self) -> usize {
        let payloads = self.events.iter().filter(|row| row.sealed.is_some()).count();
        payloads + self.attempts.len() + self.answers.len()
    }
}

impl<'e> EventRow<'e> {
    fn sealed(event: &'e EventEntry, sealing: &SealingKeys) -> Self {
        let place = Place::Payload(&event.scope, &event.event);
        Self { event, sealed: Some(sealing.seal(place, &event.body)) }
    }
}

impl AnswerRow {
    fn sealed(attempt: &AttemptRecord<'_>, sealing: &SealingKeys) -> Option<Self> {
        let (answer, mode, request) = (attempt.answer.as_ref()?, attempt.of.mode, attempt.request);
        let scope = Scope::new(mode, &attempt.of.organisation);
        let sealed = sealing.seal(Place::Answer(&scope, &request), &answer_bytes(answer));
        Some(Self { mode, request, sealed })
    }
}

/// The day that a request's id says it began on.
fn day_of(request: RequestId) -> Date {
    let nanos = i128::from(request.millis()) * 1_000_000;
    // 48 bits of milliseconds reach the year 10889; the calendar ends before.
    OffsetDateTime::from_unix_timestamp_nanos(nanos).map_or(Date::MAX, OffsetDateTime::date)
}
