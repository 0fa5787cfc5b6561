//! How long what is kept, and the days that follow from it.

use std::time::Duration;

use bellhop_model::Mode;
use time::{Date, OffsetDateTime};

/// How long the log keeps what, by mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRetention {
    /// Of live events.
    pub live: ModeRetention,
    /// Of test events.
    pub test: ModeRetention,
}

/// How long the log keeps what in one mode. A day goes when it is over as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModeRetention {
    /// Payloads and what endpoints answered: health data.
    pub payload: Duration,
    /// Everything else: events, deliveries, requests. Not shorter than `payload`.
    pub attempts: Duration,
}

/// What kind of content a table has, and hence how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Health data.
    Payload,
    /// Everything else.
    Attempts,
}

/// The first days that are still kept at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    retention: LogRetention,
    now: OffsetDateTime,
}

impl LogRetention {
    /// What is kept at a moment.
    pub(super) const fn at(self, now: OffsetDateTime) -> Kept {
        Kept { retention: self, now }
    }
}

impl Kept {
    /// The moment that counts as now.
    pub(super) const fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// The first day that is kept of some content.
    pub(super) fn first_day(&self, mode: Mode, content: Content) -> Date {
        let retention = match mode {
            Mode::Live => self.retention.live,
            Mode::Test => self.retention.test,
        };
        let span = match content {
            Content::Payload => retention.payload,
            Content::Attempts => retention.attempts,
        };
        let span = time::Duration::try_from(span).unwrap_or(time::Duration::MAX);
        self.now.checked_sub(span).map_or(Date::MIN, OffsetDateTime::date)
    }

    /// Whether what is of a moment is still kept.
    pub(super) fn includes(&self, mode: Mode, content: Content, moment: OffsetDateTime) -> bool {
        self.first_day(mode, content) <= moment.date()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_is_kept_until_it_is_over_as_a_whole() {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let retention = LogRetention {
            live: ModeRetention { payload: days(30), attempts: days(90) },
            test: ModeRetention { payload: days(1), attempts: Duration::MAX },
        };
        let kept = retention.at(datetime!(2026-03-31 00:00:01 UTC));
        let (old, older) = (datetime!(2026-03-01 00:00:00 UTC), datetime!(2026-02-28 23:59:59 UTC));
        assert!(kept.includes(Mode::Live, Content::Payload, old));
        assert!(!kept.includes(Mode::Live, Content::Payload, older));
        assert!(kept.includes(Mode::Live, Content::Attempts, older));
        assert!(!kept.includes(Mode::Test, Content::Payload, old));
        assert!(kept.includes(Mode::Test, Content::Attempts, OffsetDateTime::UNIX_EPOCH));
    }
}
