//! Looking at a webhook's secrets, and giving it a new one.

use std::time::Duration;

use bellhop_model::{SigningSecret, WebhookId};
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

use super::Organisation;
use crate::limits::SECRETS_PER_WEBHOOK_MAX;
use crate::postgres::Fault;
use crate::{Act, Action, Registered, StoreError, Written, audit, truth};

/// The secrets that sign now. Those that ended stay until the next rotation, and sign no more.
const LIVING: &str = "
    SELECT id, ARRAY[sealed_secrets[1]] || coalesce(lived.sealed, '{}') AS sealed_secrets,
           coalesce(lived.until, '{}') AS secrets_until
    FROM webhooks, LATERAL (
        SELECT array_agg(sealed ORDER BY place) AS sealed, array_agg(until ORDER BY place) AS until
        FROM unnest(sealed_secrets[2:], secrets_until) WITH ORDINALITY AS held (sealed, until, place)
        WHERE now() < until) AS lived
    WHERE id = $1 AND mode = $2 AND organisation = $3";

impl Organisation<'_> {
    /// Shows what a webhook signs with: the current secret, then those that a rotation keeps alive. On record.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], or that of a sealing key; otherwise PostgreSQL's.
    pub async fn reveal_secrets(&self, id: &WebhookId) -> Result<Vec<SigningSecret>, StoreError> {
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let reveal = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let row = transaction.query_opt(LIVING, &[&id.as_str(), &mode, &organisation]).await?;
            let row = row.ok_or_else(|| StoreError::UnknownWebhook(id.clone()))?;
            let secrets = truth::secrets(&row, &self.store.inner.sealing, &self.scope, id)?;
            let act = Act::new(Action::SecretRevealed, id.as_str());
            audit::record(&transaction, &self.scope, self.author, &act).await?;
            transaction.commit().await?;
            Ok(secrets)
        };
        self.store.inner.postgres.run(reveal).await
    }

    /// Gives a webhook a new secret. Requests are signed with it and, for some time, with the one before.
    ///
    /// * `overlap`: how long the one before still signs; with zero, it and all that earlier rotations kept end at once.
    /// * `expected`: the version that the caller read; any if `None`.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], [`StoreError::Changed`] or [`StoreError::TooManySecrets`], otherwise
    /// PostgreSQL's.
    pub async fn rotate_secret(
        &self,
        id: &WebhookId,
        overlap: Duration,
        expected: Option<i64>,
    ) -> Result<Written<Registered>, StoreError> {
        let rotate = async |transaction: &Transaction<'_>| {
            self.select_unchanged(transaction, id, expected).await?;
            let (secret, sealed) = self.new_secret(id);
            self.put_in_front(transaction, id, &sealed, overlap).await?;
            let webhook = self.select(transaction, id).await?;
            let act = Act::new(Action::SecretRotated, id.as_str()).with("overlapSeconds", overlap.as_secs());
            audit::record(transaction, &self.scope, self.author, &act).await?;
            Ok(Registered { webhook, secret })
        };
        self.store.write(&self.scope, rotate).await
    }

    async fn put_in_front(
        &self,
        transaction: &Transaction<'_>,
        id: &WebhookId,
        sealed: &[u8],
        overlap: Duration,
    ) -> Result<(), Fault> {
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let row = transaction.query_one(LIVING, &[&id.as_str(), &mode, &organisation]).await?;
        let living: Vec<&[u8]> = row.try_get("sealed_secrets")?;
        let ends: Vec<OffsetDateTime> = row.try_get("secrets_until")?;
        let (kept, ends) = if overlap.is_zero() { (Vec::new(), Vec::new()) } else { (living, ends) };
        let secrets = [vec![sealed], kept].concat();
        if SECRETS_PER_WEBHOOK_MAX < secrets.len() {
            return Err(StoreError::TooManySecrets.into());
        }
        let update = "UPDATE webhooks SET sealed_secrets = $2,
            secrets_until = CASE WHEN $4 = 0::double precision THEN '{}'
                ELSE (now() + make_interval(secs => $4)) || $3::timestamptz[] END,
            version = version + 1, updated_at = now() WHERE id = $1";
        let overlap_seconds = overlap.as_secs_f64();
        let parameters: [&(dyn ToSql + Sync); 4] = [&id.as_str(), &secrets, &ends, &overlap_seconds];
        transaction.execute(update, &parameters).await?;
        Ok(())
    }
}
