//! Changing, enabling, disabling and removing a webhook.

use std::collections::BTreeSet;

use bellhop_model::{
    DisabledReason, EndpointUrl, EventType, Expansion, PayloadLevel, Webhook, WebhookId, WebhookStatus,
};
use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::Organisation;
use super::create::words;
use crate::limits::EVENT_TYPES_PER_WEBHOOK_MAX;
use crate::postgres::Fault;
use crate::{Act, Action, StoreError, Written, audit};

/// What is to be different; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// Where requests go; parsed for the webhook's mode.
    pub url: Option<EndpointUrl>,
    /// Which event types it wants, 1 to 64.
    pub event_types: Option<BTreeSet<EventType>>,
    /// What a person calls it.
    pub description: Option<String>,
    /// How much it is sent, by [`PayloadLevel::name`].
    pub payload: Option<String>,
    /// Which objects it is sent whole.
    pub expansion: Option<Expansion>,
}

impl Organisation<'_> {
    /// Changes a webhook. Deliveries that are made from now on follow the change, also those of events from before.
    ///
    /// * `expected`: the version that the caller read; any if `None`.
    /// * returns it as it is now; at the same version when nothing was different.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], [`StoreError::Changed`], [`StoreError::Duplicate`], [`StoreError::EventTypes`],
    /// [`StoreError::PayloadLevel`] or [`StoreError::Url`], otherwise PostgreSQL's.
    pub async fn update_webhook(
        &self,
        id: &WebhookId,
        change: &WebhookChange,
        expected: Option<i64>,
    ) -> Result<Written<Webhook>, StoreError> {
        let update = async |transaction: &Transaction<'_>| {
            let webhook = self.select_unchanged(transaction, id, expected).await?;
            let changed = changed(&webhook, change)?;
            if changed == webhook {
                return Ok(webhook);
            }
            if changed.url != webhook.url {
                self.refuse_duplicate(transaction, &changed.url).await?;
            }
            self.store_changed(transaction, &changed).await?;
            let act = differences(Act::new(Action::WebhookUpdated, id.as_str()), &webhook, &changed);
            audit::record(transaction, &self.scope, self.author, &act).await?;
            self.select(transaction, id).await
        };
        self.store.write(&self.scope, update).await
    }

    /// Delivers to a webhook again. Enabling an enabled one changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] or [`StoreError::Changed`], otherwise PostgreSQL's.
    pub async fn enable_webhook(
        &self,
        id: &WebhookId,
        expected: Option<i64>,
    ) -> Result<Written<Webhook>, StoreError> {
        let enable = async |transaction: &Transaction<'_>| {
            let webhook = self.select_unchanged(transaction, id, expected).await?;
            if webhook.status == WebhookStatus::Enabled {
                return Ok(webhook);
            }
            self.set_reason(transaction, id, None).await?;
            let act = Act::new(Action::WebhookEnabled, id.as_str());
            audit::record(transaction, &self.scope, self.author, &act).await?;
            self.select(transaction, id).await
        };
        self.store.write(&self.scope, enable).await
    }

    /// Stops delivering to a webhook. One that is disabled already keeps its first reason.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] or [`StoreError::Changed`], otherwise PostgreSQL's.
    pub async fn disable_webhook(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
        expected: Option<i64>,
    ) -> Result<Written<Webhook>, StoreError> {
        let disable = async |transaction: &Transaction<'_>| {
            let webhook = self.select_unchanged(transaction, id, expected).await?;
            if webhook.status != WebhookStatus::Enabled {
                return Ok(webhook);
            }
            self.set_reason(transaction, id, Some(reason)).await?;
            let act = Act::new(Action::WebhookDisabled, id.as_str()).with("reason", reason.as_str());
            audit::record(transaction, &self.scope, self.author, &act).await?;
            self.select(transaction, id).await
        };
        self.store.write(&self.scope, disable).await
    }

    /// Removes a webhook and its secrets for good.
    ///
    /// * returns it as it was.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] or [`StoreError::Changed`], otherwise PostgreSQL's.
    pub async fn remove_webhook(
        &self,
        id: &WebhookId,
        expected: Option<i64>,
    ) -> Result<Written<Webhook>, StoreError> {
        let remove = async |transaction: &Transaction<'_>| {
            let webhook = self.select_unchanged(transaction, id, expected).await?;
            transaction.execute("DELETE FROM webhooks WHERE id = $1", &[&id.as_str()]).await?;
            let act = Act::new(Action::WebhookDeleted, id.as_str()).with("server", webhook.url.origin());
            audit::record(transaction, &self.scope, self.author, &act).await?;
            Ok(webhook)
        };
        self.store.write(&self.scope, remove).await
    }

    async fn set_reason(
        &self,
        transaction: &Transaction<'_>,
        id: &WebhookId,
        reason: Option<DisabledReason>,
    ) -> Result<(), Fault> {
        let update = "UPDATE webhooks SET disabled_reason = $2, version = version + 1, updated_at = now()
            WHERE id = $1";
        let reason = reason.map(DisabledReason::as_str);
        transaction.execute(update, &[&id.as_str(), &reason]).await?;
        Ok(())
    }

    async fn store_changed(&self, transaction: &Transaction<'_>, changed: &Webhook) -> Result<(), Fault> {
        let update = "UPDATE webhooks SET url = $2, event_types = $3, description = $4, expansion = $5,
            version = version + 1, updated_at = now() WHERE id = $1";
        let event_types: Vec<&str> = changed.event_types.iter().map(EventType::as_str).collect();
        let expansion: Vec<&str> = changed.payload.words().collect();
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&changed.id.as_str(), &changed.url.expose(), &event_types, &changed.description, &expansion];
        transaction.execute(update, &parameters).await?;
        Ok(())
    }
}

/// What a webhook is like after a change.
fn changed(webhook: &Webhook, change: &WebhookChange) -> Result<Webhook, StoreError> {
    let mut changed = webhook.clone();
    if let Some(url) = &change.url {
        // A live webhook with a URL that only Test Mode allows could be stored, but never read again.
        changed.url = EndpointUrl::parse(url.expose(), webhook.mode)?;
    }
    if let Some(event_types) = &change.event_types {
        let count = event_types.len();
        if count == 0 || EVENT_TYPES_PER_WEBHOOK_MAX < count {
            return Err(StoreError::EventTypes(count));
        }
        changed.event_types.clone_from(event_types);
    }
    if let Some(description) = &change.description {
        changed.description.clone_from(description);
    }
    let name = change.payload.as_deref().unwrap_or(webhook.payload.name());
    let expansion = change.expansion.unwrap_or(webhook.payload.expansion());
    changed.payload = PayloadLevel::new(name, expansion)?;
    Ok(changed)
}

/// Adds what is different. Of a URL only the server is told: the rest is a credential.
fn differences(mut act: Act, before: &Webhook, after: &Webhook) -> Act {
    if before.url != after.url {
        act = act.with("server", after.url.origin()).with("serverBefore", before.url.origin());
    }
    if before.event_types != after.event_types {
        act = act.with("events", words(after.event_types.iter().map(EventType::as_str)));
    }
    if before.description != after.description {
        act = act.with("description", after.description.as_str());
    }
    if before.payload != after.payload {
        act = act
            .with("payload", after.payload.name())
            .with("expand", words(after.payload.expansion().names()));
    }
    act
}
