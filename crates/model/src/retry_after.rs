//! `Retry-After`, as a stranger may write it.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::parsing::Parsed;
use time::{OffsetDateTime, PrimitiveDateTime};

type Format = &'static [BorrowedFormatItem<'static>];

/// The fixed-length date of HTTP, always in GMT.
const IMF_FIXDATE: Format =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// What C's `asctime` writes; RFC 9110 §5.6.7 asks recipients to read it.
const ASCTIME: Format = format_description!(
    "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
);

/// The date of RFC 850, whose year has two digits; RFC 9110 §5.6.7 asks recipients to read it.
const RFC_850: Format = format_description!(
    "[weekday], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] GMT"
);

/// A value that is neither delay-seconds nor a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`Retry-After` is neither seconds nor an HTTP date")]
pub struct Malformed;

/// Parses a `Retry-After` value into how long to wait.
///
/// * `value`: header bytes as received; delay-seconds (`120`) or a date in any of HTTP's three forms.
/// * `now`: UTC wall clock that a date is measured against.
/// * `max`: what a longer wait is cut to.
/// * returns whole seconds in `0..=max`; a past date is zero.
///
/// # Errors
/// [`Malformed`] when it is neither; the caller then uses its own schedule.
///
/// Source: RFC 9110 §10.2.3. Clamped because the value is chosen by a stranger.
pub fn parse_retry_after(value: &[u8], now: OffsetDateTime, max: Duration) -> Result<Duration, Malformed> {
    let text = std::str::from_utf8(value).map_err(|_| Malformed)?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 is still a number: it means "very long".
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Ok(Duration::from_secs(seconds).min(max));
    }
    let seconds = (parse_date(text, now)? - now).whole_seconds();
    Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(max))
}

fn parse_date(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, Malformed> {
    let date = PrimitiveDateTime::parse(text, IMF_FIXDATE)
        .or_else(|_| PrimitiveDateTime::parse(text, ASCTIME))
        .map_err(|_| Malformed);
    date.map(PrimitiveDateTime::assume_utc).or_else(|_| parse_rfc_850(text, now))
}

/// Two digits mean the year that ends in them and lies within the 50 years to come, or else the last one that was.
fn parse_rfc_850(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, Malformed> {
    let mut parsed = Parsed::new();
    let rest = parsed.parse_items(text.as_bytes(), RFC_850).map_err(|_| Malformed)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    let last_two = i32::from(parsed.year_last_two().ok_or(Malformed)?);
    let latest = now.year() + 50;
    let year = latest - (latest - last_two).rem_euclid(100);
    parsed.set_year(year).ok_or(Malformed)?;
    let date = PrimitiveDateTime::try_from(parsed).map_err(|_| Malformed)?;
    Ok(date.assume_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: Duration = Duration::from_secs(3600);

    fn parse(value: &str) -> Result<u64, Malformed> {
        let now = OffsetDateTime::from_unix_timestamp(784_111_777).expect("Sun, 06 Nov 1994 08:49:37 GMT");
        parse_retry_after(value.as_bytes(), now, MAX).map(|wait| wait.as_secs())
    }

    #[test]
    fn both_forms_are_read_and_clamped() {
        let cases = [
            ("0", Ok(0)),
            (" 120 ", Ok(120)),
            ("99999999999999999999999999", Ok(3600)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Ok(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Ok(0)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Ok(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Ok(3600)),
            ("", Err(Malformed)),
            ("-1", Err(Malformed)),
            ("1.5", Err(Malformed)),
            ("inf", Err(Malformed)),
            ("NaN", Err(Malformed)),
            ("1e9", Err(Malformed)),
            ("tomorrow", Err(Malformed)),
            ("Sun, 06 Nov 1994 08:49:37 PST", Err(Malformed)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Ok(30)),
            ("Saturday, 05-Nov-94 08:49:37 GMT", Ok(0)),
            ("Monday, 07-Nov-94 08:49:37 GMT", Ok(3600)),
            // Within 50 years it is to come, beyond them it was.
            ("Sunday, 06-Nov-44 08:49:37 GMT", Ok(3600)),
            ("Sunday, 06-Nov-45 08:49:37 GMT", Ok(0)),
            ("Sunday, 06-Nov-94 08:50:07 PST", Err(Malformed)),
            ("Sunday, 06-Nov-1994 08:50:07 GMT", Err(Malformed)),
            ("Sunday, 31-Feb-94 08:50:07 GMT", Err(Malformed)),
            ("Sun Nov  6 08:50:07 1994", Ok(30)),
            ("Sun Nov 06 08:50:07 1994", Ok(30)),
            ("Wed Nov 16 08:49:37 1994", Ok(3600)),
            ("Sun Nov  6 08:50:07 1994 GMT", Err(Malformed)),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(value), expected, "{value}");
        }
    }

    /// Bytes, texts, and what is nearly a date.
    fn odd_value() -> impl Strategy<Value = Vec<u8>> {
        let dates = "[ ]?[A-Z][a-z]{2}, [0-9]{1,2} (Jan|Feb|Nov|Xyz) [0-9+-]{4,6} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|UTC)";
        let old = "[A-Z][a-z]{2,8}(, [0-9]{2}-Nov-[0-9]{2,4}| Nov [ 0-9][0-9]) [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[0-9]{4})";
        let date = prop_oneof![dates, old].prop_map(String::into_bytes);
        let number = "[ +-]?[0-9\u{ff11}]{0,40}(\\.[0-9])?".prop_map(String::into_bytes);
        prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes), date, number]
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_bounded_wait_or_an_error(value in odd_value(), now in -62_135_596_800i64..=253_402_300_799) {
            let now = OffsetDateTime::from_unix_timestamp(now).expect("in range");
            if let Ok(wait) = parse_retry_after(&value, now, MAX) {
                prop_assert!(wait <= MAX);
            }
        }

        #[test]
        fn a_number_means_itself_up_to_the_greatest_wait(seconds: u64, zeros in 0usize..40) {
            let value = format!("{}{seconds}", "0".repeat(zeros));
            prop_assert_eq!(parse(&value), Ok(seconds.min(MAX.as_secs())));
        }

        #[test]
        fn a_date_means_the_time_until_then(seconds in -100_000_000i64..100_000_000) {
            let now = OffsetDateTime::from_unix_timestamp(784_111_777).expect("in range");
            let expected = u64::try_from(seconds).unwrap_or(0).min(MAX.as_secs());
            for form in [IMF_FIXDATE, ASCTIME, RFC_850] {
                let date = (now + time::Duration::seconds(seconds)).format(form).expect("a date");
                prop_assert_eq!(parse(&date), Ok(expected), "{}", date);
            }
        }
    }
}
