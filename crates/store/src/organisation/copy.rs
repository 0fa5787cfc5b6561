//! Copying a webhook from one mode to the other, with a URL and a secret of its own.

use bellhop_model::{EndpointUrl, WebhookId};
use deadpool_postgres::Transaction;

use super::Organisation;
use super::create::{check, told};
use super::idempotency::{Creation, Idempotency};
use crate::{Act, Action, NewWebhook, StoreError, Written, audit};

impl Organisation<'_> {
    /// Registers a copy of a webhook of the other mode: its events, description and payload, not its URL nor its secret.
    /// On record in both modes.
    ///
    /// * `source`: the same organisation in the other mode, as somebody who may see it.
    /// * `id`: the webhook there.
    /// * `url`: where the copy's requests go; parsed for our mode.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] of the original, [`StoreError::SameUrl`], and as
    /// [`Organisation::create_webhook_once`].
    pub async fn copy_webhook(
        &self,
        source: &Organisation<'_>,
        id: &WebhookId,
        url: &EndpointUrl,
        idempotency: Option<&Idempotency<'_>>,
    ) -> Result<Written<Creation>, StoreError> {
        assert!(source.scope.organisation == self.scope.organisation, "a copy stays in its organisation");
        assert!(source.scope.mode != self.scope.mode, "a copy changes the mode");
        let copy = async |transaction: &Transaction<'_>| {
            if let Some(answer) = self.repeated(transaction, idempotency).await? {
                return Ok(Creation::Repeated(answer));
            }
            let original = source.select(transaction, id).await?;
            if original.url == *url {
                return Err(StoreError::SameUrl { original: original.id }.into());
            }
            let new = NewWebhook {
                mode: self.scope.mode,
                organisation: self.scope.organisation.clone(),
                url: url.clone(),
                event_types: original.event_types,
                payload: original.payload,
                description: original.description,
            };
            check(&new)?;
            let registered = self.insert(transaction, &new).await?;
            let made = Act::new(Action::WebhookCopied, registered.webhook.id.as_str());
            let made = told(made, &registered.webhook).with("from", id.as_str());
            audit::record(transaction, &self.scope, self.author, &made).await?;
            let taken = Act::new(Action::WebhookCopied, id.as_str()).with("to", self.scope.mode.as_str());
            audit::record(transaction, &source.scope, source.author, &taken).await?;
            self.keep(transaction, idempotency, &registered).await?;
            Ok(Creation::Made(Box::new(registered)))
        };
        self.store.write(&self.scope, copy).await
    }
}
