//! Beginning and stopping recoveries, on record as whoever acts.

use std::time::Duration;

use bellhop_model::{Actor, DeliveryStateName, EventType, RecoveryId, WebhookId};
use deadpool_postgres::{GenericClient, Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::recovery::{RECOVERY_COLUMNS, recovery};
use super::{NewRecovery, Recovery, RecoveryCount, RecoveryFilter, Refusal};
use crate::limits::{RECOVERY_BEGIN_TIMEOUT, RECOVERY_PACE_MAX};
use crate::log::row::parsed;
use crate::postgres::Fault;
use crate::{Act, Action, Organisation, StoreError, audit, truth};

/// Which deliveries a recovery is about, as a condition; `$1` to `$5` are what [`RecoveryFilter::parameters`] gives.
const COUNT: &str = "
    SELECT deliveries.state, count(*) AS found, count(payloads.mode) AS with_payload
    FROM deliveries LEFT JOIN events USING (mode, organisation, event)
    LEFT JOIN payloads USING (mode, organisation, event, taken_at)
    WHERE deliveries.webhook = $1 AND deliveries.state = ANY ($2) AND ($3::text IS NULL OR deliveries.event_type = $3)
      AND $4 <= begun_at AND begun_at < coalesce($5, clock_timestamp())
    GROUP BY deliveries.state";

const INSERT: &str = "
    INSERT INTO recoveries (id, mode, organisation, webhook, states, event_type, since, until, pace, found, created_by)
    SELECT $6, mode, organisation, $1, $2, $3, $4, coalesce($5, clock_timestamp()), $7, $8, $9
    FROM webhooks WHERE id = $1
    ON CONFLICT (webhook) WHERE state = 'running' DO NOTHING RETURNING ";

impl Organisation<'_> {
    /// Counts what a recovery would owe again, now.
    ///
    /// * `patience`: how long it may take.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it could not be begun, or takes longer; [`StoreError::UnknownWebhook`], also for one of
    /// another organisation or mode; otherwise PostgreSQL's.
    pub async fn count_recovery(
        &self,
        filter: &RecoveryFilter,
        patience: Duration,
    ) -> Result<RecoveryCount, StoreError> {
        filter.check().map_err(StoreError::Refused)?;
        self.patiently(&filter.webhook, patience, async |transaction| {
            self.admit_webhook(transaction, &filter.webhook).await?;
            count(transaction, filter).await
        })
        .await
    }

    /// Begins a recovery. A recorder takes it from there.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when nothing is to be recovered or more than can be counted, or the webhook is disabled or
    /// being recovered already; [`StoreError::UnknownWebhook`], also for one of another organisation or mode; otherwise
    /// PostgreSQL's.
    pub async fn begin_recovery(&self, new: &NewRecovery) -> Result<Recovery, StoreError> {
        let NewRecovery { filter, patience, .. } = new;
        filter.check().map_err(StoreError::Refused)?;
        let by = self.author.actor.asker();
        self.patiently(&filter.webhook, *patience, async |transaction| {
            self.admit_webhook(transaction, &filter.webhook).await?;
            // Before anything is counted; whoever begins one at the same moment is found by the insertion.
            refuse_another(transaction, &filter.webhook).await?;
            let found = count(transaction, filter).await?.found();
            if found == 0 {
                let refusal = Refusal::NothingToRecover(filter.webhook.clone());
                return Err(StoreError::Refused(refusal).into());
            }
            let begun = insert(transaction, new, found, &by).await?;
            let act = Act::new(Action::RecoveryBegun, begun.id.as_str())
                .with("webhook", filter.webhook.as_str())
                .with("found", found)
                .with("pace", begun.pace);
            audit::record(transaction, &self.scope, self.author, &act).await?;
            Ok(begun)
        })
        .await
    }

    /// Stops a recovery. What it has owed again by now stays so, and is published.
    ///
    /// # Errors
    /// [`StoreError::UnknownRecovery`], also for one of another organisation or mode; [`StoreError::Refused`] when it has
    /// ended already; otherwise PostgreSQL's.
    pub async fn cancel_recovery(&self, id: &RecoveryId) -> Result<Recovery, StoreError> {
        let update = format!(
            "UPDATE recoveries SET state = 'cancelled', cancelled_by = $2, waits_for = NULL, ended_at = clock_timestamp()
             WHERE id = $1 AND mode = $3 AND organisation = $4 AND state = 'running' RETURNING {RECOVERY_COLUMNS}"
        );
        let by = self.author.actor.asker();
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let cancel = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let parameters: [&(dyn ToSql + Sync); 4] = [&id.as_str(), &by.as_str(), &mode, &organisation];
            let Some(row) = transaction.query_opt(&update, &parameters).await? else { return Ok(None) };
            let cancelled = recovery(&row)?;
            let act = Act::new(Action::RecoveryCancelled, id.as_str())
                .with("webhook", cancelled.filter.webhook.as_str())
                .with("done", cancelled.done);
            audit::record(&transaction, &self.scope, self.author, &act).await?;
            transaction.commit().await?;
            Ok(Some(cancelled))
        };
        if let Some(cancelled) = self.store.inner.postgres.run(cancel).await? {
            return Ok(cancelled);
        }
        let Recovery { id, state, .. } = self.recovery(id).await?;
        Err(StoreError::Refused(Refusal::RecoveryEnded { recovery: id, state }))
    }

    /// Refuses a webhook that is not ours, or that nothing is delivered to.
    async fn admit_webhook(&self, client: &impl GenericClient, webhook: &WebhookId) -> Result<(), Fault> {
        let select = "SELECT disabled_reason FROM webhooks WHERE id = $1 AND mode = $2 AND organisation = $3";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let row = client.query_opt(select, &[&webhook.as_str(), &mode, &organisation]).await?;
        let row = row.ok_or_else(|| StoreError::UnknownWebhook(webhook.clone()))?;
        match truth::disabled_reason(&row)? {
            None => Ok(()),
            Some(reason) => {
                let refusal = Refusal::WebhookDisabled { webhook: webhook.clone(), reason };
                Err(StoreError::Refused(refusal).into())
            }
        }
    }

    /// Runs a transaction whose statements may each take longer than others, and no longer. The server keeps to that, too,
    /// whatever becomes of who asked; and nothing of it is left to whoever has the connection next.
    async fn patiently<T>(
        &self,
        webhook: &WebhookId,
        patience: Duration,
        operation: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let run = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let patience_ms = patience.as_millis().max(1);
            transaction.batch_execute(&format!("SET LOCAL statement_timeout = {patience_ms}")).await?;
            let value = operation(&transaction).await?;
            transaction.commit().await?;
            Ok(value)
        };
        match self.store.inner.postgres.run_within(patience + RECOVERY_BEGIN_TIMEOUT, run).await {
            Err(StoreError::PostgresFailed { code, .. }) if code == SqlState::QUERY_CANCELED.code() => {
                Err(StoreError::Refused(Refusal::TooManyToCount {
                    webhook: webhook.clone(),
                    within: patience,
                }))
            }
            done => done,
        }
    }
}

/// The values of a filter, for `$1` to `$5`.
struct Parameters<'f> {
    webhook: &'f str,
    states: Vec<&'f str>,
    event_type: Option<&'f str>,
    since: OffsetDateTime,
    until: Option<OffsetDateTime>,
}

impl<'f> Parameters<'f> {
    fn of(filter: &'f RecoveryFilter) -> Self {
        Self {
            webhook: filter.webhook.as_str(),
            states: filter.states.iter().map(|state| state.as_str()).collect(),
            event_type: filter.event_type.as_ref().map(EventType::as_str),
            since: filter.since,
            until: filter.until,
        }
    }

    fn each(&self) -> [&(dyn ToSql + Sync); 5] {
        [&self.webhook, &self.states, &self.event_type, &self.since, &self.until]
    }
}

async fn count(client: &impl GenericClient, filter: &RecoveryFilter) -> Result<RecoveryCount, Fault> {
    let mut count = RecoveryCount::default();
    for row in client.query(COUNT, &Parameters::of(filter).each()).await? {
        let found: u64 = row.try_get::<_, i64>("found")?.unsigned_abs();
        let state: DeliveryStateName = parsed(&row, "state")?;
        if state == DeliveryStateName::Exhausted {
            count.exhausted = found;
        } else if state == DeliveryStateName::Cancelled {
            count.cancelled = found;
        } else if state == DeliveryStateName::Delivered {
            count.delivered = found;
        }
        count.payload_gone += found - row.try_get::<_, i64>("with_payload")?.unsigned_abs();
    }
    Ok(count)
}

async fn insert(
    transaction: &Transaction<'_>,
    new: &NewRecovery,
    found: u64,
    by: &Actor,
) -> Result<Recovery, Fault> {
    let NewRecovery { filter, pace, .. } = new;
    let id = RecoveryId::from_uuid(Uuid::now_v7().as_bytes());
    let pace = i32::try_from((*pace).clamp(1, RECOVERY_PACE_MAX)).unwrap_or(i32::MAX);
    let found = i64::try_from(found).unwrap_or(i64::MAX);
    let filtered = Parameters::of(filter);
    let others: [&(dyn ToSql + Sync); 4] = [&id.as_str(), &pace, &found, &by.as_str()];
    let parameters = [&filtered.each(), &others[..]].concat();
    match transaction.query_opt(&format!("{INSERT}{RECOVERY_COLUMNS}"), &parameters).await? {
        Some(row) => recovery(&row),
        // Another began a moment ago, or the webhook went.
        None => {
            refuse_another(transaction, &filter.webhook).await?;
            Err(StoreError::UnknownWebhook(filter.webhook.clone()).into())
        }
    }
}

/// Refuses while a recovery of the webhook runs.
async fn refuse_another(client: &impl GenericClient, webhook: &WebhookId) -> Result<(), Fault> {
    let running = "SELECT id FROM recoveries WHERE webhook = $1 AND state = 'running'";
    match client.query_opt(running, &[&webhook.as_str()]).await? {
        Some(row) => {
            let recovery = parsed(&row, "id")?;
            let refusal = Refusal::RecoveryUnderWay { webhook: webhook.clone(), recovery };
            Err(StoreError::Refused(refusal).into())
        }
        None => Ok(()),
    }
}
