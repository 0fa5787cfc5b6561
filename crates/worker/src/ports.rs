//! What processing needs of the world, declared by the one who needs it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{Outgoing, PublishError, Publisher, names};
use bellhop_model::{CopyToken, DisabledReason, Mode, OrganisationId, WebhookId};
use bellhop_sender::{Exchange, Request, Sender};
use bellhop_store::{Claim, ClaimedAttempt, Store, Subscriptions};
use time::OffsetDateTime;

/// The world as processing sees it. Production has [`Services`]; tests and simulations bring their own.
pub trait Ports: Send + Sync + 'static {
    /// The active subscriptions of an organisation; `None` when they cannot be told now. Never empty for unknown.
    fn subscriptions(
        &self,
        mode: Mode,
        organisation: &OrganisationId,
    ) -> impl Future<Output = Option<Arc<Subscriptions>>> + Send;

    /// Claims an attempt for a copy; `None` when nobody can say, and the attempt is then made.
    fn claim(
        &self,
        attempt: ClaimedAttempt<'_>,
        copy: &CopyToken,
    ) -> impl Future<Output = Option<Claim>> + Send;

    /// Notes that what came of a claimed attempt is stored. Nobody to tell means that the attempt may be repeated.
    fn conclude(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> impl Future<Output = ()> + Send;

    /// Disables a webhook whose endpoint is gone; `false` when that could not be written.
    fn disable_gone(&self, webhook: &WebhookId) -> impl Future<Output = bool> + Send;

    /// Makes one attempt.
    fn send(&self, request: Request<'_>) -> impl Future<Output = Exchange> + Send;

    /// Publishes and waits for the confirm, or for the end of the session it was written to; the wait for a session has
    /// a bound.
    fn publish(&self, message: Outgoing) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Waits until a publish would be taken: an attempt starts only while its result could be stored.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Waits.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// The wall clock, UTC.
    fn now(&self) -> OffsetDateTime;

    /// 16 random bytes.
    fn random(&self) -> [u8; 16];
}

/// The real world.
#[derive(Debug)]
pub struct Services {
    /// Subscriptions and claims.
    pub store: Store,
    /// Attempts.
    pub sender: Sender,
    /// Results.
    pub publisher: Publisher,
    /// Records, on channels of their own: a log that is missing or refuses costs results nothing.
    pub log: Publisher,
    /// Longest wait for a session that takes a publish.
    pub publish_timeout: Duration,
}

impl Ports for Services {
    async fn subscriptions(&self, mode: Mode, organisation: &OrganisationId) -> Option<Arc<Subscriptions>> {
        let resolved = self.store.subscriptions(mode, organisation).await;
        resolved
            .inspect_err(|error| tracing::warn!(%error, organisation.id = %organisation, "cannot tell who wants an event"))
            .ok()
    }

    async fn claim(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> Option<Claim> {
        let claimed = self.store.claim(attempt, copy).await;
        claimed
            .inspect_err(
                |error| tracing::warn!(%error, delivery.id = %attempt.delivery, "cannot claim an attempt; making it"),
            )
            .ok()
    }

    async fn conclude(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) {
        if let Err(error) = self.store.conclude(attempt, copy).await {
            tracing::debug!(%error, delivery.id = %attempt.delivery, "cannot note that an attempt is concluded");
        }
    }

    async fn disable_gone(&self, webhook: &WebhookId) -> bool {
        match self.store.disable_webhook(webhook, DisabledReason::Gone).await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, webhook.id = %webhook, "cannot disable a webhook whose endpoint is gone");
                false
            }
        }
    }

    async fn send(&self, request: Request<'_>) -> Exchange {
        self.sender.send(request).await
    }

    async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let publisher = if message.exchange == names::LOG { &self.log } else { &self.publisher };
        publisher.publish_once_begun(message, self.publish_timeout).await
    }

    async fn ready(&self) {
        self.publisher.ready().await;
        self.log.ready().await;
    }

    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn random(&self) -> [u8; 16] {
        rand::random()
    }
}
