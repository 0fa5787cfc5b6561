//! The request that an endpoint gets: made from an event by a worker, and made again from the log by whoever shows it.
//!
//! Both take it from here, so that what is shown is what was sent. What cannot be told from the event was noted when it
//! was sent: [`Sent`]. Of the URL that is scheme, host and port: a path or query may be a credential, and is nowhere.

use std::borrow::Cow;

use crate::{Attempt, Event, Sent};

/// The header `content-type` of every request.
pub const CONTENT_TYPE: &str = "application/json";

/// A header's name, in lower case, and its value.
pub type SentHeader<'a> = (&'static str, Cow<'a, str>);

/// A request as an endpoint got it, but for the method, which is `POST`, and path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest<'a> {
    /// In the order in which they were sent. `host` and `user-agent` are missing where nobody noted them.
    pub headers: Vec<SentHeader<'a>>,
    /// The body, byte for byte.
    pub body: String,
}

/// The headers by which an endpoint knows what it gets.
///
/// * `timestamp`: unix seconds of this attempt.
/// * `signature`: the whole value of its header.
/// * returns visible ASCII, in the order in which they are sent.
#[must_use]
pub fn webhook_headers<'a>(
    event: &'a Event,
    attempt: Attempt,
    timestamp: i64,
    signature: &'a str,
) -> Vec<SentHeader<'a>> {
    let mut headers = Vec::with_capacity(7);
    headers.push(("webhook-id", event.id.as_str().into()));
    headers.push(("webhook-timestamp", timestamp.to_string().into()));
    headers.push(("webhook-signature", signature.into()));
    headers.push(("webhook-event", event.event_type.as_str().into()));
    headers.push(("webhook-attempt", number(attempt).into()));
    headers.push(("webhook-mode", event.mode.as_str().into()));
    if event.is_test {
        headers.push(("webhook-test-event", "true".into()));
    }
    headers
}

impl<'a> SentRequest<'a> {
    /// Makes a request again.
    ///
    /// * `event`: as it was published.
    /// * `sent`: what was noted of the request.
    #[must_use]
    pub fn of(event: &'a Event, attempt: Attempt, sent: &'a Sent<'_>) -> Self {
        let body = event.payload.render(sent.payload);
        let mut headers = Vec::with_capacity(11);
        let host = sent.origin.as_deref().and_then(|origin| origin.split_once("://"));
        headers.extend(host.map(|(_, host)| ("host", host.into())));
        headers.push(("content-type", CONTENT_TYPE.into()));
        headers.extend(sent.user_agent.as_deref().map(|agent| ("user-agent", agent.into())));
        headers.extend(webhook_headers(event, attempt, sent.timestamp, &sent.signature));
        headers.push(("content-length", body.len().to_string().into()));
        Self { headers, body }
    }
}

const fn number(attempt: Attempt) -> &'static str {
    match attempt.number() {
        1 => "1",
        2 => "2",
        _ => "3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventLabels, Expansion, PayloadLevel};

    const EVENT: &str = r#"{"id":"evt_1","type":"appointment.scheduled","mode":"test","organisationId":"org_1","occurredAt":"2024-02-06T17:20:59Z","data":{"id":"apt_1","organisationId":"org_1","patient":{"name":"Zoë", "id":"p_1"},"task":{"id":"tsk_1","minutes":20.50},"window":null}}"#;

    fn sent(payload: PayloadLevel) -> Sent<'static> {
        Sent {
            payload,
            timestamp: 1_707_240_060,
            signature: "v1,c2lnbmVk v1,YmVmb3Jl".into(),
            user_agent: Some("Bellhop/0.1.0".into()),
            origin: Some("https://hooks.example:8443".into()),
        }
    }

    fn event(text: &str) -> Event {
        Event::parse(text.as_bytes(), None, &EventLabels::default()).expect("an event")
    }

    /// What the log kept yesterday must be shown tomorrow as it was sent, whatever changes here.
    #[test]
    fn what_was_noted_is_shown_to_the_byte() {
        let event = event(EVENT);
        let level = PayloadLevel::Full(Expansion { task: true, ..Expansion::default() });
        let sent = sent(level);
        let attempt = Attempt::try_from(2).expect("the second");
        let request = SentRequest::of(&event, attempt, &sent);
        let told: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            told,
            [
                "host: hooks.example:8443",
                "content-type: application/json",
                "user-agent: Bellhop/0.1.0",
                "webhook-id: evt_1",
                "webhook-timestamp: 1707240060",
                "webhook-signature: v1,c2lnbmVk v1,YmVmb3Jl",
                "webhook-event: appointment.scheduled",
                "webhook-attempt: 2",
                "webhook-mode: test",
                "content-length: 123",
            ]
        );
        assert_eq!(
            request.body,
            r#"{"data":{"id":"apt_1","organisationId":"org_1","patient":{"id":"p_1"},"task":{"id":"tsk_1","minutes":20.50},"window":null}}"#
        );
    }

    #[test]
    fn what_nobody_noted_is_left_out_and_a_test_event_says_so() {
        let event = event(&EVENT.replace(r#","data""#, r#","testEvent":true,"data""#));
        let old = Sent { user_agent: None, origin: None, ..sent(PayloadLevel::IdOnly) };
        let request = SentRequest::of(&event, Attempt::FIRST, &old);
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "content-type",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "webhook-event",
                "webhook-attempt",
                "webhook-mode",
                "webhook-test-event",
                "content-length",
            ]
        );
        assert_eq!(request.body, r#"{"data":{"id":"apt_1"}}"#);
    }
}
