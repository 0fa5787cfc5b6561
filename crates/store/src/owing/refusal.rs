//! Why something is not owed again.

use std::time::Duration;

use bellhop_model::{
    Actor, DeliveryId, DeliveryStateName, DisabledReason, EventId, RecoveryId, Series, WebhookId,
};
use time::OffsetDateTime;

use super::RecoveryState;

/// Why the store does not owe again what it was asked to. Each text says what would change that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The delivery has not ended.
    #[error(
        "series {series} of the delivery `{delivery}` is under way ({state}): wait for its end, or force another series beside it"
    )]
    UnderWay {
        /// The delivery.
        delivery: DeliveryId,
        /// Its latest series.
        series: Series,
        /// Where it stands.
        state: DeliveryStateName,
    },
    /// Somebody asked already, and the broker does not have it yet.
    #[error(
        "series {series} of the delivery `{delivery}` is asked for already and about to be published: is a recorder running?"
    )]
    AlreadyOwed {
        /// The delivery.
        delivery: DeliveryId,
        /// The series that is owed.
        series: Series,
    },
    /// The payload is older than it may be kept, or was never recorded.
    #[error(
        "the payload of the event `{0}` is no longer on record (its retention is over): have the event published again"
    )]
    PayloadGone(EventId),
    /// The payload was removed on request.
    #[error(
        "the payload of the event `{event}` was expunged by {by} at {at}: it cannot be sent again from the log"
    )]
    Expunged {
        /// The event.
        event: EventId,
        /// Who asked for that.
        by: Actor,
        /// When.
        at: OffsetDateTime,
    },
    /// The webhook does not exist any more.
    #[error(
        "the webhook `{0}` was removed, and a delivery belongs to its webhook: register the URL anew for events to come"
    )]
    WebhookRemoved(WebhookId),
    /// The webhook is not delivered to.
    #[error("the webhook `{webhook}` is disabled ({reason}): enable it first")]
    WebhookDisabled {
        /// The webhook.
        webhook: WebhookId,
        /// Who or what disabled it.
        reason: DisabledReason,
    },
    /// The webhook's deliveries are being recovered.
    #[error(
        "the webhook `{webhook}` is being recovered already, by `{recovery}`: wait for its end, or cancel it"
    )]
    RecoveryUnderWay {
        /// The webhook.
        webhook: WebhookId,
        /// The recovery that runs.
        recovery: RecoveryId,
    },
    /// There are more deliveries than could be looked through.
    #[error(
        "there are too many deliveries to the webhook `{webhook}` to count within {within:?}: narrow it, by a shorter time to begin with"
    )]
    TooManyToCount {
        /// The webhook.
        webhook: WebhookId,
        /// How long it was counted.
        within: Duration,
    },
    /// No delivery is as the filter says.
    #[error("no delivery to the webhook `{0}` is as asked for: there is nothing to recover")]
    NothingToRecover(WebhookId),
    /// A state in which a delivery has not ended.
    #[error(
        "a delivery that is {0} has not ended and cannot be recovered: ask for exhausted, cancelled or delivered"
    )]
    NotEnded(DeliveryStateName),
    /// It has ended.
    #[error("the recovery `{recovery}` has ended already ({state})")]
    RecoveryEnded {
        /// The recovery.
        recovery: RecoveryId,
        /// How it ended.
        state: RecoveryState,
    },
}
