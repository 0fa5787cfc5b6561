//! What a message in the slow or the due lane still owes, as headers of ours.

use std::fmt;

use bellhop_model::{Attempt, CopyToken, EndReason, Event, Series, WebhookId};
use time::OffsetDateTime;

use crate::Incoming;
use crate::names::{
    ACCEPTED_AT_HEADER as ACCEPTED_AT, ATTEMPT_HEADER as ATTEMPT, COPY_HEADER as COPY,
    SERIES_HEADER as SERIES, WEBHOOK_HEADER as WEBHOOK,
};

const TURN_AT: &str = "bellhop-turn-at";
const UNAVAILABLE_SINCE: &str = "bellhop-unavailable-since";
const UNRECORDED: &str = "bellhop-unrecorded";
const OUTCOME: &str = "bellhop-outcome";

/// What is owed next: an attempt at one webhook, or the whole event when its webhooks could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The webhook; `None` when the event was deferred before anybody knew who wants it.
    pub webhook: Option<WebhookId>,
    /// Which series of attempts.
    pub series: Series,
    /// The attempt to make; of an unrecorded end, the last one made.
    pub attempt: Attempt,
    /// Which copy of this attempt the message is; a deferral keeps it.
    pub copy: Option<CopyToken>,
    /// When a worker first took the event, to the millisecond.
    pub accepted_at: OffsetDateTime,
    /// When its turn at a busy webhook is expected, to the millisecond; only of what waits for one.
    pub turn: Option<OffsetDateTime>,
    /// Since when its webhook is unavailable, to the millisecond; only of what was put off for that, until it is attempted.
    pub unavailable_since: Option<OffsetDateTime>,
    /// The delivery has ended and only its record is owed: why it ended, and the last outcome.
    pub unrecorded: Option<(EndReason, String)>,
}

/// Why a message does not say what it owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableOwed(&'static str);

impl fmt::Display for UnreadableOwed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the header `{}` is missing or holds no value this program knows", self.0)
    }
}

impl Owed {
    /// What a fresh event owes when a worker takes it.
    #[must_use]
    pub fn fresh(now: OffsetDateTime) -> Self {
        Self {
            webhook: None,
            series: Series::FIRST,
            attempt: Attempt::FIRST,
            copy: None,
            accepted_at: now,
            turn: None,
            unavailable_since: None,
            unrecorded: None,
        }
    }

    /// Whether it is the first attempt of a test event, which is addressed to its webhook from the beginning: nobody has
    /// taken the event before.
    #[must_use]
    pub fn is_first_of(&self, event: &Event) -> bool {
        event.is_test && self.series == Series::FIRST && self.attempt == Attempt::FIRST
    }

    /// Reads the headers of a message from the slow or the due lane.
    ///
    /// # Errors
    /// [`UnreadableOwed`] names the first header that is missing or says nothing.
    pub fn read(message: &Incoming) -> Result<Self, UnreadableOwed> {
        let parsed = |name: &'static str| {
            message.header(name).and_then(|text| text.parse::<i64>().ok()).ok_or(UnreadableOwed(name))
        };
        let series = u32::try_from(parsed(SERIES)?).map_err(|_| UnreadableOwed(SERIES))?;
        let attempt = Attempt::try_from(parsed(ATTEMPT)?).map_err(|_| UnreadableOwed(ATTEMPT))?;
        let accepted_at = moment(parsed(ACCEPTED_AT)?).ok_or(UnreadableOwed(ACCEPTED_AT))?;
        let outcome = message.header(OUTCOME).unwrap_or_default();
        let unrecorded =
            optional(message, UNRECORDED, EndReason::parse)?.map(|reason| (reason, outcome.to_owned()));
        let webhook: Option<WebhookId> = optional(message, WEBHOOK, |text| text.parse().ok())?;
        if unrecorded.is_some() && webhook.is_none() {
            // Only a delivery to a webhook ends, never an event as a whole.
            return Err(UnreadableOwed(WEBHOOK));
        }
        Ok(Self {
            webhook,
            series: Series(series),
            attempt,
            copy: optional(message, COPY, |text| text.parse().ok())?,
            accepted_at,
            turn: optional(message, TURN_AT, |text| moment(text.parse().ok()?))?,
            unavailable_since: optional(message, UNAVAILABLE_SINCE, |text| moment(text.parse().ok()?))?,
            unrecorded,
        })
    }

    /// The headers that [`Owed::read`] reads back.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let millis = |moment: OffsetDateTime| (moment.unix_timestamp_nanos() / 1_000_000).to_string();
        let mut headers = vec![
            (SERIES, self.series.to_string()),
            (ATTEMPT, self.attempt.to_string()),
            (ACCEPTED_AT, millis(self.accepted_at)),
        ];
        headers.extend(self.webhook.as_ref().map(|webhook| (WEBHOOK, webhook.to_string())));
        headers.extend(self.copy.as_ref().map(|copy| (COPY, copy.as_str().to_owned())));
        headers.extend(self.turn.map(|turn| (TURN_AT, millis(turn))));
        headers.extend(self.unavailable_since.map(|since| (UNAVAILABLE_SINCE, millis(since))));
        if let Some((reason, outcome)) = &self.unrecorded {
            headers.push((UNRECORDED, reason.as_str().to_owned()));
            headers.push((OUTCOME, outcome.clone()));
        }
        headers
    }
}

/// * `millis`: since the epoch.
fn moment(millis: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()
}

fn optional<T>(
    message: &Incoming,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, UnreadableOwed> {
    if !message.has_header(name) {
        return Ok(None);
    }
    message.header(name).and_then(parse).map(Some).ok_or(UnreadableOwed(name))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Outgoing;

    fn message(headers: Vec<(&'static str, String)>) -> Incoming {
        Incoming::of(&Outgoing {
            exchange: String::new(),
            routing_key: String::new(),
            message_id: "m".to_owned(),
            message_type: None,
            timestamp: 0,
            time_to_live: None,
            headers,
            body: Bytes::new(),
        })
    }

    fn owed() -> Owed {
        Owed {
            webhook: Some(WebhookId::from_uuid(&[3; 16])),
            series: Series(2),
            attempt: Attempt::FIRST.next().expect("second"),
            copy: Some(CopyToken::from_random(&[4; 16])),
            accepted_at: OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_000_000)
                .expect("in range"),
            turn: Some(OffsetDateTime::UNIX_EPOCH),
            unavailable_since: Some(OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(1)),
            unrecorded: Some((EndReason::AttemptsFailed, "5xx".to_owned())),
        }
    }

    #[test]
    fn what_is_owed_survives_its_headers() {
        let deferred = Owed {
            webhook: None,
            copy: None,
            turn: None,
            unavailable_since: None,
            unrecorded: None,
            ..owed()
        };
        for owed in [owed(), deferred] {
            assert_eq!(Owed::read(&message(owed.headers())), Ok(owed));
        }
    }

    #[test]
    fn a_message_that_does_not_say_is_unreadable() {
        let changed = |name: &'static str, value: &str| {
            let mut headers = owed().headers();
            headers.retain(|(other, _)| *other != name);
            headers.push((name, value.to_owned()));
            Owed::read(&message(headers))
        };
        assert_eq!(changed(ATTEMPT, "4"), Err(UnreadableOwed(ATTEMPT)));
        assert_eq!(changed(ATTEMPT, ""), Err(UnreadableOwed(ATTEMPT)));
        assert_eq!(changed(WEBHOOK, "x"), Err(UnreadableOwed(WEBHOOK)));
        assert_eq!(changed(COPY, "a.b"), Err(UnreadableOwed(COPY)));
        assert_eq!(changed(TURN_AT, "soon"), Err(UnreadableOwed(TURN_AT)));
        assert_eq!(changed(UNAVAILABLE_SINCE, "yesterday"), Err(UnreadableOwed(UNAVAILABLE_SINCE)));
        assert_eq!(changed(UNRECORDED, "bored"), Err(UnreadableOwed(UNRECORDED)));
        let nobodys_end = Owed { webhook: None, ..owed() };
        assert_eq!(Owed::read(&message(nobodys_end.headers())), Err(UnreadableOwed(WEBHOOK)));
        assert_eq!(changed(ACCEPTED_AT, "99999999999999999999"), Err(UnreadableOwed(ACCEPTED_AT)));
        assert_eq!(Owed::read(&message(Vec::new())), Err(UnreadableOwed(SERIES)));
    }
}
