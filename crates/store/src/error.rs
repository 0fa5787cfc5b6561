//! What can go wrong, one variant per thing the caller or an operator can do about it.

use std::sync::Arc;
use std::time::Duration;

use bellhop_model::{
    ApiKeyId, DeliveryId, EndpointUrlError, EventId, Mode, OrganisationId, PayloadLevelError, RecoveryId,
    RequestId, WebhookId,
};
use time::Date;
use tokio_postgres::error::SqlState;

use crate::Refusal;
use crate::limits::{EVENT_TYPES_PER_WEBHOOK_MAX, KEYS_PER_ORGANISATION_MAX, SECRETS_PER_WEBHOOK_MAX};

/// Why the store did not do what it was asked.
///
/// No text contains a password, a secret or a webhook's URL: what a server says beside its message (PostgreSQL's
/// `DETAIL` repeats the row) is left out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The options cannot work.
    #[error("the store's options are wrong: {0}")]
    Options(String),
    /// PostgreSQL does not answer, or not in time.
    #[error(
        "PostgreSQL at `{address}` cannot be reached ({reason}): check that it runs there and that the network lets us through"
    )]
    PostgresAway {
        /// Host, port and database.
        address: String,
        /// What was observed.
        reason: String,
    },
    /// PostgreSQL answers, but does not let us in or lacks what the URL names.
    #[error(
        "PostgreSQL at `{address}` refuses us ({reason}): check the user, password and database in its URL and the user's privileges"
    )]
    PostgresRefused {
        /// Host, port and database.
        address: String,
        /// The server's message.
        reason: String,
    },
    /// PostgreSQL failed an operation.
    #[error("PostgreSQL failed (SQLSTATE {code}): {message}")]
    PostgresFailed {
        /// Five characters of `SQLSTATE`.
        code: String,
        /// The server's message.
        message: String,
        /// Whether the same may work later.
        is_transient: bool,
    },
    /// The tables are missing or older than this program.
    #[error("the database schema is missing or too old for this version: run `bellhop migrate`")]
    NotMigrated,
    /// A migration failed; nothing of it remains.
    #[error("the migration failed: {0}")]
    MigrationFailed(String),
    /// Redis does not answer, or not in time.
    #[error(
        "Redis at `{address}` cannot be reached ({reason}): check that it runs there and that the network lets us through"
    )]
    RedisAway {
        /// Host and port.
        address: String,
        /// What was observed.
        reason: String,
    },
    /// Redis answers, but does not let us in.
    #[error(
        "Redis at `{address}` refuses us ({reason}): check the user and password in its URL and the user's permissions"
    )]
    RedisRefused {
        /// Host and port.
        address: String,
        /// The server's message.
        reason: String,
    },
    /// Redis failed a command.
    #[error("Redis failed: {0}")]
    RedisFailed(String),
    /// All places for reads are taken and none became free in time.
    #[error("PostgreSQL has been busy with other reads for {waited:?}")]
    Busy {
        /// How long a place was waited for.
        waited: Duration,
    },
    /// Something is sealed with a key that is not in the keyring.
    #[error(
        "a sealed value needs the sealing key `{key_id}`, which is not configured: add it after the current one"
    )]
    SealingKeyUnknown {
        /// The key's id, as written into the sealed value.
        key_id: String,
    },
    /// A key of this id exists, but does not open the value.
    #[error(
        "the sealing key `{key_id}` does not open what was sealed under that id: its bytes differ from the original's, or the value is damaged"
    )]
    SealingKeyWrong {
        /// The key's id.
        key_id: String,
    },
    /// A stored value that this version does not understand.
    #[error("a stored value cannot be understood: {0}")]
    Corrupt(String),
    /// No webhook has this id.
    #[error("no webhook has the id `{0}`")]
    UnknownWebhook(WebhookId),
    /// The organisation has no key of this id.
    #[error("no key has the id `{0}`")]
    UnknownKey(ApiKeyId),
    /// The organisation has as many keys as it may.
    #[error(
        "the organisation already has {KEYS_PER_ORGANISATION_MAX} keys in this mode, the most it may: revoke one first"
    )]
    TooManyKeys,
    /// No delivery of this id is on record.
    #[error(
        "no delivery `{0}` is on record: it is too old, was never owed, or the recorder has not written it yet"
    )]
    UnknownDelivery(DeliveryId),
    /// The delivery has no request of this id on record.
    #[error("no request `{request}` of the delivery `{delivery}` is on record")]
    UnknownRequest {
        /// The delivery.
        delivery: DeliveryId,
        /// The request.
        request: RequestId,
    },
    /// The organisation already registered this URL in this mode.
    #[error("this URL is already registered, as `{existing}`")]
    Duplicate {
        /// The webhook that has it.
        existing: WebhookId,
    },
    /// The organisation has as many webhooks as it may.
    #[error("the organisation already has {max} webhooks in this mode, the most it may: remove one first")]
    TooManyWebhooks {
        /// How many it may have.
        max: usize,
    },
    /// The webhook changed since the caller read it.
    #[error("the webhook `{webhook}` is at version {current} by now: read it again, and decide anew")]
    Changed {
        /// The webhook.
        webhook: WebhookId,
        /// Its version now.
        current: i64,
    },
    /// Earlier rotations still keep as many secrets alive as may be.
    #[error(
        "the webhook already signs with {SECRETS_PER_WEBHOOK_MAX} secrets: wait until one has ended, or rotate without overlap, which ends all but the new one at once"
    )]
    TooManySecrets,
    /// What a change leaves contradicts itself.
    #[error(transparent)]
    PayloadLevel(#[from] PayloadLevelError),
    /// An idempotency key was used before, for something else.
    #[error("this idempotency key was used for another request within the last day: take a new one")]
    IdempotencyKeyUsed,
    /// A copy would call the endpoint that the original calls.
    #[error("the copy would call the same URL as `{original}`: Test Mode and live need an endpoint each")]
    SameUrl {
        /// The webhook that is copied.
        original: WebhookId,
    },
    /// No event types, or too many.
    #[error("a webhook wants 1 to {EVENT_TYPES_PER_WEBHOOK_MAX} event types, not {0}")]
    EventTypes(usize),
    /// A record of the log is from a day that is not near yet.
    #[error(
        "the record is of {day}, for which it is too early: is the clock of the worker that wrote it right?"
    )]
    AheadOfTime {
        /// The day.
        day: Date,
    },
    /// It cannot be owed again.
    #[error(transparent)]
    Refused(Refusal),
    /// No recovery of this id is on record.
    #[error("no recovery `{0}` is on record: it is too old, or never was")]
    UnknownRecovery(RecoveryId),
    /// No such event is on record.
    #[error(
        "no event `{event}` of `{organisation}` in {mode} mode is on record: it is too old, was wanted by nobody, or the recorder has not written it yet"
    )]
    UnknownEvent {
        /// The mode.
        mode: Mode,
        /// The organisation.
        organisation: OrganisationId,
        /// The event.
        event: EventId,
    },
    /// The URL was parsed for another mode.
    #[error(transparent)]
    Url(#[from] EndpointUrlError),
}

/// Whose subscriptions could not be found out. It never means that there are none: the caller defers, and asks again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the subscriptions of `{organisation}` in {mode} mode are unknown: {reason}")]
pub struct Unresolved {
    /// The mode asked for.
    pub mode: Mode,
    /// The organisation asked for.
    pub organisation: OrganisationId,
    /// Why the truth could not be read; part of the text. A copy was not there, too old or could not be read either.
    pub reason: Arc<StoreError>,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing its arguments or the configuration.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::PostgresAway { .. } | Self::RedisAway { .. } | Self::RedisFailed(_) | Self::Busy { .. } => {
                true
            }
            Self::PostgresFailed { is_transient, .. } => *is_transient,
            _ => false,
        }
    }

    /// Whether it lies in what was to be written, so that the same can never be written and anything else may.
    ///
    /// By SQLSTATE: class 22 is wrong data, class 23 a violated constraint.
    #[must_use]
    pub fn is_of_data(&self) -> bool {
        match self {
            Self::PostgresFailed { code, .. } => ["22", "23"].contains(&&code[..2]),
            Self::AheadOfTime { .. } => true,
            _ => false,
        }
    }

    /// Whether a row has no partition, or violates another check.
    pub(crate) fn is_check_violation(&self) -> bool {
        matches!(self, Self::PostgresFailed { code, .. } if code == SqlState::CHECK_VIOLATION.code())
    }

    /// Whether the truth was read but cannot be used. An older copy must then not stand in for it.
    pub(crate) fn is_truth_unusable(&self) -> bool {
        matches!(self, Self::SealingKeyUnknown { .. } | Self::SealingKeyWrong { .. } | Self::Corrupt(_))
    }
}

/// An error with its causes on one line, for reasons that must not lose the cause.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
