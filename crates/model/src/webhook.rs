//! What an organisation registers, and the worker's compact view of it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;

use crate::{EndpointUrl, EventType, Expansion, Mode, OrganisationId, Secret, WebhookId};

/// A registered webhook, whole. The truth lies in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The mode it belongs to, for ever.
    pub mode: Mode,
    /// The organisation it belongs to, for ever.
    pub organisation: OrganisationId,
    /// Where requests go.
    pub url: EndpointUrl,
    /// Which event types it wants; at least one.
    pub event_types: BTreeSet<EventType>,
    /// Which objects of the payload are sent whole.
    pub expansion: Expansion,
    /// Whether deliveries are made, and why not.
    pub status: WebhookStatus,
    /// Counts the changes to it, from 1.
    pub version: i64,
    /// When it was registered.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}

/// Whether a webhook is delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookStatus {
    /// Deliveries are made.
    Enabled,
    /// Nothing is sent; what was queued ends as cancelled.
    Disabled(DisabledReason),
}

/// Who or what disabled a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// A person asked for it.
    Requested,
    /// The endpoint answered `410 Gone`.
    Gone,
}

impl DisabledReason {
    /// The word used in tables, output and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Gone => "gone",
        }
    }
}

impl FromStr for DisabledReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        match text {
            "requested" => Ok(Self::Requested),
            "gone" => Ok(Self::Gone),
            _ => Err(UnknownReason),
        }
    }
}

/// A word that no version of this program writes as a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason for a disabled webhook")]
pub struct UnknownReason;

impl fmt::Display for DisabledReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The worker's compact view of an active webhook: what a request needs, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The webhook's id.
    pub webhook: WebhookId,
    /// Where requests go.
    pub url: EndpointUrl,
    /// Which event types it wants.
    pub event_types: BTreeSet<EventType>,
    /// Which objects of the payload are sent whole.
    pub expansion: Expansion,
    /// What requests are signed with: the current secret first, then those that a rotation keeps alive.
    pub secrets: Vec<Secret>,
}

impl Subscription {
    /// Whether the webhook wants events of this type.
    #[must_use]
    pub fn wants(&self, event_type: &EventType) -> bool {
        self.event_types.contains(event_type)
    }
}
