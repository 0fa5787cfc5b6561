//! Batches of records: how many records become one message, and how they come out of it again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{AttemptRecord, End, Record, RecordError, WaitingRecord, micros_of};
use crate::Event;

/// The version of the encoding that this program writes at most, and reads with all before it.
pub(super) const VERSION: u32 = 2;

/// What reads events, attempts and ends.
const VERSION_FIRST: u32 = 1;

/// What reads deliveries that wait, too. A recorder from before keeps such a batch for a newer one; it would park a record
/// of a kind it does not know.
const VERSION_OF_WAITING: u32 = 2;

const HEAD: &[u8] = b"{\"version\":1,\"records\":[";
/// Where the version's digit is in it.
const VERSION_AT: usize = b"{\"version\":".len();
const TAIL: &[u8] = b"]}";

/// Encoded records on their way to the log.
///
/// Each is encoded where it arises; batches are then a matter of copying bytes.
#[derive(Debug, Clone)]
pub struct Records {
    /// A message but for its end; empty while there are no records.
    bytes: Vec<u8>,
    count: usize,
    /// The least that reads all of them.
    version: u32,
}

/// An event was taken. A message that was offered again makes another record of the same event.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRecord {
    /// When a worker took it, in microseconds since the epoch.
    pub taken_at_us: i64,
    /// The message's body: the event as published.
    body: Box<RawValue>,
}

/// What is written around one record.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Written<'a> {
    Attempt(&'a AttemptRecord<'a>),
    End(&'a End),
    Waiting(&'a WaitingRecord<'a>),
}

impl Default for Records {
    fn default() -> Self {
        Self { bytes: Vec::new(), count: 0, version: VERSION_FIRST }
    }
}

impl Records {
    /// Adds an event.
    ///
    /// * `event`: what `body` was read as, which is what makes those bytes JSON.
    pub fn push_event(&mut self, _event: &Event, body: &[u8], taken_at: OffsetDateTime) {
        self.separate();
        let taken_at_us = micros_of(taken_at);
        self.bytes
            .extend_from_slice(format!(r#"{{"event":{{"taken_at_us":{taken_at_us},"body":"#).as_bytes());
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(b"}}");
    }

    /// Adds a request.
    pub fn push_attempt(&mut self, record: &AttemptRecord<'_>) {
        self.push(&Written::Attempt(record));
    }

    /// Adds an end.
    pub fn push_end(&mut self, record: &End) {
        self.push(&Written::End(record));
    }

    /// Adds a delivery that waits.
    pub fn push_waiting(&mut self, record: &WaitingRecord<'_>) {
        self.version = self.version.max(VERSION_OF_WAITING);
        self.push(&Written::Waiting(record));
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &Self) {
        if let Some(records) = other.bytes.get(HEAD.len()..) {
            self.separate();
            self.bytes.extend_from_slice(records);
            self.count += other.count - 1;
            self.version = self.version.max(other.version);
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The size of the message they would make, in bytes.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        self.bytes.len() + TAIL.len()
    }

    /// The body of a message with these records.
    #[must_use]
    pub fn into_message(mut self) -> Vec<u8> {
        if self.is_empty() {
            self.bytes.extend_from_slice(HEAD);
        }
        let digit = char::from_digit(self.version, 10).expect("versions have one digit");
        digit.encode_utf8(&mut self.bytes[VERSION_AT..=VERSION_AT]);
        self.bytes.extend_from_slice(TAIL);
        self.bytes
    }

    fn push(&mut self, record: &Written<'_>) {
        self.separate();
        serde_json::to_writer(&mut self.bytes, record).expect("a record of plain fields serialises");
    }

    fn separate(&mut self) {
        let between: &[u8] = if self.is_empty() { HEAD } else { b"," };
        self.bytes.extend_from_slice(between);
        self.count += 1;
    }
}

/// Reads the body of a message of the log.
///
/// # Errors
/// [`RecordError`] when the bytes are no batch, or one of a version or with records that this program does not know.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<Record>, RecordError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    #[derive(Deserialize)]
    struct Batch {
        version: u32,
        records: Vec<Record>,
    }
    match serde_json::from_slice(bytes) {
        Ok(Batch { version: VERSION_FIRST..=VERSION, records }) => Ok(records),
        Ok(Batch { version, .. }) => Err(RecordError::Version(version)),
        // What a later version calls a record need not be one here.
        Err(error) => match serde_json::from_slice(bytes) {
            Ok(Versioned { version }) if !is_known(version) => Err(RecordError::Version(version)),
            _ => Err(malformed(&error)),
        },
    }
}

/// Reads the body of a message of the log record by record, so that one that cannot be read does not hide the others.
///
/// It takes longer than [`decode_batch`], which is to be tried first.
///
/// # Errors
/// [`RecordError`] when the bytes are no batch, or one of a version that this program does not know.
pub fn decode_each(bytes: &[u8]) -> Result<Vec<Result<Record, RecordError>>, RecordError> {
    #[derive(Deserialize)]
    struct Batch<'a> {
        version: u32,
        #[serde(borrow)]
        records: Vec<&'a RawValue>,
    }
    let Batch { version, records } = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    if !is_known(version) {
        return Err(RecordError::Version(version));
    }
    let decode = |record: &RawValue| serde_json::from_str(record.get()).map_err(|error| malformed(&error));
    Ok(records.into_iter().map(decode).collect())
}

impl EventRecord {
    /// The event as published: JSON text, but for white space around it byte for byte.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.get()
    }
}

fn is_known(version: u32) -> bool {
    (VERSION_FIRST..=VERSION).contains(&version)
}

fn malformed(error: &serde_json::Error) -> RecordError {
    RecordError::Malformed { line: error.line(), column: error.column() }
}

impl PartialEq for EventRecord {
    fn eq(&self, other: &Self) -> bool {
        (self.taken_at_us, self.body()) == (other.taken_at_us, other.body())
    }
}

impl Eq for EventRecord {}

#[cfg(test)]
mod tests;
