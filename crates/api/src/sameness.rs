//! Whether two requests to publish say the same: as values, since a platform that repeats itself need not do so byte by byte.

use bellhop_model::EventType;
use serde_json::{Number, Value};
use time::OffsetDateTime;

/// Greatest whole number up to which every one has a double of its own.
const DOUBLE_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What a request says, so that two that mean the same give the same bytes.
///
/// * `occurred_at`: as the request says it, if it does; what is left out is not what happens to be now.
/// * `data`: the appointment's JSON. Order of members, white space, escapes and the text of numbers do not matter; numbers
///   are compared as doubles, as far as any receiver may be expected to read them (RFC 8259 §6). What is nested too deep
///   to be compared so is compared by its bytes.
pub(crate) fn content(event_type: &EventType, occurred_at: Option<OffsetDateTime>, data: &str) -> Vec<u8> {
    let moment = occurred_at.map(|moment| moment.unix_timestamp_nanos().to_string()).unwrap_or_default();
    let data = serde_json::from_str(data).map_or_else(|_| data.to_owned(), |value| plain(value).to_string());
    [event_type.as_str(), &moment, &data].join("\n").into_bytes()
}

/// The same value in the one form that all its texts share.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(plain_number(number)),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(members.into_iter().map(|(name, value)| (name, plain(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// `1.0` and `1e0` are `1`, and `-0.0` is `0`.
fn plain_number(number: Number) -> Number {
    let whole = number
        .as_f64()
        .filter(|double| number.is_f64() && double.fract() == 0.0 && double.abs() <= DOUBLE_EXACT_MAX);
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53 is one of 64 bits")]
    whole.map_or(number, |double| Number::from(double as i64))
}

#[cfg(test)]
mod tests {
    use bellhop_model::parse_moment;

    use super::*;

    fn of(event_type: &str, moment: Option<&str>, data: &str) -> Vec<u8> {
        let moment = moment.map(|text| parse_moment(text).expect("a moment"));
        content(&event_type.parse().expect("a type"), moment, data)
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let data = |text: &str| of("a.b", None, text);
        for (one, other) in [
            (r#"{"a":1,"b":{"c":[2,3]}}"#, " {\n \"b\": {\"c\": [2, 3]}, \"a\": 1}"),
            (r#"{"name":"Zoë"}"#, r#"{"name":"Zo\u00eb"}"#),
            (r#"{"fee":112.50}"#, r#"{"fee":1.125e2}"#),
            (r#"{"n":1}"#, r#"{"n":1.0}"#),
            (r#"{"n":0}"#, r#"{"n":-0.0}"#),
        ] {
            assert_eq!(data(one), data(other), "{one} {other}");
        }
        let at = |moment| of("a.b", Some(moment), "{}");
        assert_eq!(at("2024-02-06T17:20:59Z"), at("2024-02-06T18:20:59.000+01:00"));
    }

    #[test]
    fn what_means_something_else_is_not() {
        let data = |text: &str| of("a.b", None, text);
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"n":9007199254740993}"#, r#"{"n":9007199254740992}"#),
            (r#"{"n":112.5}"#, r#"{"n":112.50001}"#),
        ] {
            assert_ne!(data(one), data(other), "{one} {other}");
        }
        assert_ne!(of("a.b", None, "{}"), of("a.c", None, "{}"));
        assert_ne!(of("a.b", Some("2024-02-06T17:20:59Z"), "{}"), of("a.b", None, "{}"));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(of("a.b", None, &deep), of("a.b", None, &deep));
        assert_ne!(of("a.b", None, &deep), of("a.b", None, &format!(" {deep}")));
    }
}
