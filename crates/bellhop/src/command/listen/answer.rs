//! What is answered: a status, or a sequence of them per event and webhook.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use hyper::{HeaderMap, StatusCode};

/// Events whose place in the sequence is remembered; beyond it the oldest knowledge is dropped, which only restarts
/// sequences of a trial that long.
const EVENTS_REMEMBERED_MAX: usize = 100_000;

/// Statuses answered one after the other, then the last for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence(Vec<StatusCode>);

/// A sequence at work: each event runs through it by itself, so that interleaved events do not disturb each other.
#[derive(Debug)]
pub(super) struct Answers {
    sequence: Sequence,
    given: Mutex<HashMap<String, usize>>,
}

impl Sequence {
    /// One status for every request.
    pub(super) fn always(status: u16) -> Self {
        Self(vec![StatusCode::from_u16(status).expect("the command line admits statuses only")])
    }
}

impl FromStr for Sequence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let status = |part: &str| {
            let number = part.trim().parse::<u16>().ok().filter(|status| (200..=999).contains(status));
            let status = number.and_then(|number| StatusCode::from_u16(number).ok());
            status.ok_or_else(|| format!("`{part}` is not a status from 200 to 999"))
        };
        text.split(',').map(status).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl Answers {
    pub(super) fn new(sequence: Sequence) -> Self {
        Self { sequence, given: Mutex::default() }
    }

    /// The status for this request.
    pub(super) fn next(&self, headers: &HeaderMap) -> StatusCode {
        let Sequence(statuses) = &self.sequence;
        let last = *statuses.last().expect("a sequence has at least one status");
        if statuses.len() == 1 {
            return last;
        }
        let event = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if EVENTS_REMEMBERED_MAX <= given.len() {
            given.clear();
        }
        let place = given.entry(event.to_owned()).or_default();
        *place += 1;
        statuses.get(*place - 1).copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_runs_through_the_sequence_by_itself() {
        let answers = Answers::new("500,429,200".parse().expect("a sequence"));
        let next = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", id.parse().expect("a header"));
            answers.next(&headers).as_u16()
        };
        let given = [next("a"), next("b"), next("a"), next("a"), next("a"), next("b")];
        assert_eq!(given, [500, 500, 429, 200, 200, 429]);
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for text in ["", "500,,200", "99", "1000", "ok", "100"] {
            assert!(text.parse::<Sequence>().is_err(), "{text}");
        }
    }
}
