//! Moments as text: RFC 3339, and within the years that everything we write them to knows.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Years that RFC 3339 can write. An offset can lead out of them in UTC, where no table and no answer could hold it.
const YEARS: std::ops::RangeInclusive<i32> = 0..=9999;

/// Reads a moment.
///
/// * `text`: RFC 3339, such as `2024-02-06T17:20:59Z`.
/// * returns none when it is another form, or when its year is not 0 to 9999 in UTC too: `9999-12-31T23:59:59-01:00` is of
///   the year 10000. The offset is kept.
///
/// Source: RFC 3339 §5.6.
#[must_use]
pub fn parse_moment(text: &str) -> Option<OffsetDateTime> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let in_utc = moment.checked_to_offset(UtcOffset::UTC)?;
    YEARS.contains(&in_utc.year()).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_years_that_can_be_written_in_utc_are_read() {
        for text in [
            "2024-02-06T17:20:59Z",
            "2024-02-06T18:20:59.123456789+01:00",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59+00:01",
            "0000-01-01T00:00:00Z",
            "0000-01-01T00:00:00-23:59",
        ] {
            let moment = parse_moment(text).expect(text);
            let again = moment.to_offset(UtcOffset::UTC).format(&Rfc3339).expect(text);
            assert_eq!(parse_moment(&again), Some(moment), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2024-02-06",
            "2024-02-30T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00+00:01",
            "10000-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }
}
