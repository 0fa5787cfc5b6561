//! How much goes into one message of the log.

use bellhop_model::Records;

/// Most records in a batch, unless a single message has more.
const RECORDS_MAX: usize = 64;

/// Greatest size of a batch, in bytes, unless the records of a single message are larger. Those are bounded by the
/// size of an event and by what is kept of each answer, times the webhooks that an organisation may have.
const BYTES_MAX: usize = 512 * 1024;

/// Records that become one message of the log, and what waits for it to be stored.
pub(super) struct Batch<T> {
    pub(super) records: Records,
    pub(super) waiting: Vec<T>,
}

impl<T> Batch<T> {
    /// Adds what one message left. A message's records stay together, so that it waits for one batch only.
    pub(super) fn add(&mut self, records: &Records, waiting: T) {
        self.records.append(records);
        self.waiting.push(waiting);
    }

    /// Whether a message's records may be added; an empty batch takes any.
    pub(super) fn has_room_for(&self, records: &Records) -> bool {
        let has_room = self.records.len() + records.len() <= RECORDS_MAX
            && self.records.message_bytes() + records.message_bytes() <= BYTES_MAX;
        self.is_empty() || has_room
    }

    /// Whether there is no point in waiting for more.
    pub(super) fn is_full(&self) -> bool {
        RECORDS_MAX <= self.records.len() || BYTES_MAX <= self.records.message_bytes()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the batch and leaves an empty one.
    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { records: Records::default(), waiting: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::{Event, EventLabels};
    use time::OffsetDateTime;

    use super::*;

    /// A record of some size.
    fn records(count: usize, bytes: usize) -> Records {
        let note = "x".repeat(bytes);
        let body = format!(
            r#"{{"id":"e","type":"a.b","mode":"test","organisationId":"org_a","occurredAt":"2024-02-06T17:20:59Z","data":{{"organisationId":"org_a","note":"{note}"}}}}"#
        );
        let event = Event::parse(body.as_bytes(), None, &EventLabels::default()).expect("an event");
        let mut records = Records::default();
        for _ in 0..count {
            records.push_event(&event, body.as_bytes(), OffsetDateTime::UNIX_EPOCH);
        }
        records
    }

    /// How many messages with such records make a batch.
    fn messages_in_a_batch(records: &Records) -> usize {
        let mut batch = Batch::default();
        while !batch.is_full() && batch.has_room_for(records) {
            batch.add(records, ());
        }
        batch.waiting.len()
    }

    #[test]
    fn a_batch_is_bounded_by_count_and_by_bytes_and_takes_any_single_message() {
        assert_eq!(messages_in_a_batch(&records(1, 0)), 64);
        assert_eq!(messages_in_a_batch(&records(11, 0)), 5);
        assert_eq!(messages_in_a_batch(&records(64, 0)), 1);
        assert_eq!(messages_in_a_batch(&records(65, 0)), 1);
        assert_eq!(messages_in_a_batch(&records(1, 50_000)), 10);
        assert_eq!(messages_in_a_batch(&records(11, 50_000)), 1);
    }

    #[test]
    fn what_is_taken_is_whole_and_leaves_nothing() {
        let mut batch = Batch::default();
        batch.add(&records(2, 0), 'a');
        batch.add(&records(1, 0), 'b');
        let taken = batch.take();
        assert_eq!((taken.records.len(), taken.waiting), (3, vec!['a', 'b']));
        assert!(batch.is_empty() && batch.records.is_empty());
    }
}
