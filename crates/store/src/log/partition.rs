//! Partitions of the log: one per table, mode and day, named so that its name tells all three.

use bellhop_model::Mode;
use time::{Date, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::retention::{Content, Kept};

/// One of the partitioned tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Table {
    name: &'static str,
    key: Key,
}

/// What a table's ranges are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A moment.
    Moment,
    /// The id of a request, which begins with its moment.
    Request,
}

/// Events as published.
pub(super) const PAYLOADS: Table = Table { name: "payloads", key: Key::Moment };

/// Requests.
pub(super) const ATTEMPTS: Table = Table { name: "attempts", key: Key::Request };

/// What endpoints answered.
pub(super) const ANSWERS: Table = Table { name: "answers", key: Key::Request };

/// Every partitioned table.
pub(super) const TABLES: [Table; 3] = [PAYLOADS, ATTEMPTS, ANSWERS];

/// One day of one table in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    pub(super) table: Table,
    pub(super) mode: Mode,
    pub(super) day: Date,
}

impl Table {
    /// What lies in it.
    pub(super) fn content(self) -> Content {
        if self == ATTEMPTS { Content::Attempts } else { Content::Payload }
    }
}

impl Partition {
    /// Reads a name that [`Partition::name`] gave.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('_');
        let (table, mode, day) = (parts.next()?, parts.next()?, parts.next()?);
        let number: u32 = day.parse().ok().filter(|_| day.len() == 8 && parts.next().is_none())?;
        let month = u8::try_from(number / 100 % 100).ok()?.try_into().ok()?;
        let day = u8::try_from(number % 100).ok()?;
        Some(Self {
            table: TABLES.into_iter().find(|known| known.name == table)?,
            mode: mode.parse().ok()?,
            day: Date::from_calendar_date(i32::try_from(number / 10_000).ok()?, month, day).ok()?,
        })
    }

    /// The table's name: `attempts_live_20261123`.
    pub(super) fn name(&self) -> String {
        let (year, month, day) = (self.day.year(), u8::from(self.day.month()), self.day.day());
        format!("{}_{year:04}{month:02}{day:02}", self.parent())
    }

    /// The name of the table that it is a part of.
    pub(super) fn parent(&self) -> String {
        format!("{}_{}", self.table.name, self.mode)
    }

    /// Whether what lies in it is still kept.
    pub(super) fn is_kept(&self, kept: &Kept) -> bool {
        kept.first_day(self.mode, self.table.content()) <= self.day
    }

    /// The statements that make it, in a transaction of its own.
    ///
    /// A table that is there already, because somebody detached it, is attached again with what lies in it.
    pub(super) fn creation(&self) -> String {
        let (name, parent) = (self.name(), self.parent());
        let (from, to) = (self.bound(self.day), self.bound(self.day.next_day().unwrap_or(Date::MAX)));
        format!(
            "BEGIN; CREATE TABLE IF NOT EXISTS {name} (LIKE {parent} INCLUDING ALL);
             ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}'); COMMIT"
        )
    }

    fn bound(&self, day: Date) -> String {
        let midnight = day.midnight().assume_offset(UtcOffset::UTC);
        match self.table.key {
            Key::Moment => format!("{day} 00:00:00+00"),
            Key::Request => first_request(midnight).to_string(),
        }
    }
}

/// The least id that a request can have which began at a moment.
pub(crate) fn first_request(moment: OffsetDateTime) -> Uuid {
    let millis = u128::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use bellhop_model::RequestId;
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_name_tells_table_mode_and_day() {
        let partition = Partition { table: ATTEMPTS, mode: Mode::Live, day: date!(2026 - 03 - 09) };
        assert_eq!(partition.name(), "attempts_live_20260309");
        for table in TABLES {
            let partition = Partition { table, mode: Mode::Test, day: date!(2024 - 02 - 29) };
            assert_eq!(Partition::parse(&partition.name()), Some(partition));
        }
        for name in [
            "attempts_live",
            "attempts_live_2026039",
            "attempts_live_20260230",
            "events_live_20260309",
            "attempts_live_20260309_x",
        ] {
            assert_eq!(Partition::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_request_lies_within_its_day() {
        let day = date!(2026 - 03 - 09);
        let (first, last) = (datetime!(2026-03-09 00:00 UTC), datetime!(2026-03-09 23:59:59.999 UTC));
        let partition = Partition { table: ANSWERS, mode: Mode::Live, day };
        let (from, to) = (partition.bound(day), partition.bound(date!(2026 - 03 - 10)));
        for (moment, random) in [(first, [0; 16]), (last, [255; 16])] {
            let millis = u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).expect("after the epoch");
            let request = RequestId::new(millis, &random).to_string();
            assert!(from <= request && request < to, "{from} {request} {to}");
        }
    }
}
