//! Registering and changing webhooks. A write and the invalidation of its copies are one function.

use std::collections::BTreeSet;

use bellhop_model::{
    DisabledReason, EndpointUrl, EventType, Mode, OrganisationId, PayloadLevel, Secret, Webhook, WebhookId,
};
use deadpool_postgres::{GenericClient, Object, Transaction};
use tokio_postgres::types::ToSql;

use crate::limits::LIST_PAGE_MAX;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::truth::{self, WEBHOOK_COLUMNS};
use crate::{Author, Store, StoreError, Subscriptions};

/// Raises the version, and by the row's lock makes the writers of one organisation take turns.
///
/// The version is the clock's microseconds unless that would not raise it: after PostgreSQL was restored from a backup
/// the next write must still be newer than every copy made before.
const RAISE_VERSION: &str = "
    INSERT INTO subscription_versions AS held (mode, organisation, version, changed_at)
    VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, clock_timestamp())
    ON CONFLICT (mode, organisation) DO UPDATE
    SET version = greatest(held.version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
        changed_at = clock_timestamp()";

/// What an organisation registers.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// The mode it is for.
    pub mode: Mode,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Where requests go; parsed for `mode`.
    pub url: EndpointUrl,
    /// Which event types it wants, 1 to 64.
    pub event_types: BTreeSet<EventType>,
    /// How much of an event it is sent.
    pub payload: PayloadLevel,
    /// What a person calls it; may be empty.
    pub description: String,
}

/// A webhook just registered, or just given a new secret.
#[derive(Debug)]
pub struct Registered {
    /// The webhook.
    pub webhook: Webhook,
    /// What its payloads are signed with.
    pub secret: Secret,
}

/// What a write did, and how far it got. The truth has it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<T> {
    /// What is true now.
    pub value: T,
    /// Whether the copies have heard of it.
    pub cache: CacheReach,
}

/// Whether a write reached Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheReach {
    /// Redis has the new copy and told every worker.
    Reached,
    /// Redis was away; workers learn of the change from PostgreSQL within 5 s.
    Missed,
}

/// Which webhooks to list.
#[derive(Debug, Clone, Default)]
pub struct WebhookFilter {
    /// Only of this mode.
    pub mode: Option<Mode>,
    /// Only of this organisation.
    pub organisation: Option<OrganisationId>,
    /// Only those that deliveries are made to, or only those that none are made to.
    pub is_enabled: Option<bool>,
    /// Only those that want events of this type.
    pub event_type: Option<EventType>,
    /// Only those registered after this one: the last of the page before.
    pub after: Option<WebhookId>,
    /// Most webhooks; never more than [`crate::LIST_PAGE_MAX`], which is also the default.
    pub limit: Option<usize>,
}

impl Store {
    /// Registers a webhook and makes its secret, on record as Bellhop's own doing.
    ///
    /// # Errors
    /// As [`crate::Organisation::create_webhook`].
    pub async fn add_webhook(&self, new: NewWebhook) -> Result<Written<Registered>, StoreError> {
        self.organisation(new.mode, &new.organisation, &Author::SYSTEM).create_webhook(&new).await
    }

    /// Delivers to a webhook again, on record as Bellhop's own doing.
    ///
    /// # Errors
    /// As [`crate::Organisation::enable_webhook`].
    pub async fn enable_webhook(&self, id: &WebhookId) -> Result<Written<Webhook>, StoreError> {
        let Scope { mode, organisation } = self.scope_of(id).await?;
        self.organisation(mode, &organisation, &Author::SYSTEM).enable_webhook(id, None).await
    }

    /// Stops delivering to a webhook, on record as Bellhop's own doing.
    ///
    /// # Errors
    /// As [`crate::Organisation::disable_webhook`].
    pub async fn disable_webhook(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
    ) -> Result<Written<Webhook>, StoreError> {
        let Scope { mode, organisation } = self.scope_of(id).await?;
        self.organisation(mode, &organisation, &Author::SYSTEM).disable_webhook(id, reason, None).await
    }

    /// Stops delivering to a webhook, if it still is of a version.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is not, otherwise as [`Store::disable_webhook`].
    pub(crate) async fn disable_webhook_of(
        &self,
        id: &WebhookId,
        version: i64,
        reason: DisabledReason,
    ) -> Result<Written<Webhook>, StoreError> {
        let Scope { mode, organisation } = self.scope_of(id).await?;
        self.organisation(mode, &organisation, &Author::SYSTEM)
            .disable_webhook(id, reason, Some(version))
            .await
    }

    /// Removes a webhook and its secret for good, on record as Bellhop's own doing.
    ///
    /// # Errors
    /// As [`crate::Organisation::remove_webhook`].
    pub async fn remove_webhook(&self, id: &WebhookId) -> Result<Written<Webhook>, StoreError> {
        let Scope { mode, organisation } = self.scope_of(id).await?;
        self.organisation(mode, &organisation, &Author::SYSTEM).remove_webhook(id, None).await
    }

    /// Reads one webhook.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], otherwise PostgreSQL's.
    pub async fn webhook(&self, id: &WebhookId) -> Result<Webhook, StoreError> {
        self.inner.postgres.run(async |client| select(client, id).await).await
    }

    /// Lists webhooks in the order of their registration, at most [`crate::LIST_PAGE_MAX`].
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn webhooks(&self, filter: &WebhookFilter) -> Result<Vec<Webhook>, StoreError> {
        let mode = filter.mode.map(Mode::as_str);
        let organisation = filter.organisation.as_ref().map(OrganisationId::as_str);
        let event_type = filter.event_type.as_ref().map(EventType::as_str);
        let after = filter.after.as_ref().map(WebhookId::as_str);
        let limit = filter.limit.unwrap_or(LIST_PAGE_MAX).min(LIST_PAGE_MAX);
        let list = format!(
            "SELECT {WEBHOOK_COLUMNS} FROM webhooks
             WHERE ($1::text IS NULL OR mode = $1) AND ($2::text IS NULL OR organisation = $2)
               AND ($3::text IS NULL OR $3 < id) AND ($4::boolean IS NULL OR (disabled_reason IS NULL) = $4)
               AND ($5::text IS NULL OR $5 = ANY(event_types)) ORDER BY id LIMIT {limit}"
        );
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&mode, &organisation, &after, &filter.is_enabled, &event_type];
        self.inner
            .postgres
            .run(async |client: &mut Object| {
                let rows = client.query(&list, &parameters).await?;
                rows.iter().map(truth::webhook).collect()
            })
            .await
    }

    /// Does one write: raise the version, apply, read back, commit; then memory, Redis and every other worker.
    ///
    /// When this future is dropped after the commit, the copies learn of the change as if Redis had been away.
    pub(crate) async fn write<T>(
        &self,
        scope: &Scope,
        apply: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<Written<T>, StoreError> {
        let commit = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let key: [&(dyn ToSql + Sync); 2] = [&scope.mode.as_str(), &scope.organisation.as_str()];
            transaction.execute(RAISE_VERSION, &key).await?;
            let value = apply(&transaction).await?;
            let subscriptions = truth::read_subscriptions(&transaction, &self.inner.sealing, scope).await;
            transaction.commit().await?;
            Ok((value, subscriptions))
        };
        let (value, subscriptions) = self.inner.postgres.run(commit).await?;
        Ok(Written { value, cache: self.spread(scope, subscriptions).await })
    }

    /// Tells the copies.
    async fn spread(&self, scope: &Scope, subscriptions: Result<Subscriptions, Fault>) -> CacheReach {
        // Another webhook of the organisation may be sealed with a key that we lack; that must not block this write.
        let Ok(subscriptions) = subscriptions else {
            self.inner.counters.writes_not_cached.rise();
            return CacheReach::Missed;
        };
        self.inner.memory.raise(scope, subscriptions.version).await;
        match self.inner.cached.announce(scope, &subscriptions).await {
            Ok(()) => CacheReach::Reached,
            Err(error) => {
                self.inner.counters.writes_not_cached.rise();
                tracing::warn!(%error, "a change of webhooks did not reach Redis; workers learn of it within 5 s");
                CacheReach::Missed
            }
        }
    }

    /// Finds out whose a webhook is. That never changes, so it needs no lock.
    async fn scope_of(&self, id: &WebhookId) -> Result<Scope, StoreError> {
        let webhook = self.webhook(id).await?;
        Ok(Scope { mode: webhook.mode, organisation: webhook.organisation })
    }
}

async fn select(client: &impl GenericClient, id: &WebhookId) -> Result<Webhook, Fault> {
    let select = format!("SELECT {WEBHOOK_COLUMNS} FROM webhooks WHERE id = $1");
    let row = client.query_opt(&select, &[&id.as_str()]).await?;
    truth::webhook(&row.ok_or_else(|| StoreError::UnknownWebhook(id.clone()))?)
}
