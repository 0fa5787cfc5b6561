//! Lists by pages: how many, and from where; and reading parameters of a query.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::problem::Problem;
use crate::state::Api;

/// Longest word that a list can be narrowed by.
const WORD_CHARS_MAX: usize = 128;

/// What is told of what is no such word.
pub(crate) const WORD_EXPECTED: &str = "must have at most 128 characters, none of them a zero byte";

/// What is told of what is no moment.
pub(crate) const TIME_EXPECTED: &str = "must be an RFC 3339 time such as `2026-11-23T08:00:00Z`, not before 1970; a `+` in a query is written `%2B`";

/// How many things a page has unless asked otherwise, and at most.
pub(crate) const PAGE_DEFAULT: usize = 50;
pub(crate) const PAGE_MAX: usize = 200;

/// The parameters of a query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|error| {
            use std::error::Error as _;
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Problem::malformed("query", format!("is wrong: {cause}"))
        })
    }
}

/// How many things to read for a page: one more than it shows, to know whether another page follows.
pub(crate) fn limit(given: Option<&str>) -> Result<usize, Problem> {
    let Some(given) = given else { return Ok(PAGE_DEFAULT) };
    let limit = given.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Problem::malformed("limit", format!("must be a whole number from 1 to {PAGE_MAX}")))
}

/// What a limit may be, for the description.
pub(crate) fn limit_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(PAGE_MAX))
        .default(Some(PAGE_DEFAULT.into()))
        .build()
}

/// Reads a word that a list is narrowed by.
pub(crate) fn word(name: &str, given: Option<String>) -> Result<Option<String>, Problem> {
    if given.as_deref().is_none_or(is_word) {
        return Ok(given);
    }
    Err(Problem::malformed(name, WORD_EXPECTED))
}

/// Whether a list can be narrowed by a word. PostgreSQL knows no zero byte in a text.
pub(crate) fn is_word(text: &str) -> bool {
    text.chars().count() <= WORD_CHARS_MAX && !text.contains('\0')
}

/// Reads a parameter that has a type of its own.
pub(crate) fn parsed<T>(name: &str, given: Option<&str>) -> Result<Option<T>, Problem>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let read = given.map(str::parse).transpose();
    read.map_err(|error| Problem::malformed(name, format!("is wrong: {error}")))
}

/// Reads a moment that a list is narrowed by.
pub(crate) fn time(name: &str, given: Option<&str>) -> Result<Option<OffsetDateTime>, Problem> {
    let read = |text| read_time(text).ok_or_else(|| Problem::malformed(name, TIME_EXPECTED));
    given.map(read).transpose()
}

/// Reads a moment: RFC 3339, in UTC between 1970 and 9999, which every table and every answer can hold.
pub(crate) fn read_time(text: &str) -> Option<OffsetDateTime> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    (1970..=9999).contains(&moment.year()).then_some(moment)
}

/// Reads the place that the page before told.
pub(crate) fn cursor<T: FromStr>(given: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(given).ok()?).ok()?;
        text.parse().ok()
    };
    read().map(Some).ok_or_else(|| {
        Problem::malformed("cursor", "is not one that a page told: take `next` of the page before, unchanged")
    })
}

/// Cuts a list that was read with one thing too many.
///
/// * `place`: the text of the last thing's place.
/// * returns the page, and the cursor of the next if there is one.
pub(crate) fn cut<T>(
    mut things: Vec<T>,
    limit: usize,
    place: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    if things.len() <= limit {
        return (things, None);
    }
    things.truncate(limit);
    let next = things.last().map(|last| URL_SAFE_NO_PAD.encode(place(last)));
    (things, next)
}

#[cfg(test)]
mod tests {
    use bellhop_model::WebhookId;

    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let id = |byte| WebhookId::from_uuid(&[byte; 16]);
        let all: Vec<WebhookId> = (0..7).map(id).collect();
        let (mut seen, mut next) = (Vec::new(), None);
        loop {
            let after: Option<WebhookId> = cursor(next.as_deref()).expect("our own cursor");
            let rest = all.iter().filter(|id| after.as_ref().is_none_or(|after| after < *id));
            let (page, following) = cut(rest.take(3 + 1).cloned().collect(), 3, ToString::to_string);
            seen.extend(page);
            next = following;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_moment_is_one_that_tables_and_answers_can_hold() {
        for text in ["1970-01-01T00:00:00Z", "2026-11-23T08:00:00.123456+01:00", "9999-12-31T23:59:59Z"] {
            assert!(read_time(text).is_some(), "{text}");
        }
        for text in [
            "",
            "2026-11-23",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert!(read_time(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_word_is_as_long_as_is_told() {
        assert!(WORD_EXPECTED.contains(&format!(" {WORD_CHARS_MAX} ")));
        assert!(is_word(&"é".repeat(WORD_CHARS_MAX)) && !is_word(&"é".repeat(WORD_CHARS_MAX + 1)));
        assert!(!is_word("a\0"));
    }

    #[test]
    fn made_up_cursors_and_limits_are_refused() {
        for text in ["", "x", "é", "d2hfIA", "////"] {
            assert!(cursor::<WebhookId>(Some(text)).is_err(), "{text}");
        }
        for text in ["", "0", "-1", "201", "1.5", "many"] {
            assert!(limit(Some(text)).is_err(), "{text}");
        }
        assert_eq!(limit(Some("200")).ok(), Some(200));
    }
}
