//! Recoveries: many deliveries of one webhook owed again, counted first, begun, looked at, cancelled.

use std::fmt;
use std::str::FromStr;

use bellhop_model::{Actor, DeliveryStateName, EventType, Mode, OrganisationId, RecoveryId, WebhookId};
use deadpool_postgres::{GenericClient, Object};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Refusal;
use crate::limits::{RECOVERIES_PAGE_MAX, RECOVERY_COUNT_TIMEOUT, RECOVERY_PACE_MAX};
use crate::log::row::{optional, parsed};
use crate::postgres::Fault;
use crate::{Store, StoreError, truth};

/// The columns that [`recovery`] reads.
pub(super) const RECOVERY_COLUMNS: &str = "id, mode, organisation, webhook, states, event_type, since, until, pace, \
     state, failed_for, cancelled_by, waits_for, found, done, payload_gone, moved_on, created_by, created_at, ended_at";

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

/// Which deliveries of a webhook to owe again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryFilter {
    /// The webhook.
    pub webhook: WebhookId,
    /// In which states: exhausted, cancelled or delivered; at least one.
    pub states: Vec<DeliveryStateName>,
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only those that began at this moment or later.
    pub since: OffsetDateTime,
    /// Only those that began before this moment; `None` for now.
    pub until: Option<OffsetDateTime>,
}

/// A recovery to begin.
#[derive(Debug, Clone)]
pub struct NewRecovery {
    /// Which deliveries.
    pub filter: RecoveryFilter,
    /// How many a second, 1 to [`crate::RECOVERY_PACE_MAX`]; more is taken for that.
    pub pace: u32,
    /// Who asks, for the record.
    pub by: Actor,
}

/// How many deliveries a recovery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveryCount {
    /// Three attempts failed.
    pub exhausted: u64,
    /// The webhook went away first.
    pub cancelled: u64,
    /// The endpoint took it.
    pub delivered: u64,
    /// How many of all have no payload on record any more; they would be passed over.
    pub payload_gone: u64,
}

/// A recovery, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Which.
    pub id: RecoveryId,
    /// Live or test.
    pub mode: Mode,
    /// Whose webhook it is.
    pub organisation: OrganisationId,
    /// Which deliveries; `until` is always set.
    pub filter: RecoveryFilter,
    /// How many a second at most.
    pub pace: u32,
    /// Whether it runs, or how it ended.
    pub state: RecoveryState,
    /// What keeps it waiting, in words, while it runs and does not get on.
    pub waits_for: Option<String>,
    /// Why it failed.
    pub failed_for: Option<RecoveryFailure>,
    /// Who cancelled it.
    pub cancelled_by: Option<Actor>,
    /// How many deliveries there were when it was asked for.
    pub found: u64,
    /// How many series the broker has.
    pub done: u64,
    /// How many were passed over because their payload is no longer on record.
    pub payload_gone: u64,
    /// How many were passed over because they stood elsewhere when their turn came: somebody owed them again before.
    pub moved_on: u64,
    /// Who asked for it.
    pub created_by: Actor,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
}

/// Whether a recovery runs, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryState {
    /// A recorder works on it, or will.
    Running,
    /// Every delivery it was about was owed again or passed over.
    Done,
    /// Somebody stopped it; what was owed again by then stays so.
    Cancelled,
    /// It cannot go on.
    Failed,
}

/// Why a recovery cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryFailure {
    /// The webhook was disabled meanwhile.
    WebhookDisabled,
    /// The webhook was removed meanwhile.
    WebhookRemoved,
}

/// A word that is no state of a recovery, or no reason for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no word about a recovery: expected `running`, `done`, `cancelled` or `failed`")]
pub struct RecoveryStateError;

impl Store {
    /// Counts what a recovery would owe again, now.
    ///
    /// # Errors
    /// [`StoreError::Refused`] or [`StoreError::UnknownWebhook`] when it could not be begun; otherwise PostgreSQL's.
    pub async fn count_recovery(&self, filter: &RecoveryFilter) -> Result<RecoveryCount, StoreError> {
        filter.check().map_err(StoreError::Refused)?;
        self.patiently(async |client| {
            admit_webhook(client, &filter.webhook).await?;
            count(client, filter).await
        })
        .await
    }

    /// Begins a recovery. A recorder takes it from there.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when nothing is to be recovered, the webhook is disabled, or is being recovered already;
    /// [`StoreError::UnknownWebhook`]; otherwise PostgreSQL's.
    pub async fn begin_recovery(&self, new: &NewRecovery) -> Result<Recovery, StoreError> {
        let NewRecovery { filter, pace, by } = new;
        filter.check().map_err(StoreError::Refused)?;
        let id = RecoveryId::from_uuid(Uuid::now_v7().as_bytes());
        let pace = i32::try_from((*pace).clamp(1, RECOVERY_PACE_MAX)).unwrap_or(i32::MAX);
        let begin = async |client: &mut Object| {
            admit_webhook(client, &filter.webhook).await?;
            let found = i64::try_from(count(client, filter).await?.found()).unwrap_or(i64::MAX);
            if found == 0 {
                let refusal = Refusal::NothingToRecover(filter.webhook.clone());
                return Err(StoreError::Refused(refusal).into());
            }
            let filtered = filter.parameters();
            let others: [&(dyn ToSql + Sync); 4] = [&id.as_str(), &pace, &found, &by.as_str()];
            let parameters = [&filtered.each(), &others[..]].concat();
            let row = client.query_opt(&format!("{INSERT}{RECOVERY_COLUMNS}"), &parameters).await?;
            match row {
                Some(row) => recovery(&row),
                None => Err(already(client, &filter.webhook).await?.into()),
            }
        };
        self.patiently(begin).await
    }

    /// Reads one recovery.
    ///
    /// # Errors
    /// [`StoreError::UnknownRecovery`], otherwise PostgreSQL's.
    pub async fn recovery(&self, id: &RecoveryId) -> Result<Recovery, StoreError> {
        let select = format!("SELECT {RECOVERY_COLUMNS} FROM recoveries WHERE id = $1");
        let read = async |client: &mut Object| {
            let row = client.query_opt(&select, &[&id.as_str()]).await?;
            recovery(&row.ok_or_else(|| StoreError::UnknownRecovery(id.clone()))?)
        };
        self.inner.postgres.run(read).await
    }

    /// Lists recoveries, the newest first, at most [`crate::RECOVERIES_PAGE_MAX`].
    ///
    /// * `webhook`: only of this one.
    /// * `after`: only those after this one, the last of the page before.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn recoveries(
        &self,
        webhook: Option<&WebhookId>,
        after: Option<&RecoveryId>,
    ) -> Result<Vec<Recovery>, StoreError> {
        // Ids sort by time.
        let list = format!(
            "SELECT {RECOVERY_COLUMNS} FROM recoveries
             WHERE ($1::text IS NULL OR webhook = $1) AND ($2::text IS NULL OR id < $2)
             ORDER BY id DESC LIMIT {RECOVERIES_PAGE_MAX}"
        );
        let (webhook, after) = (webhook.map(WebhookId::as_str), after.map(RecoveryId::as_str));
        let read = async |client: &mut Object| {
            let rows = client.query(&list, &[&webhook, &after]).await?;
            rows.iter().map(recovery).collect()
        };
        self.inner.postgres.run(read).await
    }

    /// Stops a recovery. What it has owed again by now stays so, and is published.
    ///
    /// # Errors
    /// [`StoreError::UnknownRecovery`]; [`StoreError::Refused`] when it has ended already; otherwise PostgreSQL's.
    pub async fn cancel_recovery(&self, id: &RecoveryId, by: &Actor) -> Result<Recovery, StoreError> {
        let update = format!(
            "UPDATE recoveries SET state = 'cancelled', cancelled_by = $2, waits_for = NULL, ended_at = clock_timestamp()
             WHERE id = $1 AND state = 'running' RETURNING {RECOVERY_COLUMNS}"
        );
        let cancel = async |client: &mut Object| {
            let row = client.query_opt(&update, &[&id.as_str(), &by.as_str()]).await?;
            row.as_ref().map(recovery).transpose()
        };
        match self.inner.postgres.run(cancel).await? {
            Some(cancelled) => Ok(cancelled),
            None => {
                let Recovery { id, state, .. } = self.recovery(id).await?;
                Err(StoreError::Refused(Refusal::RecoveryEnded { recovery: id, state }))
            }
        }
    }

    /// Runs one operation that may read much, with time for it.
    async fn patiently<T>(
        &self,
        operation: impl AsyncFnOnce(&mut Object) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let run = async |client: &mut Object| {
            let patience_ms = RECOVERY_COUNT_TIMEOUT.as_millis();
            client.batch_execute(&format!("SET statement_timeout = {patience_ms}")).await?;
            let result = operation(client).await;
            client.batch_execute("RESET statement_timeout").await?;
            result
        };
        self.inner.postgres.run_within(RECOVERY_COUNT_TIMEOUT, run).await
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

impl Parameters<'_> {
    fn each(&self) -> [&(dyn ToSql + Sync); 5] {
        [&self.webhook, &self.states, &self.event_type, &self.since, &self.until]
    }
}

impl RecoveryFilter {
    fn check(&self) -> Result<(), Refusal> {
        match self.states.iter().find(|state| !state.is_ended()) {
            Some(state) => Err(Refusal::NotEnded(*state)),
            None => Ok(()),
        }
    }

    fn parameters(&self) -> Parameters<'_> {
        Parameters {
            webhook: self.webhook.as_str(),
            states: self.states.iter().map(|state| state.as_str()).collect(),
            event_type: self.event_type.as_ref().map(EventType::as_str),
            since: self.since,
            until: self.until,
        }
    }
}

impl RecoveryCount {
    /// All deliveries that are as asked for, those without a payload among them.
    #[must_use]
    pub const fn found(&self) -> u64 {
        self.exhausted + self.cancelled + self.delivered
    }
}

/// Refuses a webhook that nothing is delivered to.
async fn admit_webhook(client: &impl GenericClient, webhook: &WebhookId) -> Result<(), Fault> {
    let select = "SELECT disabled_reason FROM webhooks WHERE id = $1";
    let row = client.query_opt(select, &[&webhook.as_str()]).await?;
    let row = row.ok_or_else(|| StoreError::UnknownWebhook(webhook.clone()))?;
    match truth::disabled_reason(&row)? {
        None => Ok(()),
        Some(reason) => {
            let refusal = Refusal::WebhookDisabled { webhook: webhook.clone(), reason };
            Err(StoreError::Refused(refusal).into())
        }
    }
}

async fn count(client: &impl GenericClient, filter: &RecoveryFilter) -> Result<RecoveryCount, Fault> {
    let mut count = RecoveryCount::default();
    for row in client.query(COUNT, &filter.parameters().each()).await? {
        let found: u64 = row.try_get::<_, i64>("found")?.unsigned_abs();
        match parsed(&row, "state")? {
            DeliveryStateName::Exhausted => count.exhausted = found,
            DeliveryStateName::Cancelled => count.cancelled = found,
            DeliveryStateName::Delivered => count.delivered = found,
            DeliveryStateName::Pending | DeliveryStateName::Retrying | DeliveryStateName::Deferred => {}
        }
        count.payload_gone += found - row.try_get::<_, i64>("with_payload")?.unsigned_abs();
    }
    Ok(count)
}

/// Why nothing was inserted: another runs, or the webhook went a moment ago.
async fn already(client: &impl GenericClient, webhook: &WebhookId) -> Result<StoreError, Fault> {
    let running = "SELECT id FROM recoveries WHERE webhook = $1 AND state = 'running'";
    Ok(match client.query_opt(running, &[&webhook.as_str()]).await? {
        Some(row) => StoreError::Refused(Refusal::RecoveryUnderWay {
            webhook: webhook.clone(),
            recovery: parsed(&row, "id")?,
        }),
        None => StoreError::UnknownWebhook(webhook.clone()),
    })
}

/// Reads [`RECOVERY_COLUMNS`].
pub(super) fn recovery(row: &Row) -> Result<Recovery, Fault> {
    let number = |name| Ok::<_, Fault>(row.try_get::<_, i64>(name)?.unsigned_abs());
    let states: Vec<&str> = row.try_get("states")?;
    let states = states.into_iter().map(str::parse).collect::<Result<_, _>>();
    Ok(Recovery {
        id: parsed(row, "id")?,
        mode: parsed(row, "mode")?,
        organisation: parsed(row, "organisation")?,
        filter: RecoveryFilter {
            webhook: parsed(row, "webhook")?,
            states: states.map_err(|_| crate::log::row::corrupt("states"))?,
            event_type: optional(row, "event_type")?,
            since: row.try_get("since")?,
            until: row.try_get("until")?,
        },
        pace: row.try_get::<_, i32>("pace")?.unsigned_abs(),
        state: parsed(row, "state")?,
        waits_for: row.try_get("waits_for")?,
        failed_for: optional(row, "failed_for")?,
        cancelled_by: optional(row, "cancelled_by")?,
        found: number("found")?,
        done: number("done")?,
        payload_gone: number("payload_gone")?,
        moved_on: number("moved_on")?,
        created_by: parsed(row, "created_by")?,
        created_at: row.try_get("created_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

impl RecoveryState {
    /// The word used in tables and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl RecoveryFailure {
    /// The word used in tables and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebhookDisabled => "webhook_disabled",
            Self::WebhookRemoved => "webhook_removed",
        }
    }
}

impl fmt::Display for RecoveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RecoveryState {
    type Err = RecoveryStateError;

    fn from_str(text: &str) -> Result<Self, RecoveryStateError> {
        let all = [Self::Running, Self::Done, Self::Cancelled, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text).ok_or(RecoveryStateError)
    }
}

impl FromStr for RecoveryFailure {
    type Err = RecoveryStateError;

    fn from_str(text: &str) -> Result<Self, RecoveryStateError> {
        let all = [Self::WebhookDisabled, Self::WebhookRemoved];
        all.into_iter().find(|reason| reason.as_str() == text).ok_or(RecoveryStateError)
    }
}
