//! An event as it travels: parsed at the edge, believed only where everything agrees.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::limits::EVENT_BYTES_MAX;
use crate::payload::PayloadError;
use crate::{EventId, EventType, EventTypeError, IdError, Mode, OrganisationId, Payload, parse_moment};

/// What happened to one appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Opaque id, unique within organisation and mode.
    pub id: EventId,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// Live or test.
    pub mode: Mode,
    /// Whose appointment it is.
    pub organisation: OrganisationId,
    /// When it happened, as the publisher says.
    pub occurred_at: OffsetDateTime,
    /// Whether nothing happened: the appointment is a sample, and the endpoint is told so.
    pub is_test: bool,
    /// The appointment.
    pub payload: Payload,
}

/// What a message says about its event outside the body. Each that is present must agree with the body.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventLabels<'a> {
    /// Routing key, `<mode>.<event type>`.
    pub routing_key: Option<&'a str>,
    /// Property `message_id`.
    pub message_id: Option<&'a str>,
    /// Property `type`.
    pub message_type: Option<&'a str>,
    /// Property `content_type`.
    pub content_type: Option<&'a str>,
    /// Header `organisation-id`.
    pub organisation: Option<&'a str>,
}

/// Why a message is no event. The text names the field and never repeats the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Over [`EVENT_BYTES_MAX`].
    #[error("the body has {bytes} bytes; at most {EVENT_BYTES_MAX} are allowed")]
    Oversized {
        /// Size of the body.
        bytes: usize,
    },
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 (first wrong byte at {position})")]
    NotUtf8 {
        /// Bytes that were right.
        position: usize,
    },
    /// The body is not JSON, or a member of the envelope is missing, repeated or of another kind.
    #[error("the body is not an event's JSON: {problem} (line {line}, column {column})")]
    Malformed {
        /// Which member and what about it, without values.
        problem: Cow<'static, str>,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// An id is not of its shape.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The type is not `noun.verb`.
    #[error(transparent)]
    Type(#[from] EventTypeError),
    /// The mode is neither live nor test.
    #[error(transparent)]
    Mode(#[from] crate::ModeError),
    /// `occurredAt` is not an RFC 3339 time, or is out of its years in UTC.
    #[error(
        "`occurredAt` is not an RFC 3339 time such as `2024-02-06T17:20:59Z`, of a year up to 9999 in UTC"
    )]
    OccurredAt,
    /// `data` cannot be delivered.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Two places that must agree do not.
    #[error("{label} says `{says}` but {other} says `{other_says}`")]
    Disagreement {
        /// The first place.
        label: &'static str,
        /// What it says, cut and escaped.
        says: String,
        /// The other place.
        other: &'static str,
        /// What that one says, cut and escaped.
        other_says: String,
    },
}

/// The body of a message. Unknown members are ignored so that the envelope can grow.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    mode: Cow<'a, str>,
    #[serde(borrow, rename = "organisationId")]
    organisation: Cow<'a, str>,
    #[serde(borrow, rename = "occurredAt")]
    occurred_at: Cow<'a, str>,
    #[serde(default, rename = "testEvent")]
    is_test: bool,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Event {
    /// Reads an event from the body of a message and checks it against everything else the message says.
    ///
    /// * `body`: bytes as received, at most [`EVENT_BYTES_MAX`].
    /// * `queue_mode`: the mode of the queue it came from, which decides; `None` while publishing.
    /// * `labels`: what the message says outside its body; absent ones are not checked.
    ///
    /// # Errors
    /// [`EventError`]; the caller parks the message. Nothing is guessed: whose an event is and which mode it belongs
    /// to must be said the same everywhere it is said.
    pub fn parse(
        body: &[u8],
        queue_mode: Option<Mode>,
        labels: &EventLabels<'_>,
    ) -> Result<Self, EventError> {
        if EVENT_BYTES_MAX < body.len() {
            return Err(EventError::Oversized { bytes: body.len() });
        }
        let text = std::str::from_utf8(body)
            .map_err(|error| EventError::NotUtf8 { position: error.valid_up_to() })?;
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        let (payload, owner) = Payload::parse(envelope.data.get())?;
        let event = Self {
            id: envelope.id.parse()?,
            event_type: envelope.event_type.parse()?,
            mode: envelope.mode.parse()?,
            organisation: envelope.organisation.parse()?,
            occurred_at: parse_moment(&envelope.occurred_at).ok_or(EventError::OccurredAt)?,
            is_test: envelope.is_test,
            payload,
        };
        agree("`data.organisationId`", &owner, "`organisationId`", event.organisation.as_str())?;
        event.check(queue_mode, labels)?;
        Ok(event)
    }

    /// Writes the body of a message for an appointment.
    ///
    /// * `data`: the appointment's JSON text, embedded as it is.
    /// * returns bytes that [`Event::parse`] reads back, unless it says why not.
    ///
    /// # Errors
    /// [`EventError`] when no worker would accept the result, so that a publisher learns it first.
    pub fn encode(
        id: &EventId,
        event_type: &EventType,
        mode: Mode,
        occurred_at: OffsetDateTime,
        data: &str,
    ) -> Result<Vec<u8>, EventError> {
        let organisation = Payload::organisation_of(data)?;
        let occurred_at = occurred_at.format(&Rfc3339).map_err(|_| EventError::OccurredAt)?;
        let body = format!(
            r#"{{"id":"{id}","type":"{event_type}","mode":"{mode}","organisationId":"{organisation}","occurredAt":"{occurred_at}","data":{}}}"#,
            data.trim(),
        )
        .into_bytes();
        Self::parse(&body, Some(mode), &EventLabels::default())?;
        Ok(body)
    }

    /// Writes the body of a message for a test event: nothing happened, and `data` is a sample.
    ///
    /// The mark is part of the event, so that it is kept wherever the event goes: from attempt to attempt, into the log,
    /// and into a delivery that is made again.
    ///
    /// # Errors
    /// As [`Event::encode`].
    pub fn encode_test(
        id: &EventId,
        event_type: &EventType,
        mode: Mode,
        occurred_at: OffsetDateTime,
        data: &str,
    ) -> Result<Vec<u8>, EventError> {
        let mut body = Self::encode(id, event_type, mode, occurred_at, data)?;
        body.pop();
        body.extend_from_slice(br#","testEvent":true}"#);
        Self::parse(&body, Some(mode), &EventLabels::default())?;
        Ok(body)
    }

    /// The routing key it is published with: `<mode>.<event type>`.
    #[must_use]
    pub fn routing_key(&self) -> String {
        format!("{}.{}", self.mode, self.event_type)
    }

    fn check(&self, queue_mode: Option<Mode>, labels: &EventLabels<'_>) -> Result<(), EventError> {
        if let Some(queue_mode) = queue_mode {
            agree("the queue", queue_mode.as_str(), "`mode`", self.mode.as_str())?;
        }
        if let Some(routing_key) = labels.routing_key {
            agree("the routing key", routing_key, "`mode` and `type`", &self.routing_key())?;
        }
        let pairs = [
            ("the property message_id", labels.message_id, "`id`", self.id.as_str()),
            ("the property type", labels.message_type, "`type`", self.event_type.as_str()),
            (
                "the header organisation-id",
                labels.organisation,
                "`organisationId`",
                self.organisation.as_str(),
            ),
        ];
        for (label, says, other, other_says) in pairs {
            if let Some(says) = says {
                agree(label, says, other, other_says)?;
            }
        }
        match labels.content_type {
            Some(content_type) if !is_json_media_type(content_type) => {
                agree("the property content_type", content_type, "the contract", "application/json")
            }
            _ => Ok(()),
        }
    }
}

fn is_json_media_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn agree(label: &'static str, says: &str, other: &'static str, other_says: &str) -> Result<(), EventError> {
    if says == other_says {
        return Ok(());
    }
    let shown = |text: &str| text.chars().take(64).flat_map(char::escape_debug).collect();
    Err(EventError::Disagreement { label, says: shown(says), other, other_says: shown(other_says) })
}

/// Says what is wrong with an envelope without repeating any of it: serde's own text may quote a value.
fn malformed(error: &serde_json::Error) -> EventError {
    const MEMBERS: [&str; 7] = ["id", "type", "mode", "organisationId", "occurredAt", "testEvent", "data"];
    let text = error.to_string();
    let named =
        |prefix: &str| MEMBERS.iter().find(|member| text.starts_with(&format!("{prefix} `{member}`")));
    let problem = match error.classify() {
        serde_json::error::Category::Eof => Cow::Borrowed("it ends too early"),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            Cow::Borrowed("it is not well-formed JSON")
        }
        serde_json::error::Category::Data => match (named("missing field"), named("duplicate field")) {
            (Some(member), _) => Cow::Owned(format!("`{member}` is missing")),
            (_, Some(member)) => Cow::Owned(format!("`{member}` occurs twice")),
            (None, None) => Cow::Borrowed("a member is not of the kind the contract says"),
        },
    };
    EventError::Malformed { problem, line: error.line(), column: error.column() }
}

#[cfg(test)]
mod tests;
