//! Recoveries: many deliveries of one webhook owed again, and how far each is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bellhop_model::{Actor, DeliveryStateName, EventType, Mode, OrganisationId, RecoveryId, WebhookId};
use deadpool_postgres::Object;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::Refusal;
use crate::limits::RECOVERIES_PAGE_MAX;
use crate::log::row::{optional, parsed};
use crate::postgres::Fault;
use crate::{Store, StoreError};

/// The columns that [`recovery`] reads.
pub(super) const RECOVERY_COLUMNS: &str = "id, mode, organisation, webhook, states, event_type, since, until, pace, \
     state, failed_for, cancelled_by, waits_for, found, done, payload_gone, moved_on, created_by, created_at, ended_at";

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
    /// How long it may take to count what there is.
    pub patience: Duration,
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
    /// * `limit`: how many at most.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn recoveries(
        &self,
        webhook: Option<&WebhookId>,
        after: Option<&RecoveryId>,
        limit: usize,
    ) -> Result<Vec<Recovery>, StoreError> {
        // Ids sort by time.
        let list = format!(
            "SELECT {RECOVERY_COLUMNS} FROM recoveries
             WHERE ($1::text IS NULL OR webhook = $1) AND ($2::text IS NULL OR id < $2)
             ORDER BY id DESC LIMIT {}",
            limit.min(RECOVERIES_PAGE_MAX)
        );
        let (webhook, after) = (webhook.map(WebhookId::as_str), after.map(RecoveryId::as_str));
        let read = async |client: &mut Object| {
            let rows = client.query(&list, &[&webhook, &after]).await?;
            rows.iter().map(recovery).collect()
        };
        self.inner.postgres.run(read).await
    }
}

impl RecoveryFilter {
    /// Refuses what cannot be recovered.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self.states.iter().find(|state| !state.is_ended()) {
            Some(state) => Err(Refusal::NotEnded(*state)),
            None => Ok(()),
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
