//! What an organisation reads of the log. What is another's is unknown, like what never was.

use bellhop_model::{DeliveryId, EventId, RecoveryId, WebhookId};

use super::Organisation;
use crate::scope::Scope;
use crate::{DeliveryFilter, LoggedDelivery, Recovery, StoreError};

impl Organisation<'_> {
    /// Lists deliveries, the newest first, at most [`crate::DELIVERIES_PAGE_MAX`].
    ///
    /// * `filter`: its mode and organisation are replaced by ours.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn deliveries(
        &self,
        filter: DeliveryFilter,
        limit: usize,
    ) -> Result<Vec<LoggedDelivery>, StoreError> {
        let Scope { mode, organisation } = self.scope.clone();
        let ours = DeliveryFilter { mode: Some(mode), organisation: Some(organisation), ..filter };
        self.store.deliveries(&ours, limit).await
    }

    /// Reads one delivery.
    ///
    /// # Errors
    /// [`StoreError::UnknownDelivery`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<LoggedDelivery, StoreError> {
        let delivery = self.store.delivery(id).await?;
        let Scope { mode, organisation } = &self.scope;
        if delivery.mode == *mode && delivery.organisation == *organisation {
            return Ok(delivery);
        }
        Err(StoreError::UnknownDelivery(id.clone()))
    }

    /// Reads one recovery.
    ///
    /// # Errors
    /// [`StoreError::UnknownRecovery`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn recovery(&self, id: &RecoveryId) -> Result<Recovery, StoreError> {
        let recovery = self.store.recovery(id).await?;
        let Scope { mode, organisation } = &self.scope;
        if recovery.mode == *mode && recovery.organisation == *organisation {
            return Ok(recovery);
        }
        Err(StoreError::UnknownRecovery(id.clone()))
    }

    /// Lists the recoveries of one of our webhooks, the newest first, at most [`crate::RECOVERIES_PAGE_MAX`].
    ///
    /// * `after`: the last of the page before.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn recoveries(
        &self,
        webhook: &WebhookId,
        after: Option<&RecoveryId>,
        limit: usize,
    ) -> Result<Vec<Recovery>, StoreError> {
        self.webhook(webhook).await?;
        self.store.recoveries(Some(webhook), after, limit).await
    }

    /// No event of ours is called so.
    pub(crate) fn unknown_event(&self, event: &EventId) -> StoreError {
        let Scope { mode, organisation } = self.scope.clone();
        StoreError::UnknownEvent { mode, organisation, event: event.clone() }
    }
}
