//! What workers told the log.

use bellhop_broker::Outgoing;
use bellhop_model::{AttemptRecord, End, Record, decode_batch};

/// The records of one message.
pub(crate) fn of(message: &Outgoing) -> impl Iterator<Item = Record> + use<> {
    decode_batch(&message.body).expect("workers write records").into_iter()
}

/// An end, if it is one.
pub(crate) fn end(record: Record) -> Option<End> {
    match record {
        Record::End(end) => Some(end),
        Record::Event(_) | Record::Attempt(_) | Record::Waiting(_) => None,
    }
}

/// A request, if it is one.
pub(crate) fn attempt(record: Record) -> Option<AttemptRecord<'static>> {
    match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::Event(_) | Record::End(_) | Record::Waiting(_) => None,
    }
}
