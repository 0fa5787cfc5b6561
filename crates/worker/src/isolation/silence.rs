//! How long a webhook has kept silent: requests are under way, and none has ended.
//!
//! One that hangs shows it by this long before its first request has failed for it.

use std::time::Duration;

use time::OffsetDateTime;

use super::tally::{Tallied, Tally};

/// The requests under way at one webhook, and since when none of them has ended.
#[derive(Debug, Default)]
pub(crate) struct Silence(Tally);

impl Silence {
    /// A request is under way.
    pub(crate) fn begin(&self, now: OffsetDateTime) {
        self.0.change(|Tallied { moment, count }| Tallied {
            moment: if count == 0 { millis(now) } else { moment },
            count: count + 1,
        });
    }

    /// A request has ended, however.
    pub(crate) fn end(&self, now: OffsetDateTime) {
        self.0
            .change(|Tallied { count, .. }| Tallied { moment: millis(now), count: count.saturating_sub(1) });
    }

    /// A request is not under way any more, and nobody knows what came of it.
    pub(crate) fn give_up(&self) {
        self.0.change(|Tallied { moment, count }| Tallied { moment, count: count.saturating_sub(1) });
    }

    /// How many requests are under way.
    pub(crate) fn under_way(&self) -> u64 {
        self.0.read().count
    }

    /// For how long nothing has ended of what is under way. A clock that is set back makes it shorter.
    pub(crate) fn length(&self, now: OffsetDateTime) -> Duration {
        match self.0.read() {
            Tallied { count: 0, .. } => Duration::ZERO,
            Tallied { moment, .. } => Duration::from_millis(millis(now).saturating_sub(moment)),
        }
    }
}

/// Since the epoch.
pub(super) fn millis(now: OffsetDateTime) -> u64 {
    u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn silence_lasts_from_the_first_request_to_the_first_end_and_from_end_to_end() {
        let silence = Silence::default();
        assert_eq!(silence.length(at(5)), Duration::ZERO);
        silence.begin(at(5));
        silence.begin(at(8));
        assert_eq!(silence.length(at(9)), Duration::from_secs(4));
        silence.end(at(10));
        assert_eq!(silence.length(at(12)), Duration::from_secs(2));
        silence.end(at(13));
        assert_eq!(silence.length(at(99)), Duration::ZERO, "nothing is under way");
        silence.begin(at(99));
        assert_eq!(silence.length(at(100)), Duration::from_secs(1));
    }

    #[test]
    fn what_is_given_up_breaks_no_silence_and_counts_no_more() {
        let silence = Silence::default();
        silence.begin(at(0));
        silence.begin(at(0));
        silence.give_up();
        assert_eq!(silence.length(at(3)), Duration::from_secs(3));
        silence.give_up();
        assert_eq!(silence.length(at(3)), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_silence() {
        let silence = Silence::default();
        silence.begin(at(100));
        assert_eq!(silence.length(at(50)), Duration::ZERO);
    }
}
