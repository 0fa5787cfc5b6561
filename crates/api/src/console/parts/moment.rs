//! Moments: relative words, with the exact time on hover and for programs. The script keeps the words true.

use maud::{Markup, html};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// A moment as seen from now.
///
/// It is told to the second, so that a page shows of an attempt no more than may be told.
pub(crate) fn moment(at: OffsetDateTime, now: OffsetDateTime) -> Markup {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    let machine = at.format(&Rfc3339).unwrap_or_default();
    html! { time datetime=(machine) title=(exact(at)) data-relative { (words(at, now)) } }
}

/// A moment in full.
pub(crate) fn exact(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{} {} {}, {:02}:{:02}:{:02} UTC",
        date.day(),
        month(at),
        date.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// The same rules as in `times.js`.
fn words(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let distance = now - at;
    let (is_past, distance) = (!distance.is_negative(), distance.abs());
    let counted = |count: i64, unit: &str| {
        let plural = if count == 1 { "" } else { "s" };
        if is_past { format!("{count} {unit}{plural} ago") } else { format!("in {count} {unit}{plural}") }
    };
    if distance < Duration::seconds(5) {
        return if is_past { "just now" } else { "in a moment" }.to_owned();
    }
    if distance < Duration::MINUTE {
        return counted(distance.whole_seconds(), "second");
    }
    if distance < Duration::HOUR {
        return counted(distance.whole_minutes(), "minute");
    }
    if distance < Duration::DAY {
        return counted(distance.whole_hours(), "hour");
    }
    if distance < Duration::days(30) {
        return counted(distance.whole_days(), "day");
    }
    format!("{} {} {}", at.day(), month(at), at.year())
}

fn month(at: OffsetDateTime) -> String {
    at.month().to_string().chars().take(3).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_moment_is_told_by_its_distance() {
        let now = datetime!(2026-11-26 08:00 UTC);
        let cases = [
            (Duration::seconds(-2), "just now"),
            (Duration::seconds(-59), "59 seconds ago"),
            (Duration::seconds(-60), "1 minute ago"),
            (Duration::minutes(-119), "1 hour ago"),
            (Duration::hours(-47), "1 day ago"),
            (Duration::days(-29), "29 days ago"),
            (Duration::days(-30), "27 Oct 2026"),
            (Duration::seconds(3), "in a moment"),
            (Duration::seconds(30), "in 30 seconds"),
            (Duration::minutes(10), "in 10 minutes"),
        ];
        for (distance, expected) in cases {
            assert_eq!(words(now + distance, now), expected, "{distance}");
        }
    }

    #[test]
    fn the_exact_time_is_beside_it_to_the_second() {
        let at = datetime!(2026-11-26 07:59:30.123456 UTC);
        let shown = moment(at, datetime!(2026-11-26 08:00 UTC)).into_string();
        assert!(shown.contains("datetime=\"2026-11-26T07:59:30Z\""), "{shown}");
        assert!(shown.contains("title=\"26 Nov 2026, 07:59:30 UTC\""), "{shown}");
    }
}
