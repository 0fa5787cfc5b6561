//! What organisations are told of outcomes, and of moments that would tell what an outcome hides.
//!
//! Whatever shows a delivery to an organisation, as JSON or as a page, takes it from here.

use bellhop_model::Outcome;
use time::OffsetDateTime;

/// The word for an outcome on record.
pub(crate) fn told(outcome: &str) -> &'static str {
    Outcome::tenant_label_of(outcome)
}

/// Whether how long a request took must not be told: it would tell a name that exists inside from one that does not.
pub(crate) fn tells_no_time(outcome: &str) -> bool {
    ["dns", "forbidden_address"].into_iter().any(|hidden| told(hidden) == told(outcome))
}

/// A moment that a request's end decides, to the second where how long it took must not be told.
pub(crate) fn told_moment(at: OffsetDateTime, outcome: &str) -> OffsetDateTime {
    if tells_no_time(outcome) { at.replace_nanosecond(0).unwrap_or(at) } else { at }
}

/// A moment as records count it.
pub(crate) fn moment_of(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Milliseconds, to the microsecond, of which no request takes so many that one is lost.
pub(crate) fn millis(micros: u64) -> f64 {
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn of_a_host_that_cannot_be_reached_no_time_is_told() {
        let at = moment_of(1_700_000_000_123_456);
        for outcome in ["dns", "forbidden_address"] {
            assert!(tells_no_time(outcome));
            assert_eq!(told_moment(at, outcome), datetime!(2023-11-14 22:13:20 UTC));
        }
        for outcome in ["2xx", "5xx", "connect", "timed_out", ""] {
            assert!(!tells_no_time(outcome), "{outcome}");
            assert_eq!(told_moment(at, outcome), datetime!(2023-11-14 22:13:20.123456 UTC));
        }
    }
}
