//! What workers tell the log: events as they came, each request and what came of it, and how deliveries ended.
//!
//! A message of the log carries a batch of records. The encoding is JSON and has a version, the least that can read all of
//! the batch: a reader refuses one it does not know and ignores members it has not heard of, so that old and new programs
//! run side by side.

mod attempt;
pub use attempt::{Addressed, AnswerRecord, AttemptRecord, Decided, Sent, Timing};

mod batch;
pub use batch::{EventRecord, Records, decode_batch, decode_each};

mod end;
pub use end::{End, EndState};

mod waiting;
pub use waiting::{WaitCause, WaitingRecord};

/// One record of a batch, as it is read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// An event was taken.
    Event(EventRecord),
    /// A request was made.
    Attempt(Box<AttemptRecord<'static>>),
    /// A delivery ended other than delivered.
    End(End),
    /// A delivery waits without an attempt.
    Waiting(Box<WaitingRecord<'static>>),
}

/// Why bytes are no batch of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not the JSON of a batch, or a member holds what it cannot. The text never repeats a value: records carry health
    /// data.
    #[error("the batch is not well formed (line {line}, column {column})")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Written by a version we do not know.
    #[error("the batch has version `{0}`; this program reads versions up to {version_known}", version_known = batch::VERSION)]
    Version(u32),
}

impl RecordError {
    /// Whether a later version of this program can read the batch.
    #[must_use]
    pub const fn is_of_later_version(&self) -> bool {
        matches!(self, Self::Version(version) if batch::VERSION < *version)
    }
}

/// A time as records tell it: microseconds since the epoch.
#[must_use]
pub fn micros_of(time: time::OffsetDateTime) -> i64 {
    // Every time of this aeon fits.
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}
