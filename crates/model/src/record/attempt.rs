//! One request and what came of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Attempt, DeliveryId, Event, EventId, EventType, Mode, OrganisationId, PayloadLevel, RequestId, Series,
    WebhookId,
};

/// One HTTP request to an endpoint. A repeat of an attempt has a record of its own, with an id of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord<'a> {
    /// Which request.
    pub request: RequestId,
    /// What it delivered, and to whom.
    pub of: Cow<'a, Addressed>,
    /// Which series it belongs to.
    pub series: Series,
    /// Which of the three.
    pub attempt: Attempt,
    /// When it began, in microseconds since the epoch.
    pub started_at_us: i64,
    /// How long it took.
    pub timing: Timing,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The outcome's label: the status class or the failure.
    pub outcome: Cow<'a, str>,
    /// What was decided.
    pub verdict: Decided,
    /// What of the request cannot be told from the event.
    pub sent: Sent<'a>,
    /// What the endpoint said, if it said more than a status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerRecord>,
}

/// A delivery with everything it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Live or test.
    pub mode: Mode,
    /// Whose event it is.
    pub organisation: OrganisationId,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// The webhook that wants it.
    pub webhook: WebhookId,
}

impl Addressed {
    /// An event owed to a webhook.
    #[must_use]
    pub fn new(event: &Event, webhook: &WebhookId) -> Self {
        Self {
            delivery: DeliveryId::derive(event.mode, &event.organisation, &event.id, webhook),
            mode: event.mode,
            organisation: event.organisation.clone(),
            event: event.id.clone(),
            event_type: event.event_type.clone(),
            webhook: webhook.clone(),
        }
    }
}

/// How long a request took, by phase. Each time is measured from the beginning, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Until a new connection was there; absent when a kept one was used, or none was had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_us: Option<u64>,
    /// Until the answer's head was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_us: Option<u64>,
    /// Until the answer was read, or given up.
    pub whole_us: u64,
}

/// What was decided after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// The endpoint took it.
    Delivered,
    /// Another attempt follows.
    Retry {
        /// Not before, in microseconds since the epoch.
        at_us: i64,
    },
    /// It was the third to fail.
    Exhausted,
    /// The endpoint said that it is gone for good.
    Gone,
}

/// With the event, this tells the request to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent<'a> {
    /// How much of the event was sent.
    #[serde(rename = "expansion")]
    pub payload: PayloadLevel,
    /// The header `webhook-timestamp`, unix seconds.
    pub timestamp: i64,
    /// The header `webhook-signature`; empty when the request could not be made.
    pub signature: Cow<'a, str>,
    /// The header `user-agent`; absent in records of programs that did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Cow<'a, str>>,
    /// Scheme, host and port of where it went; a path may be a credential. Absent in records of programs that did not tell
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Cow<'a, str>>,
}

/// The beginning of an endpoint's answer, made fit to be shown. It may repeat health data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Some of its headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The beginning of its body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Whether the body went on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_truncated: bool,
}
