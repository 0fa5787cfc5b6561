//! What a message in the due lane still owes, as headers of ours.

use std::fmt;

use bellhop_broker::Incoming;
use bellhop_model::{Attempt, CopyToken, EndReason, Series, WebhookId};
use time::OffsetDateTime;

const WEBHOOK: &str = "bellhop-webhook";
const SERIES: &str = "bellhop-series";
const ATTEMPT: &str = "bellhop-attempt";
const COPY: &str = "bellhop-copy";
const ACCEPTED_AT: &str = "bellhop-accepted-at";
const TURN_AT: &str = "bellhop-turn-at";
const UNRECORDED: &str = "bellhop-unrecorded";
const OUTCOME: &str = "bellhop-outcome";

/// What is owed next: an attempt at one webhook, or the whole event when its webhooks could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    /// The webhook; `None` when the event was deferred before anybody knew who wants it.
    pub(crate) webhook: Option<WebhookId>,
    /// Which series of attempts.
    pub(crate) series: Series,
    /// The attempt to make; of an unrecorded end, the last one made.
    pub(crate) attempt: Attempt,
    /// Which copy of this attempt the message is; a deferral keeps it.
    pub(crate) copy: Option<CopyToken>,
    /// When a worker first took the event, to the millisecond.
    pub(crate) accepted_at: OffsetDateTime,
    /// When its turn at a busy webhook is expected, to the millisecond; only of what waits for one.
    pub(crate) turn: Option<OffsetDateTime>,
    /// The delivery has ended and only its record is owed: why it ended, and the last outcome.
    pub(crate) unrecorded: Option<(EndReason, String)>,
}

/// Why a message in the due lane does not say what it owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable(&'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the header `{}` is missing or holds no value this program knows", self.0)
    }
}

impl Owed {
    /// What a fresh event owes when a worker takes it.
    pub(crate) fn fresh(now: OffsetDateTime) -> Self {
        Self {
            webhook: None,
            series: Series::FIRST,
            attempt: Attempt::FIRST,
            copy: None,
            accepted_at: now,
            turn: None,
            unrecorded: None,
        }
    }

    /// Reads the headers of a message from the due lane.
    pub(crate) fn read(message: &Incoming) -> Result<Self, Unreadable> {
        let parsed = |name: &'static str| {
            message.header(name).and_then(|text| text.parse::<i64>().ok()).ok_or(Unreadable(name))
        };
        let series = u32::try_from(parsed(SERIES)?).map_err(|_| Unreadable(SERIES))?;
        let attempt = Attempt::try_from(parsed(ATTEMPT)?).map_err(|_| Unreadable(ATTEMPT))?;
        let accepted_at = moment(parsed(ACCEPTED_AT)?).ok_or(Unreadable(ACCEPTED_AT))?;
        let outcome = message.header(OUTCOME).unwrap_or_default();
        let unrecorded =
            optional(message, UNRECORDED, EndReason::parse)?.map(|reason| (reason, outcome.to_owned()));
        let webhook: Option<WebhookId> = optional(message, WEBHOOK, |text| text.parse().ok())?;
        if unrecorded.is_some() && webhook.is_none() {
            // Only a delivery to a webhook ends, never an event as a whole.
            return Err(Unreadable(WEBHOOK));
        }
        Ok(Self {
            webhook,
            series: Series(series),
            attempt,
            copy: optional(message, COPY, |text| text.parse().ok())?,
            accepted_at,
            turn: optional(message, TURN_AT, |text| moment(text.parse().ok()?))?,
            unrecorded,
        })
    }

    /// The headers that [`Owed::read`] reads back.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let millis = |moment: OffsetDateTime| (moment.unix_timestamp_nanos() / 1_000_000).to_string();
        let mut headers = vec![
            (SERIES, self.series.to_string()),
            (ATTEMPT, self.attempt.to_string()),
            (ACCEPTED_AT, millis(self.accepted_at)),
        ];
        headers.extend(self.webhook.as_ref().map(|webhook| (WEBHOOK, webhook.to_string())));
        headers.extend(self.copy.as_ref().map(|copy| (COPY, copy.as_str().to_owned())));
        headers.extend(self.turn.map(|turn| (TURN_AT, millis(turn))));
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
) -> Result<Option<T>, Unreadable> {
    if !message.has_header(name) {
        return Ok(None);
    }
    message.header(name).and_then(parse).map(Some).ok_or(Unreadable(name))
}

#[cfg(test)]
mod tests {
    use bellhop_broker::Outgoing;
    use bytes::Bytes;

    use super::*;

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
            unrecorded: Some((EndReason::AttemptsFailed, "5xx".to_owned())),
        }
    }

    #[test]
    fn what_is_owed_survives_its_headers() {
        let deferred = Owed { webhook: None, copy: None, turn: None, unrecorded: None, ..owed() };
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
        assert_eq!(changed(ATTEMPT, "4"), Err(Unreadable(ATTEMPT)));
        assert_eq!(changed(ATTEMPT, ""), Err(Unreadable(ATTEMPT)));
        assert_eq!(changed(WEBHOOK, "x"), Err(Unreadable(WEBHOOK)));
        assert_eq!(changed(COPY, "a.b"), Err(Unreadable(COPY)));
        assert_eq!(changed(TURN_AT, "soon"), Err(Unreadable(TURN_AT)));
        assert_eq!(changed(UNRECORDED, "bored"), Err(Unreadable(UNRECORDED)));
        let nobodys_end = Owed { webhook: None, ..owed() };
        assert_eq!(Owed::read(&message(nobodys_end.headers())), Err(Unreadable(WEBHOOK)));
        assert_eq!(changed(ACCEPTED_AT, "99999999999999999999"), Err(Unreadable(ACCEPTED_AT)));
        assert_eq!(Owed::read(&message(Vec::new())), Err(Unreadable(SERIES)));
    }
}
