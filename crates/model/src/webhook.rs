//! What an organisation registers, and the worker's compact view of it.

use std::collections::BTreeSet;
use std::fmt;

use time::OffsetDateTime;

use crate::limits::DESCRIPTION_CHARS_MAX;
use crate::{EndpointUrl, EventType, Mode, OrganisationId, PayloadLevel, SigningSecret, WebhookId};

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
    /// How much of an event it is sent.
    pub payload: PayloadLevel,
    /// What a person calls it; may be empty.
    pub description: String,
    /// When each secret that a rotation keeps alive stops to sign; empty unless a rotation is under way.
    pub secrets_until: Vec<OffsetDateTime>,
    /// Whether deliveries are made, and why not.
    pub status: WebhookStatus,
    /// Counts the changes to it, from 1.
    pub version: i64,
    /// When it was registered.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}

/// A text that cannot be a webhook's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a description has at most {DESCRIPTION_CHARS_MAX} characters, none of them a control character")]
pub struct DescriptionError;

/// Makes sure that a text can be a webhook's description: short, and harmless wherever it is shown.
///
/// # Errors
/// [`DescriptionError`].
pub fn check_description(text: &str) -> Result<(), DescriptionError> {
    let is_right = text.chars().count() <= DESCRIPTION_CHARS_MAX && !text.chars().any(char::is_control);
    if is_right { Ok(()) } else { Err(DescriptionError) }
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
    /// Every delivery was exhausted for so long that nobody seems to mind.
    Failing,
    /// A later version of this program knows. No version writes this.
    Other,
}

impl DisabledReason {
    /// The word used in tables, output and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Other => "other",
        }
    }

    /// Reads the word that [`DisabledReason::as_str`] gives.
    ///
    /// A word of a later version must not keep this one from listing the webhook, or from enabling it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = [Self::Requested, Self::Gone, Self::Failing];
        known.into_iter().find(|reason| reason.as_str() == text).unwrap_or(Self::Other)
    }
}

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
    /// How much of an event it is sent.
    pub payload: PayloadLevel,
    /// What requests are signed with: the current secret first, then those that a rotation keeps alive.
    pub secrets: Vec<SigningSecret>,
}

impl Subscription {
    /// Whether the webhook wants events of this type.
    #[must_use]
    pub fn wants(&self, event_type: &EventType) -> bool {
        self.event_types.contains(event_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_a_later_version_is_a_reason() {
        for reason in [DisabledReason::Requested, DisabledReason::Gone, DisabledReason::Failing] {
            assert_eq!(DisabledReason::parse(reason.as_str()), reason);
        }
        assert_eq!(DisabledReason::parse("abandoned"), DisabledReason::Other);
    }
}
