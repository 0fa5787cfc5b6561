//! Registering a webhook.

use bellhop_model::{EndpointUrl, EventType, Secret, Webhook, WebhookId};
use deadpool_postgres::Transaction;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Organisation;
use super::idempotency::{Creation, Idempotency};
use crate::limits::EVENT_TYPES_PER_WEBHOOK_MAX;
use crate::postgres::Fault;
use crate::seal::Place;
use crate::truth::{self, WEBHOOK_COLUMNS};
use crate::{Act, Action, NewWebhook, Registered, StoreError, Written, audit, random};

impl Organisation<'_> {
    /// Registers a webhook and makes its secret.
    ///
    /// * `new`: its mode and organisation must be ours.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`], [`StoreError::TooManyWebhooks`], [`StoreError::EventTypes`] or [`StoreError::Url`]
    /// when it may not be registered; otherwise PostgreSQL's.
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Written<Registered>, StoreError> {
        let Written { value, cache } = self.create_webhook_once(new, None).await?;
        match value {
            Creation::Made(registered) => Ok(Written { value: *registered, cache }),
            Creation::Repeated(_) => unreachable!("nothing is repeated without an idempotency key"),
        }
    }

    /// The same, at most once for an idempotency key.
    ///
    /// # Errors
    /// As [`Organisation::create_webhook`], and [`StoreError::IdempotencyKeyUsed`].
    pub async fn create_webhook_once(
        &self,
        new: &NewWebhook,
        idempotency: Option<&Idempotency<'_>>,
    ) -> Result<Written<Creation>, StoreError> {
        check(new)?;
        let create = async |transaction: &Transaction<'_>| {
            if let Some(answer) = self.repeated(transaction, idempotency).await? {
                return Ok(Creation::Repeated(answer));
            }
            let registered = self.insert(transaction, new).await?;
            let act = Act::new(Action::WebhookCreated, registered.webhook.id.as_str());
            audit::record(transaction, &self.scope, self.author, &told(act, &registered.webhook)).await?;
            self.keep(transaction, idempotency, &registered).await?;
            Ok(Creation::Made(Box::new(registered)))
        };
        self.store.write(&self.scope, create).await
    }

    /// Inserts a webhook with a new secret, if there may be another.
    pub(super) async fn insert(
        &self,
        transaction: &Transaction<'_>,
        new: &NewWebhook,
    ) -> Result<Registered, Fault> {
        assert!(
            new.mode == self.scope.mode && new.organisation == self.scope.organisation,
            "a webhook is registered where it belongs"
        );
        self.refuse_another(transaction, &new.url).await?;
        let id = WebhookId::from_uuid(Uuid::now_v7().as_bytes());
        let (secret, sealed) = self.new_secret(&id);
        let insert = format!(
            "INSERT INTO webhooks (id, mode, organisation, url, event_types, expansion, description, sealed_secrets)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {WEBHOOK_COLUMNS}"
        );
        let event_types: Vec<&str> = new.event_types.iter().map(EventType::as_str).collect();
        let expansion: Vec<&str> = new.payload.words().collect();
        let sealed_secrets = [sealed.as_slice()];
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &id.as_str(),
            &new.mode.as_str(),
            &new.organisation.as_str(),
            &new.url.expose(),
            &event_types,
            &expansion,
            &new.description,
            &sealed_secrets.as_slice(),
        ];
        let webhook = truth::webhook(&transaction.query_one(&insert, &parameters).await?)?;
        Ok(Registered { webhook, secret })
    }

    /// Draws a secret and seals it for a webhook.
    pub(super) fn new_secret(&self, id: &WebhookId) -> (Secret, Vec<u8>) {
        let secret = Secret::from_random(&random::bytes());
        let place = Place::Secret(&self.scope, id);
        let sealed = self.store.inner.sealing.seal(place, secret.expose().as_bytes());
        (secret, sealed)
    }

    /// Refuses a second webhook for one URL, and one too many. The version's lock keeps the answer true until the
    /// commit.
    async fn refuse_another(&self, transaction: &Transaction<'_>, url: &EndpointUrl) -> Result<(), Fault> {
        self.refuse_duplicate(transaction, url).await?;
        let count = "SELECT count(*) FROM webhooks WHERE mode = $1 AND organisation = $2";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let row = transaction.query_one(count, &[&mode, &organisation]).await?;
        let count = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(usize::MAX);
        let max = self.store.inner.webhooks_per_organisation_max;
        if max <= count { Err(StoreError::TooManyWebhooks { max }.into()) } else { Ok(()) }
    }

    /// Refuses a URL that another of our webhooks has.
    pub(super) async fn refuse_duplicate(
        &self,
        transaction: &Transaction<'_>,
        url: &EndpointUrl,
    ) -> Result<(), Fault> {
        let existing = "SELECT id FROM webhooks WHERE mode = $1 AND organisation = $2 AND url = $3";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        match transaction.query_opt(existing, &[&mode, &organisation, &url.expose()]).await? {
            Some(row) => Err(StoreError::Duplicate { existing: truth::webhook_id(&row)? }.into()),
            None => Ok(()),
        }
    }
}

/// Refuses what could be stored, but never read again or not held in memory.
pub(super) fn check(new: &NewWebhook) -> Result<(), StoreError> {
    let count = new.event_types.len();
    if count == 0 || EVENT_TYPES_PER_WEBHOOK_MAX < count {
        return Err(StoreError::EventTypes(count));
    }
    // A live webhook with a URL that only Test Mode allows could be stored, but never read again.
    EndpointUrl::parse(new.url.expose(), new.mode)?;
    Ok(())
}

/// Adds what a webhook is like. Of its URL only the server: the rest is a credential.
pub(super) fn told(act: Act, webhook: &Webhook) -> Act {
    act.with("server", webhook.url.origin())
        .with("events", words(webhook.event_types.iter().map(EventType::as_str)))
        .with("payload", webhook.payload.name())
        .with("expand", words(webhook.payload.expansion().names()))
}

pub(super) fn words<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    words.map(Value::from).collect()
}
