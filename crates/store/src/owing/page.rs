//! What a recorder does with a recovery: take it, owe one page after the other, give it back.
//!
//! A page is one transaction: it begins the series, counts what it passes over and notes how far it got. Whoever takes
//! the recovery up next finds what is begun and not published, publishes that, and goes on behind it.

use std::time::Duration;

use bellhop_model::{Actor, DeliveryId, DeliveryStateName, EventType, Mode, RecoveryId};
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

use super::recovery::{RECOVERY_COLUMNS, recovery};
use super::series::{begin_series, candidates, owed};
use super::{OwedSeries, Recovery, RecoveryFailure, RecoveryState};
use crate::limits::{LEASE, SERIES_PAGE_MAX};
use crate::log::row::{optional, parsed};
use crate::postgres::Fault;
use crate::{Store, StoreError, random};

/// `$1`: who takes it, `$2`: seconds until another may, `$3`: the mode. In turns: who was given back the longest ago comes
/// first. Whoever could not give one back, because PostgreSQL was away, may go on with it.
const TAKE: &str = "
    UPDATE recoveries SET leased_by = $1, leased_until = clock_timestamp() + make_interval(secs => $2)
    WHERE id = (
        SELECT id FROM recoveries
        WHERE state = 'running' AND mode = $3
          AND (leased_until IS NULL OR leased_until < clock_timestamp() OR leased_by = $1)
        ORDER BY leased_until NULLS FIRST, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING ";

/// The fence: whoever lost the recovery to another, or to a cancellation, finds no row.
const LOCK: &str = "
    SELECT webhook, states, event_type, since, until, created_by, after_begun_at, after_id
    FROM recoveries WHERE id = $1 AND leased_by = $2 AND state = 'running' FOR UPDATE";

/// Planned for each page: it depends on how many the recovery has begun which index is the shorter.
const UNPUBLISHED: &str = "
    SELECT delivery, series, mode, organisation, event, event_type, webhook, recovery, begun_at FROM series
    WHERE recovery = $1 AND published_at IS NULL AND withdrawn_at IS NULL
    ORDER BY begun_at, delivery LIMIT $2";

/// Planned for each page, so that its place in the order is where the index is entered: with `OR` and the place unknown, each
/// page would read all before it.
const NEXT: &str = "
    SELECT id, begun_at FROM deliveries
    WHERE webhook = $1 AND $2 <= begun_at AND begun_at < $3 AND state = ANY ($4)
      AND ($5::text IS NULL OR event_type = $5) AND ($6::timestamptz IS NULL OR ($6, $7::text) < (begun_at, id))
    ORDER BY begun_at, id LIMIT $8";

/// `$3`: seconds until somebody may take it up, `$4`: what it waits for, or null to leave that.
const GIVE_BACK: &str = "
    UPDATE recoveries
    SET leased_by = NULL, leased_until = clock_timestamp() + make_interval(secs => $3),
        waits_for = coalesce($4, waits_for)
    WHERE id = $1 AND leased_by = $2 AND state = 'running'";

const ADVANCE: &str = "
    UPDATE recoveries
    SET after_begun_at = $2, after_id = $3, payload_gone = payload_gone + $4, moved_on = moved_on + $5,
        waits_for = NULL, leased_until = clock_timestamp() + make_interval(secs => $6)
    WHERE id = $1";

/// Who has a recovery; each process draws its own.
#[derive(Debug, Clone)]
pub struct LeaseHolder(String);

/// What a recovery asks of a recorder next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryPage {
    /// Publish these; none when all of the page was passed over.
    Owed(Vec<OwedSeries>),
    /// It has ended.
    Ended(RecoveryState),
    /// Somebody else has it, or cancelled it.
    Lost,
}

/// A recovery's row as a page needs it.
struct Locked {
    webhook: String,
    states: Vec<DeliveryStateName>,
    event_type: Option<EventType>,
    since: OffsetDateTime,
    until: OffsetDateTime,
    created_by: Actor,
    after: Option<(OffsetDateTime, DeliveryId)>,
}

impl LeaseHolder {
    /// Draws a name that nobody else has.
    #[must_use]
    pub fn draw() -> Self {
        Self(uuid::Uuid::from_bytes(random::bytes()).to_string())
    }
}

impl Store {
    /// Takes a recovery that runs, that nobody has and whose time has come, for a while; each page renews that.
    ///
    /// * `mode`: live or test: neither waits for the other.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn take_recovery(
        &self,
        mode: Mode,
        holder: &LeaseHolder,
    ) -> Result<Option<Recovery>, StoreError> {
        let take = async |client: &mut Object| {
            let parameters: [&(dyn ToSql + Sync); 3] = [&holder.0, &LEASE.as_secs_f64(), &mode.as_str()];
            let statement = client.prepare_cached(&format!("{TAKE}{RECOVERY_COLUMNS}")).await?;
            let row = client.query_opt(&statement, &parameters).await?;
            row.as_ref().map(recovery).transpose()
        };
        self.inner.postgres.run(take).await
    }

    /// Owes the next page of a recovery, or what of an earlier one is not published yet.
    ///
    /// * `most`: deliveries, at most [`crate::SERIES_PAGE_MAX`].
    ///
    /// # Errors
    /// PostgreSQL's. Nothing of the page then counts.
    pub async fn owe_page(
        &self,
        id: &RecoveryId,
        holder: &LeaseHolder,
        most: usize,
    ) -> Result<RecoveryPage, StoreError> {
        let most = i64::try_from(most.min(SERIES_PAGE_MAX)).unwrap_or(i64::MAX);
        let owe = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let Some(locked) = lock(&transaction, id, holder).await? else { return Ok(RecoveryPage::Lost) };
            let page = owe_locked(&transaction, id, &locked, most).await?;
            transaction.commit().await?;
            Ok(page)
        };
        self.inner.postgres.run(owe).await
    }

    /// Gives a recovery back, to be taken up by anybody when its next page is due.
    ///
    /// * `after`: how long until then.
    /// * `waits_for`: what keeps it from getting on, in words, if something does.
    ///
    /// # Errors
    /// PostgreSQL's. It stays ours then: [`Store::take_recovery`] gives it to us again, and to others when our time with it
    /// is over.
    pub async fn give_back_recovery(
        &self,
        id: &RecoveryId,
        holder: &LeaseHolder,
        (after, waits_for): (Duration, Option<&str>),
    ) -> Result<(), StoreError> {
        let give_back = async |client: &mut Object| {
            let parameters: [&(dyn ToSql + Sync); 4] =
                [&id.as_str(), &holder.0, &after.as_secs_f64(), &waits_for];
            let statement = client.prepare_cached(GIVE_BACK).await?;
            client.execute(&statement, &parameters).await?;
            Ok(())
        };
        self.inner.postgres.run(give_back).await
    }
}

async fn lock(
    transaction: &Transaction<'_>,
    id: &RecoveryId,
    holder: &LeaseHolder,
) -> Result<Option<Locked>, Fault> {
    let statement = transaction.prepare_cached(LOCK).await?;
    let row = transaction.query_opt(&statement, &[&id.as_str(), &holder.0]).await?;
    let Some(row) = row else { return Ok(None) };
    let states: Vec<&str> = row.try_get("states")?;
    let states = states.into_iter().map(str::parse).collect::<Result<_, _>>();
    let after: Option<OffsetDateTime> = row.try_get("after_begun_at")?;
    Ok(Some(Locked {
        webhook: row.try_get("webhook")?,
        states: states.map_err(|_| crate::log::row::corrupt("states"))?,
        event_type: optional(&row, "event_type")?,
        since: row.try_get("since")?,
        until: row.try_get("until")?,
        created_by: parsed(&row, "created_by")?,
        after: after.map(|at| Ok::<_, Fault>((at, parsed(&row, "after_id")?))).transpose()?,
    }))
}

async fn owe_locked(
    transaction: &Transaction<'_>,
    id: &RecoveryId,
    locked: &Locked,
    most: i64,
) -> Result<RecoveryPage, Fault> {
    let unpublished = transaction.query(UNPUBLISHED, &[&id.as_str(), &most]).await?;
    if !unpublished.is_empty() {
        let owed = unpublished.iter().map(owed).collect::<Result<Vec<_>, _>>()?;
        return Ok(RecoveryPage::Owed(owed));
    }
    let statement = transaction.prepare_cached("SELECT disabled_reason FROM webhooks WHERE id = $1").await?;
    let failure = match transaction.query_opt(&statement, &[&locked.webhook]).await? {
        None => Some(RecoveryFailure::WebhookRemoved),
        Some(row) if row.try_get::<_, Option<&str>>("disabled_reason")?.is_some() => {
            Some(RecoveryFailure::WebhookDisabled)
        }
        Some(_) => None,
    };
    if failure.is_some() {
        return end(transaction, id, RecoveryState::Failed, failure).await;
    }
    let next = next(transaction, locked, most).await?;
    let Some((last_begun_at, last)) = next.last() else {
        return end(transaction, id, RecoveryState::Done, None).await;
    };
    let ids: Vec<&str> = next.iter().map(|(_, delivery)| delivery.as_str()).collect();
    let (standing, others): (Vec<_>, Vec<_>) = candidates(transaction, &ids)
        .await?
        .into_iter()
        .partition(|candidate| candidate.stands_in(&locked.states));
    // What the log's upkeep removed a moment ago is gone, payload and all.
    let vanished = next.len() - standing.len() - others.len();
    let (ready, gone): (Vec<_>, Vec<_>) = standing.into_iter().partition(|candidate| candidate.has_payload());
    let begun = begin_series(transaction, &ready, Some(id), &locked.created_by).await?;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let parameters: [&(dyn ToSql + Sync); 6] = [
        &id.as_str(),
        last_begun_at,
        &last.as_str(),
        &number(gone.len() + vanished),
        &number(others.len()),
        &LEASE.as_secs_f64(),
    ];
    let statement = transaction.prepare_cached(ADVANCE).await?;
    transaction.execute(&statement, &parameters).await?;
    Ok(RecoveryPage::Owed(begun))
}

/// The deliveries of the next page, in order.
async fn next(
    transaction: &Transaction<'_>,
    locked: &Locked,
    most: i64,
) -> Result<Vec<(OffsetDateTime, DeliveryId)>, Fault> {
    let Locked { webhook, states, event_type, since, until, after, .. } = locked;
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let parameters: [&(dyn ToSql + Sync); 8] = [
        webhook,
        since,
        until,
        &states,
        &event_type.as_ref().map(EventType::as_str),
        &after.as_ref().map(|(begun_at, _)| *begun_at),
        &after.as_ref().map(|(_, id)| id.as_str()),
        &most,
    ];
    let rows = transaction.query(NEXT, &parameters).await?;
    rows.iter().map(|row| Ok((row.try_get("begun_at")?, parsed(row, "id")?))).collect()
}

async fn end(
    transaction: &Transaction<'_>,
    id: &RecoveryId,
    state: RecoveryState,
    failure: Option<RecoveryFailure>,
) -> Result<RecoveryPage, Fault> {
    let update = "
        UPDATE recoveries SET state = $2, failed_for = $3, waits_for = NULL, ended_at = clock_timestamp()
        WHERE id = $1";
    let failed_for = failure.map(RecoveryFailure::as_str);
    transaction.execute(update, &[&id.as_str(), &state.as_str(), &failed_for]).await?;
    Ok(RecoveryPage::Ended(state))
}
