//! Numbers as people read them.

/// A count, in groups of three.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long something took.
///
/// * `micros`: microseconds.
pub(crate) fn took(micros: u64) -> String {
    let millis = crate::told::millis(micros);
    match micros {
        0..10_000 => format!("{millis:.1} ms"),
        10_000..1_000_000 => format!("{millis:.0} ms"),
        _ => format!("{:.2} s", millis / 1_000.0),
    }
}

/// How long something will take, roughly.
pub(crate) fn seconds(seconds: u64) -> String {
    let counted = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match seconds {
        0..120 => counted(seconds, "second"),
        120..7_200 => counted(seconds.div_ceil(60), "minute"),
        _ => counted(seconds.div_ceil(3_600), "hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn times_are_as_exact_as_they_are_short() {
        for (micros, text) in
            [(400, "0.4 ms"), (9_999, "10.0 ms"), (412_300, "412 ms"), (15_000_000, "15.00 s")]
        {
            assert_eq!(took(micros), text);
        }
        for (given, text) in [(1, "1 second"), (119, "119 seconds"), (121, "3 minutes"), (7_201, "3 hours")] {
            assert_eq!(seconds(given), text);
        }
    }
}
