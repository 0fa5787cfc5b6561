//! The forms a value may take in TOML or in a variable: how each is read and how it is written.

use std::fmt::Display;
use std::time::Duration;

/// Units of time, the longest first, in milliseconds.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 24 * 60 * 60 * 1000), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Units of memory, the largest first, in bytes.
const BYTE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A whole number that a setting may hold; TOML knows 64 bits with a sign.
pub trait Integer: Copy + PartialOrd + Display + TryFrom<i64> {}

impl<T: Copy + PartialOrd + Display + TryFrom<i64>> Integer for T {}

/// A value as it was given, before it is known to be legal.
#[derive(Clone, Debug)]
pub(super) enum Given {
    Variable(String),
    File(toml::Value),
}

impl Given {
    /// The value as text; the empty text is no value.
    pub(super) fn text(&self) -> Option<&str> {
        let text = match self {
            Self::Variable(text) | Self::File(toml::Value::String(text)) => text.as_str(),
            Self::File(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    pub(super) fn integer<T: Integer>(&self) -> Option<T> {
        let number: i64 = match self {
            Self::Variable(text) => text.parse().ok()?,
            Self::File(value) => value.as_integer()?,
        };
        T::try_from(number).ok()
    }

    pub(super) fn ratio(&self) -> Option<f64> {
        match self {
            Self::Variable(text) => text.parse().ok(),
            Self::File(toml::Value::Integer(whole)) => i32::try_from(*whole).ok().map(f64::from),
            Self::File(value) => value.as_float(),
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Variable(text) => text.parse().ok(),
            Self::File(value) => value.as_bool(),
        }
    }

    /// The items of a list: an array of strings in TOML, separated by commas in a variable, where nothing is
    /// no item.
    pub(super) fn items(&self) -> Option<Vec<&str>> {
        match self {
            Self::Variable(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Variable(text) => Some(text.split(',').map(str::trim).collect()),
            Self::File(value) => value.as_array()?.iter().map(toml::Value::as_str).collect(),
        }
    }

    /// The value as it stands in its layer, for a problem's text. Not for secrets.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Variable(text) => text.clone(),
            Self::File(value) => write_value(value),
        }
    }
}

/// Reads a time span: a whole number and its unit, such as `500ms`, `30s`, `10m`, `1h` or `7d`.
pub(super) fn read_duration(text: &str) -> Option<Duration> {
    read_quantity(text, &TIME_UNITS).map(Duration::from_millis)
}

/// Writes a time span in the longest unit that divides it.
pub(super) fn write_duration(duration: Duration) -> String {
    let millis =
        u64::try_from(duration.as_millis()).expect("a configured duration fits 64 bits of milliseconds");
    write_quantity(millis, &TIME_UNITS, "s")
}

/// Reads an amount of memory: a whole number and its unit, such as `512B`, `64KiB` or `1MiB`.
pub(super) fn read_bytes<T: Integer>(text: &str) -> Option<T> {
    let bytes = read_quantity(text, &BYTE_UNITS)?;
    T::try_from(i64::try_from(bytes).ok()?).ok()
}

/// Writes an amount of memory in the largest unit that divides it.
pub(super) fn write_bytes<T: Integer>(bytes: T) -> String {
    let bytes = bytes.to_string().parse().expect("an amount of memory is not negative");
    write_quantity(bytes, &BYTE_UNITS, "B")
}

/// Writes a TOML basic string, quotes included.
pub(super) fn write_text(text: &str) -> String {
    let mut written = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            control if control.is_control() => written.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => written.push(other),
        }
    }
    written + "\""
}

/// Writes a TOML array of strings.
pub(super) fn write_list(items: &[impl AsRef<str>]) -> String {
    let items: Vec<String> = items.iter().map(|item| write_text(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

fn write_value(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => write_text(text),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::Array(items) => {
            format!("[{}]", items.iter().map(write_value).collect::<Vec<_>>().join(", "))
        }
        toml::Value::Table(_) => "{…}".to_owned(),
    }
}

fn read_quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// * `zero`: the unit of nothing at all, which every unit divides.
fn write_quantity(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    if amount == 0 {
        return format!("0{zero}");
    }
    let (unit, factor) = units
        .iter()
        .find(|(_, factor)| amount.is_multiple_of(*factor))
        .expect("the last unit divides everything");
    format!("{}{unit}", amount / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(text: &str) -> Given {
        Given::Variable(text.to_owned())
    }

    fn toml(text: &str) -> Given {
        let table: toml::Table = format!("value = {text}").parse().unwrap();
        Given::File(table["value"].clone())
    }

    #[test]
    fn durations_have_a_unit() {
        let cases = [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("10m", Some(600_000)),
            ("1h", Some(3_600_000)),
            ("7d", Some(604_800_000)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("1h30m", None),
            ("30S", None),
            ("18446744073709551615d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(read_duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn bytes_have_a_unit() {
        let cases = [
            ("0B", Some(0)),
            ("512B", Some(512)),
            ("64KiB", Some(65_536)),
            ("2MiB", Some(2_097_152)),
            ("1GiB", Some(1_073_741_824)),
            ("4GiB", None),
            ("64KB", None),
            ("64", None),
            ("KiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(read_bytes::<u32>(text), bytes, "{text}");
        }
    }

    #[test]
    fn quantities_are_written_in_the_largest_unit_that_fits() {
        for text in ["0s", "1ms", "1500ms", "90s", "10m", "1h", "25h", "7d"] {
            assert_eq!(write_duration(read_duration(text).unwrap()), text);
        }
        for text in ["0B", "1B", "1000B", "64KiB", "3MiB", "1GiB"] {
            assert_eq!(write_bytes::<u32>(read_bytes(text).unwrap()), text);
        }
    }

    #[test]
    fn numbers_keep_their_type() {
        let cases = [
            (variable("7"), Some(7)),
            (variable("255"), Some(255)),
            (variable("256"), None),
            (variable("-1"), None),
            (variable("7.0"), None),
            (variable(""), None),
            (toml("7"), Some(7)),
            (toml("256"), None),
            (toml("\"7\""), None),
            (toml("7.0"), None),
        ];
        for (given, expected) in cases {
            assert_eq!(given.integer::<u8>(), expected, "{given:?}");
        }
        assert_eq!(variable("0.25").ratio(), Some(0.25));
        assert_eq!(toml("0.25").ratio(), Some(0.25));
        assert_eq!(toml("1").ratio(), Some(1.0));
        assert_eq!(toml("\"0.25\"").ratio(), None);
    }

    #[test]
    fn flags_are_true_or_false() {
        let cases = [
            (variable("true"), Some(true)),
            (variable("false"), Some(false)),
            (variable("1"), None),
            (variable("yes"), None),
            (toml("true"), Some(true)),
            (toml("1"), None),
        ];
        for (given, expected) in cases {
            assert_eq!(given.flag(), expected, "{given:?}");
        }
    }

    #[test]
    fn items_are_separated_by_commas_or_by_toml() {
        let cases = [
            (variable("a,b"), Some(vec!["a", "b"])),
            (variable(" a , b "), Some(vec!["a", "b"])),
            (variable("a,,b"), Some(vec!["a", "", "b"])),
            (variable(""), Some(vec![])),
            (toml("[\"a\", \"b\"]"), Some(vec!["a", "b"])),
            (toml("[]"), Some(vec![])),
            (toml("[1]"), None),
            (toml("\"a,b\""), None),
        ];
        for (given, expected) in cases {
            assert_eq!(given.items(), expected, "{given:?}");
        }
    }

    #[test]
    fn written_text_is_read_back_unchanged() {
        for text in ["plain", "a \"quoted\" \\ word", "tab\tline\nend\u{7f}", "naïve – ✓"] {
            assert_eq!(toml(&write_text(text)).text(), Some(text));
        }
    }
}
