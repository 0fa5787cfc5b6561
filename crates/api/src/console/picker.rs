//! Moments as a browser's picker for date and time gives and takes them: to the minute, without a zone.

use crate::page::read_time;

/// A moment as a browser's picker gives it, which has no zone: it is taken for UTC, as its label says.
pub(super) fn utc(text: &str) -> String {
    match text.len() {
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    }
}

/// A moment as a picker takes it; empty when it is none.
pub(super) fn picked(text: &str) -> String {
    let Some(at) = read_time(&utc(text)) else { return String::new() };
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picker_gets_back_what_it_gave() {
        for text in ["2026-11-23T07:30", "2026-11-23T07:30:00", "2026-11-23T08:30:00+01:00"] {
            assert_eq!(picked(text), "2026-11-23T07:30", "{text}");
        }
        assert_eq!(picked("yesterday"), "");
    }
}
