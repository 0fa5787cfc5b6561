//! Registering and changing webhooks. A write and the invalidation of its copies are one function.

use std::collections::BTreeSet;

use bellhop_model::{
    DisabledReason, EndpointUrl, EventType, Expansion, Mode, OrganisationId, Secret, Webhook, WebhookId,
};
use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::limits::{EVENT_TYPES_PER_WEBHOOK_MAX, LIST_PAGE_MAX, WEBHOOKS_PER_ORGANISATION_MAX};
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::seal::Place;
use crate::truth::{self, WEBHOOK_COLUMNS};
use crate::{Store, StoreError, Subscriptions, random};

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
    /// Which objects of the payload are sent whole.
    pub expansion: Expansion,
}

/// A webhook just registered.
#[derive(Debug)]
pub struct Registered {
    /// The webhook.
    pub webhook: Webhook,
    /// What its payloads are signed with. This is the only time it is shown.
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
    /// Only those registered after this one: the last of the page before.
    pub after: Option<WebhookId>,
}

impl Store {
    /// Registers a webhook and makes its secret.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`], [`StoreError::TooManyWebhooks`], [`StoreError::EventTypes`] or [`StoreError::Url`]
    /// when it may not be registered; otherwise PostgreSQL's.
    pub async fn add_webhook(&self, new: NewWebhook) -> Result<Written<Registered>, StoreError> {
        let count = new.event_types.len();
        if count == 0 || EVENT_TYPES_PER_WEBHOOK_MAX < count {
            return Err(StoreError::EventTypes(count));
        }
        // A live webhook with a URL that only Test Mode allows could be stored, but never read again.
        EndpointUrl::parse(new.url.expose(), new.mode)?;
        let scope = Scope::new(new.mode, &new.organisation);
        let id = WebhookId::from_uuid(Uuid::now_v7().as_bytes());
        let secret = Secret::from_random(&random::bytes());
        let sealed = self.inner.sealing.seal(Place::Secret(&scope, &id), secret.expose().as_bytes());
        let written = self
            .write(&scope, async |transaction| {
                refuse_another(transaction, &scope, &new.url).await?;
                insert(transaction, &id, &new, &sealed).await
            })
            .await?;
        Ok(Written { value: Registered { webhook: written.value, secret }, cache: written.cache })
    }

    /// Delivers to a webhook again. Enabling an enabled one changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], otherwise PostgreSQL's.
    pub async fn enable_webhook(&self, id: &WebhookId) -> Result<Written<Webhook>, StoreError> {
        self.change(id, "disabled_reason = NULL WHERE id = $1 AND disabled_reason IS NOT NULL", &[]).await
    }

    /// Stops delivering to a webhook. One that is disabled already keeps its first reason.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], otherwise PostgreSQL's.
    pub async fn disable_webhook(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
    ) -> Result<Written<Webhook>, StoreError> {
        let parameters: [&(dyn ToSql + Sync); 1] = [&reason.as_str()];
        self.change(id, "disabled_reason = $2 WHERE id = $1 AND disabled_reason IS NULL", &parameters).await
    }

    /// Removes a webhook and its secret for good.
    ///
    /// * returns it as it was.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], otherwise PostgreSQL's.
    pub async fn remove_webhook(&self, id: &WebhookId) -> Result<Written<Webhook>, StoreError> {
        let scope = self.scope_of(id).await?;
        self.write(&scope, async |transaction| {
            let delete = format!("DELETE FROM webhooks WHERE id = $1 RETURNING {WEBHOOK_COLUMNS}");
            let row = transaction.query_opt(&delete, &[&id.as_str()]).await?;
            truth::webhook(&row.ok_or_else(|| StoreError::UnknownWebhook(id.clone()))?)
        })
        .await
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
        let after = filter.after.as_ref().map(WebhookId::as_str);
        let list = format!(
            "SELECT {WEBHOOK_COLUMNS} FROM webhooks
             WHERE ($1::text IS NULL OR mode = $1) AND ($2::text IS NULL OR organisation = $2)
               AND ($3::text IS NULL OR $3 < id) ORDER BY id LIMIT {LIST_PAGE_MAX}"
        );
        self.inner
            .postgres
            .run(async |client: &mut Object| {
                let rows = client.query(&list, &[&mode, &organisation, &after]).await?;
                rows.iter().map(truth::webhook).collect()
            })
            .await
    }

    /// Updates a webhook where its status is another, then reads it.
    async fn change(
        &self,
        id: &WebhookId,
        assignment: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Written<Webhook>, StoreError> {
        let scope = self.scope_of(id).await?;
        let update = format!("UPDATE webhooks SET version = version + 1, updated_at = now(), {assignment}");
        let id_text = id.as_str();
        let id_parameter: [&(dyn ToSql + Sync); 1] = [&id_text];
        let parameters = [&id_parameter, parameters].concat();
        self.write(&scope, async |transaction| {
            transaction.execute(&update, &parameters).await?;
            select(transaction, id).await
        })
        .await
    }

    /// Does one write: raise the version, apply, read back, commit; then memory, Redis and every other worker.
    ///
    /// When this future is dropped after the commit, the copies learn of the change as if Redis had been away.
    async fn write<T>(
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

/// Refuses a second webhook for one URL, and one too many. The version's lock keeps the answer true until the commit.
async fn refuse_another(
    transaction: &Transaction<'_>,
    scope: &Scope,
    url: &EndpointUrl,
) -> Result<(), Fault> {
    let existing = "SELECT id, url FROM webhooks WHERE mode = $1 AND organisation = $2";
    let rows = transaction.query(existing, &[&scope.mode.as_str(), &scope.organisation.as_str()]).await?;
    for row in &rows {
        if row.try_get::<_, &str>("url")? == url.expose() {
            return Err(StoreError::Duplicate { existing: truth::webhook_id(row)? }.into());
        }
    }
    if WEBHOOKS_PER_ORGANISATION_MAX <= rows.len() {
        return Err(StoreError::TooManyWebhooks.into());
    }
    Ok(())
}

async fn insert(
    transaction: &Transaction<'_>,
    id: &WebhookId,
    new: &NewWebhook,
    sealed_secret: &[u8],
) -> Result<Webhook, Fault> {
    let insert = format!(
        "INSERT INTO webhooks (id, mode, organisation, url, event_types, expansion, sealed_secrets)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {WEBHOOK_COLUMNS}"
    );
    let event_types: Vec<&str> = new.event_types.iter().map(EventType::as_str).collect();
    let expansion: Vec<&str> = new.expansion.names().collect();
    let sealed_secrets = [sealed_secret];
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &id.as_str(),
        &new.mode.as_str(),
        &new.organisation.as_str(),
        &new.url.expose(),
        &event_types,
        &expansion,
        &sealed_secrets.as_slice(),
    ];
    truth::webhook(&transaction.query_one(&insert, &parameters).await?)
}

async fn select(client: &impl deadpool_postgres::GenericClient, id: &WebhookId) -> Result<Webhook, Fault> {
    let select = format!("SELECT {WEBHOOK_COLUMNS} FROM webhooks WHERE id = $1");
    let row = client.query_opt(&select, &[&id.as_str()]).await?;
    truth::webhook(&row.ok_or_else(|| StoreError::UnknownWebhook(id.clone()))?)
}
