//! What a message of the log holds: entries to write, and what is wrong with the rest.

use bellhop_model::{Record, RecordError, decode_batch, decode_each};
use bellhop_store::LogEntry;

/// Most flaws that a reason tells of.
const FLAWS_TOLD_MAX: usize = 3;

/// A message as it was read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A batch, sound or not.
    Batch(Batch),
    /// Written by a later version of the program: not ours to judge.
    Later(RecordError),
}

/// The records of one message.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// What can be written, each with its place in the message, from 1.
    pub(crate) entries: Vec<(usize, LogEntry)>,
    /// Why the rest, or the whole, cannot.
    pub(crate) flaws: Flaws,
}

/// What is wrong with a message. It is parked for it, whole, when what is sound of it has been written.
#[derive(Debug, Default)]
pub(crate) struct Flaws {
    told: Vec<String>,
    count: usize,
}

/// Reads a message's body.
pub(crate) fn read(body: &[u8]) -> Reading {
    let mut batch = Batch::default();
    match decode_batch(body) {
        Ok(records) => batch.add_all(records.into_iter().map(Ok)),
        Err(error) if error.is_of_later_version() => return Reading::Later(error),
        Err(whole) => match decode_each(body) {
            Ok(records) => batch.add_all(records),
            Err(_) => batch.flaws.add(whole.to_string()),
        },
    }
    Reading::Batch(batch)
}

impl Batch {
    fn add_all(&mut self, records: impl IntoIterator<Item = Result<Record, RecordError>>) {
        for (index, record) in records.into_iter().enumerate() {
            let place = index + 1;
            let entry = record
                .map_err(|error| error.to_string())
                .and_then(|record| LogEntry::new(record).map_err(|error| error.to_string()));
            match entry {
                Ok(entry) => self.entries.push((place, entry)),
                Err(reason) => self.flaws.add_of(place, &reason),
            }
        }
    }
}

impl Flaws {
    /// Adds what is wrong with one record.
    pub(crate) fn add_of(&mut self, place: usize, reason: &str) {
        self.add(format!("record {place}: {reason}"));
    }

    /// Why the message is parked; `None` when nothing is wrong with it.
    pub(crate) fn reason(&self) -> Option<String> {
        let more = match self.count.saturating_sub(self.told.len()) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (self.count != 0).then(|| format!("{}{more}", self.told.join("; ")))
    }

    fn add(&mut self, flaw: String) {
        self.count += 1;
        if self.told.len() < FLAWS_TOLD_MAX {
            self.told.push(flaw);
        }
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::{Event, EventLabels, Records};
    use time::OffsetDateTime;

    use super::*;

    const BODY: &str = r#"{"id":"evt_1","type":"a.b","mode":"test","organisationId":"org_a","occurredAt":"2024-02-06T17:20:59Z","data":{"organisationId":"org_a"}}"#;

    /// A message with events, one of each text.
    fn message(bodies: &[&str]) -> Vec<u8> {
        let event = Event::parse(BODY.as_bytes(), None, &EventLabels::default()).expect("an event");
        let mut records = Records::default();
        for body in bodies {
            records.push_event(&event, body.as_bytes(), OffsetDateTime::UNIX_EPOCH);
        }
        records.clone().into_message()
    }

    fn batch(body: &[u8]) -> Batch {
        match read(body) {
            Reading::Batch(batch) => batch,
            Reading::Later(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_sound_is_kept_beside_what_is_not() {
        let spoilt = BODY.replace("test", "staging");
        let read = batch(&message(&[BODY, &spoilt, BODY, "7"]));
        let places: Vec<usize> = read.entries.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 3]);
        let reason = read.flaws.reason().expect("flawed");
        assert!(reason.contains("record 2: ") && reason.contains("record 4: "), "{reason}");
        assert!(batch(&message(&[BODY])).flaws.reason().is_none());
    }

    #[test]
    fn a_record_of_no_known_kind_does_not_hide_the_others() {
        let text = String::from_utf8(message(&[BODY, BODY])).expect("JSON");
        let read = batch(text.replacen("{\"event\":", "{\"rumour\":", 1).as_bytes());
        assert_eq!(read.entries.len(), 1);
        assert!(read.flaws.reason().is_some_and(|reason| reason.starts_with("record 1: ")));
    }

    #[test]
    fn what_is_no_batch_has_one_flaw_and_what_is_of_a_later_version_has_none() {
        for body in [&b"nonsense"[..], b"{}", br#"{"version":0,"records":[]}"#, b""] {
            let read = batch(body);
            assert!(read.entries.is_empty() && read.flaws.count == 1, "{body:?}: {read:?}");
        }
        assert!(matches!(read(br#"{"version":3,"records":{"packed":""}}"#), Reading::Later(_)));
    }

    #[test]
    fn a_reason_stays_short() {
        let read = batch(&message(&["1"; 9]));
        let reason = read.flaws.reason().expect("flawed");
        assert!(reason.ends_with("; and 6 more") && reason.len() < 600, "{reason}");
    }
}
