//! Looking at what was sent: health data, so it is on record first.

use bellhop_model::{AnswerRecord, DeliveryId, RequestId};

use super::Organisation;
use crate::{Act, Action, LoggedAttempt, StoreError};

/// A request with everything that is needed to show it as it was.
#[derive(Debug)]
pub struct RevealedRequest {
    /// What was noted of it.
    pub attempt: LoggedAttempt,
    /// The event as it was published; `None` when it is no longer, or not yet, on record.
    pub event: Option<Vec<u8>>,
    /// What the endpoint answered, if it answered and that is still on record.
    pub answer: Option<AnswerRecord>,
}

impl Organisation<'_> {
    /// Opens a request of a delivery, and what was answered to it. That somebody looked is on record before anything is
    /// opened, and stays so whether or not anything is left to be seen.
    ///
    /// # Errors
    /// [`StoreError::UnknownDelivery`] or [`StoreError::UnknownRequest`], also for one of another organisation or mode;
    /// [`StoreError::SealingKeyUnknown`] or [`StoreError::SealingKeyWrong`]; otherwise PostgreSQL's.
    pub async fn reveal_request(
        &self,
        id: &DeliveryId,
        request: RequestId,
    ) -> Result<RevealedRequest, StoreError> {
        let delivery = self.delivery(id).await?;
        let attempt = self.store.attempt(&delivery, request).await?;
        let act = Act::new(Action::PayloadViewed, id.as_str())
            .with("request", request.to_string())
            .with("event", delivery.event.as_str())
            .with("webhook", delivery.webhook.as_str());
        self.put_on_record(&act).await?;
        let event = self.store.payload(&delivery).await?;
        let answer = self.store.answers(&delivery).await?.remove(&request);
        Ok(RevealedRequest { attempt, event, answer })
    }
}
