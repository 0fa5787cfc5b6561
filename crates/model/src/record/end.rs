//! How a delivery ended other than delivered: who was owed what, and why it was not given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serializer};

use crate::{Attempt, DeliveryId, EndReason, Mode, OrganisationId, Series, WebhookId};

/// How a delivery ended, other than delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// Three attempts failed.
    Exhausted,
    /// The webhook went away first.
    Cancelled,
}

/// The end of one delivery. It carries the event whole, so that the delivery can be owed again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// When it ended, in microseconds since the epoch.
    pub ended_at_us: i64,
    /// The event as published, byte for byte; in base64, since whatever those bytes are must survive.
    #[serde(serialize_with = "write_base64", deserialize_with = "read_base64")]
    pub event: Vec<u8>,
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

fn write_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    STANDARD.decode(text.as_bytes()).map_err(|_| serde::de::Error::custom("not base64"))
}
