//! What a recorder needs to publish series that are owed, and to note which of them the broker has.

use bellhop_model::{RecoveryId, Standing, micros_of};
use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;

use super::OwedSeries;
use super::series::{lock_deliveries, owed};
use crate::limits::{LEASE, SERIES_PAGE_MAX};
use crate::log::row::{parsed, series_of};
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::seal::Place;
use crate::{Store, StoreError};

/// Those of a recovery that runs are published by whoever has it.
const TAKE: &str = "
    UPDATE series SET leased_until = clock_timestamp() + make_interval(secs => $2)
    WHERE (delivery, series) IN (
        SELECT delivery, series FROM series
        WHERE published_at IS NULL AND withdrawn_at IS NULL
          AND (leased_until IS NULL OR leased_until < clock_timestamp())
          AND NOT EXISTS (SELECT FROM recoveries WHERE id = recovery AND state = 'running')
        ORDER BY begun_at, delivery LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING delivery, series, mode, organisation, event, event_type, webhook, recovery, begun_at";

const PAYLOADS: &str = "
    SELECT given.place, sealed
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS given (mode, organisation, event, place)
    JOIN events USING (mode, organisation, event)
    JOIN payloads USING (mode, organisation, event, taken_at)";

const NOTE_PUBLISHED: &str = "
    UPDATE series SET published_at = clock_timestamp()
    FROM unnest($1::text[], $2::bigint[]) AS given (delivery, series)
    WHERE series.delivery = given.delivery AND series.series = given.series
      AND published_at IS NULL AND withdrawn_at IS NULL
    RETURNING series.delivery, series.series";

const WITHDRAW: &str = "
    UPDATE series SET withdrawn_at = clock_timestamp(), withdrawn_for = 'payload_gone'
    FROM unnest($1::text[], $2::bigint[]) AS given (delivery, series)
    WHERE series.delivery = given.delivery AND series.series = given.series
      AND published_at IS NULL AND withdrawn_at IS NULL
    RETURNING series.delivery, series.series";

/// A worker may have been faster: what it recorded of the series has a higher rank.
const MOVE_DELIVERIES: &str = "
    UPDATE deliveries AS held
    SET state = 'pending', reason = NULL, next_at = NULL, since = given.since, series = given.series, attempt = NULL,
        request = NULL, status = NULL, outcome = '', rank = given.rank
    FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::bytea[]) AS given (id, series, since, rank)
    WHERE held.id = given.id AND held.rank < given.rank";

impl Store {
    /// Takes series that are still owed and that no recovery cares for: those asked for one by one, and what a recovery
    /// that was cancelled had begun, at most [`crate::SERIES_PAGE_MAX`]. Nobody else is
    /// given them for a while.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn take_owed_series(&self) -> Result<Vec<OwedSeries>, StoreError> {
        let take = async |client: &mut Object| {
            let most = i64::try_from(SERIES_PAGE_MAX).unwrap_or(i64::MAX);
            let statement = client.prepare_cached(TAKE).await?;
            let rows = client.query(&statement, &[&most, &LEASE.as_secs_f64()]).await?;
            rows.iter().map(owed).collect()
        };
        self.inner.postgres.run(take).await
    }

    /// Opens the events that series owe, as they were published.
    ///
    /// * `owed`: at most [`crate::SERIES_PAGE_MAX`].
    /// * returns one for each, in order; `None` when it is no longer on record.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`] or [`StoreError::SealingKeyWrong`], otherwise PostgreSQL's.
    pub async fn owed_payloads(&self, owed: &[OwedSeries]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        assert!(owed.len() <= SERIES_PAGE_MAX, "a page of payloads is bounded");
        let modes: Vec<&str> = owed.iter().map(|owed| owed.mode.as_str()).collect();
        let organisations: Vec<&str> = owed.iter().map(|owed| owed.organisation.as_str()).collect();
        let events: Vec<&str> = owed.iter().map(|owed| owed.event.as_str()).collect();
        let read = async |client: &mut Object| {
            let parameters: [&(dyn ToSql + Sync); 3] = [&modes, &organisations, &events];
            let mut sealed: Vec<Option<Vec<u8>>> = vec![None; owed.len()];
            let statement = client.prepare_cached(PAYLOADS).await?;
            for row in client.query(&statement, &parameters).await? {
                let place = usize::try_from(row.try_get::<_, i64>("place")? - 1);
                let place = place.expect("places are counted from 1");
                sealed[place] = Some(row.try_get("sealed")?);
            }
            Ok(sealed)
        };
        let sealed = self.inner.postgres.run(read).await?;
        let open = |(owed, sealed): (&OwedSeries, Option<Vec<u8>>)| {
            let scope = Scope::new(owed.mode, &owed.organisation);
            let open =
                |sealed: Vec<u8>| self.inner.sealing.open(Place::Payload(&scope, &owed.event), &sealed);
            sealed.map(open).transpose()
        };
        owed.iter().zip(sealed).map(open).collect()
    }

    /// Notes that the broker has the first attempt of series, and moves their deliveries to them.
    ///
    /// * `published`: of one recovery, or of none.
    ///
    /// # Errors
    /// PostgreSQL's. The series are then published once more, and workers let one of the two through.
    pub async fn note_series_published(&self, published: &[OwedSeries]) -> Result<(), StoreError> {
        let note = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let recovery = lock_recovery(&transaction, published).await?;
            let ids: Vec<&str> = published.iter().map(|owed| owed.delivery.as_str()).collect();
            lock_deliveries(&transaction, &ids).await?;
            let noted = update(&transaction, NOTE_PUBLISHED, published).await?;
            let noted: Vec<&OwedSeries> = published.iter().filter(|owed| noted.contains(owed)).collect();
            move_deliveries(&transaction, &noted).await?;
            if let Some(recovery) = recovery {
                count(&transaction, recovery, "done", noted.len()).await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.inner.postgres.run(note).await
    }

    /// Withdraws series whose payload went before they could be published; their deliveries stay where they stand.
    ///
    /// * `gone`: of one recovery, or of none.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn withdraw_series(&self, gone: &[OwedSeries]) -> Result<(), StoreError> {
        let withdraw = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let recovery = lock_recovery(&transaction, gone).await?;
            let withdrawn = update(&transaction, WITHDRAW, gone).await?;
            if let Some(recovery) = recovery {
                count(&transaction, recovery, "payload_gone", withdrawn.len()).await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.inner.postgres.run(withdraw).await
    }
}

/// The recovery of some series, if they have one; its row is locked before theirs, as a page does.
async fn lock_recovery<'o>(
    transaction: &Transaction<'_>,
    series: &'o [OwedSeries],
) -> Result<Option<&'o RecoveryId>, Fault> {
    let recovery = series.first().and_then(|owed| owed.recovery.as_ref());
    debug_assert!(series.iter().all(|owed| owed.recovery.as_ref() == recovery), "series of one recovery");
    if let Some(recovery) = recovery {
        let statement = transaction.prepare_cached("SELECT FROM recoveries WHERE id = $1 FOR UPDATE").await?;
        transaction.execute(&statement, &[&recovery.as_str()]).await?;
    }
    Ok(recovery)
}

/// * returns which of the series the statement changed.
async fn update(
    transaction: &Transaction<'_>,
    statement: &str,
    series: &[OwedSeries],
) -> Result<Vec<OwedSeries>, Fault> {
    let ids: Vec<&str> = series.iter().map(|owed| owed.delivery.as_str()).collect();
    let numbers: Vec<i64> = series.iter().map(|owed| i64::from(owed.series.0)).collect();
    let statement = transaction.prepare_cached(statement).await?;
    let mut changed = Vec::with_capacity(series.len());
    for row in transaction.query(&statement, &[&ids, &numbers]).await? {
        let (delivery, number) = (parsed(&row, "delivery")?, series_of(&row, "series")?);
        changed
            .extend(series.iter().find(|owed| owed.delivery == delivery && owed.series == number).cloned());
    }
    Ok(changed)
}

async fn move_deliveries(transaction: &Transaction<'_>, series: &[&OwedSeries]) -> Result<(), Fault> {
    let ids: Vec<&str> = series.iter().map(|owed| owed.delivery.as_str()).collect();
    let numbers: Vec<i64> = series.iter().map(|owed| i64::from(owed.series.0)).collect();
    let since: Vec<_> = series.iter().map(|owed| owed.begun_at).collect();
    let standing = |owed: &&OwedSeries| Standing::of_series(owed.series, micros_of(owed.begun_at));
    let ranks: Vec<Vec<u8>> = series.iter().map(|owed| standing(owed).rank()).collect();
    let parameters: [&(dyn ToSql + Sync); 4] = [&ids, &numbers, &since, &ranks];
    let statement = transaction.prepare_cached(MOVE_DELIVERIES).await?;
    transaction.execute(&statement, &parameters).await?;
    Ok(())
}

/// Adds to one of a recovery's counts.
async fn count(
    transaction: &Transaction<'_>,
    recovery: &RecoveryId,
    column: &'static str,
    more: usize,
) -> Result<(), Fault> {
    let raise = format!("UPDATE recoveries SET {column} = {column} + $2 WHERE id = $1");
    let statement = transaction.prepare_cached(&raise).await?;
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    transaction.execute(&statement, &[&recovery.as_str(), &more]).await?;
    Ok(())
}
