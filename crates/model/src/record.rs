//! What goes to the log about deliveries that ended undelivered: who was owed what, and why it was not given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{
    Attempt, AttemptError, DeliveryId, EndReason, Mode, ModeError, OrganisationId, Series, WebhookId,
};

/// The version of the encoding. A reader refuses versions it does not know, so that old and new can run together.
const VERSION: u32 = 1;

/// How a delivery ended, other than delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// Three attempts failed.
    Exhausted,
    /// The webhook went away first.
    Cancelled,
}

/// The end of one delivery. It carries the event whole, so that the delivery can be owed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Its mode.
    pub mode: Mode,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Which webhook it was owed to.
    pub webhook: WebhookId,
    /// Which series ended.
    pub series: Series,
    /// The last attempt that was made, if any was.
    pub attempt: Option<Attempt>,
    /// How it ended.
    pub reason: EndReason,
    /// The last attempt's outcome, as a label; empty when none was made.
    pub outcome: String,
    /// When it ended.
    pub ended_at: OffsetDateTime,
    /// The event as published, byte for byte.
    pub event: Vec<u8>,
}

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not the JSON of a record.
    #[error("the record is not well formed")]
    Malformed(#[source] serde_json::Error),
    /// Written by a version we do not know.
    #[error("the record has version `{0}`; this program reads version {VERSION}")]
    Version(u32),
    /// A field holds something it cannot.
    #[error("the record's field `{0}` holds no value this program knows")]
    Field(&'static str),
}

/// The encoding of an [`End`].
#[derive(Serialize, Deserialize)]
struct Encoded {
    version: u32,
    kind: String,
    delivery: String,
    mode: String,
    organisation: String,
    webhook: String,
    series: u32,
    attempt: Option<u8>,
    reason: String,
    outcome: String,
    ended_at: String,
    event: String,
}

impl EndState {
    /// The word used in records, tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }
}

impl EndReason {
    /// The state that the reason puts a delivery into.
    #[must_use]
    pub const fn state(self) -> EndState {
        match self {
            Self::AttemptsFailed => EndState::Exhausted,
            Self::WebhookInactive | Self::EndpointGone => EndState::Cancelled,
        }
    }

    /// Reads the word that [`EndReason::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AttemptsFailed, Self::WebhookInactive, Self::EndpointGone]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

impl End {
    /// Writes the record: JSON, the event in base64 so that its bytes survive whatever they are.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let encoded = Encoded {
            version: VERSION,
            kind: self.reason.state().as_str().to_owned(),
            delivery: self.delivery.to_string(),
            mode: self.mode.to_string(),
            organisation: self.organisation.to_string(),
            webhook: self.webhook.to_string(),
            series: self.series.0,
            attempt: self.attempt.map(Attempt::number),
            reason: self.reason.as_str().to_owned(),
            outcome: self.outcome.clone(),
            ended_at: self.ended_at.format(&Rfc3339).expect("a time of this century formats"),
            event: STANDARD.encode(&self.event),
        };
        serde_json::to_vec(&encoded).expect("a record of plain fields serialises")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are no record or of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let encoded: Encoded = serde_json::from_slice(bytes).map_err(RecordError::Malformed)?;
        if encoded.version != VERSION {
            return Err(RecordError::Version(encoded.version));
        }
        let field = RecordError::Field;
        let attempt = encoded.attempt.map(|number| Attempt::try_from(i64::from(number))).transpose();
        let mode: Mode = encoded.mode.parse().map_err(|_: ModeError| field("mode"))?;
        Ok(Self {
            delivery: DeliveryId::parse(&encoded.delivery).ok_or(field("delivery"))?,
            mode,
            organisation: encoded.organisation.parse().map_err(|_| field("organisation"))?,
            webhook: encoded.webhook.parse().map_err(|_| field("webhook"))?,
            series: Series(encoded.series),
            attempt: attempt.map_err(|_: AttemptError| field("attempt"))?,
            reason: EndReason::parse(&encoded.reason).ok_or(field("reason"))?,
            outcome: encoded.outcome,
            ended_at: OffsetDateTime::parse(&encoded.ended_at, &Rfc3339).map_err(|_| field("ended_at"))?,
            event: STANDARD.decode(&encoded.event).map_err(|_| field("event"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> End {
        let organisation: OrganisationId = "org_a".parse().expect("valid");
        let webhook = WebhookId::from_uuid(&[1; 16]);
        let event = "evt_1".parse().expect("valid");
        End {
            delivery: DeliveryId::derive(Mode::Test, &organisation, &event, &webhook),
            mode: Mode::Test,
            organisation,
            webhook,
            series: Series::FIRST,
            attempt: Some(Attempt::FIRST),
            reason: EndReason::EndpointGone,
            outcome: "4xx".to_owned(),
            ended_at: OffsetDateTime::UNIX_EPOCH,
            event: vec![0, 255, b'{'],
        }
    }

    #[test]
    fn a_record_survives_its_encoding() {
        assert_eq!(End::decode(&end().encode()).expect("decodes"), end());
        let cancelled = End { attempt: None, reason: EndReason::WebhookInactive, ..end() };
        assert_eq!(End::decode(&cancelled.encode()).expect("decodes"), cancelled);
    }

    #[test]
    fn later_versions_and_unknown_words_are_refused() {
        let text = String::from_utf8(end().encode()).expect("JSON");
        let changed = |from: &str, to: &str| End::decode(text.replace(from, to).as_bytes());
        assert!(matches!(changed(r#""version":1"#, r#""version":2"#), Err(RecordError::Version(2))));
        assert!(matches!(changed("endpoint_gone", "bored"), Err(RecordError::Field("reason"))));
        assert!(matches!(changed(r#""attempt":1"#, r#""attempt":4"#), Err(RecordError::Field("attempt"))));
        assert!(matches!(End::decode(b"{"), Err(RecordError::Malformed(_))));
    }
}
