//! Keeping the log in shape: partitions ahead of time, and nothing older than it may be.
//!
//! One process at a time does this, whoever has the lock; the database's clock decides, so that no recorder's own can
//! drop what is still to be kept.

use std::collections::BTreeSet;

use bellhop_model::Mode;
use deadpool_postgres::Object;
use time::{Duration, OffsetDateTime};

use super::expunge::remove_late;
use super::partition::{Partition, TABLES};
use super::retention::{Content, Kept};
use crate::limits::{
    LATE_EXPUNGED_MAX, LOG_DAYS_AHEAD, LOG_LOCK_TIMEOUT, LOG_REMOVAL_ROWS_MAX, LOG_STATEMENT_TIMEOUT,
    LOG_UPKEEP_TIMEOUT,
};
use crate::postgres::Fault;
use crate::{LogRetention, Store, StoreError};

/// Whose turn it is, as SQL of the schema's name.
const LOCK: &str = "hashtextextended('bellhop log ' || current_schema, 0)";

/// Every table that has a partition's name, whether it is attached, and whether it was being detached when somebody was
/// interrupted.
const PARTITIONS: &str = "
    SELECT part.relname, link.inhrelid IS NOT NULL AS is_attached,
           coalesce(link.inhdetachpending, false) AS is_half_detached
    FROM pg_class AS part LEFT JOIN pg_inherits AS link ON link.inhrelid = part.oid
    WHERE part.relnamespace = current_schema::regnamespace AND part.relkind = 'r'
      AND part.relname ~ '^(payloads|attempts|answers)_(live|test)_[0-9]{8}$'";

const REMOVE_DELIVERIES: &str = "
    DELETE FROM deliveries WHERE id = ANY (ARRAY(
        SELECT id FROM deliveries WHERE begun_at < $2 AND mode = $1 AND since < $2
        ORDER BY begun_at, id LIMIT $3))";

const REMOVE_EVENTS: &str = "
    DELETE FROM events WHERE (mode, organisation, event) IN (
        SELECT mode, organisation, event FROM events WHERE taken_at < $2 AND mode = $1
        ORDER BY taken_at LIMIT $3)";

/// What was asked for and never published is still owed, however old.
const REMOVE_SERIES: &str = "
    DELETE FROM series WHERE (delivery, series) IN (
        SELECT delivery, series FROM series
        WHERE begun_at < $2 AND mode = $1 AND (published_at IS NOT NULL OR withdrawn_at IS NOT NULL)
        ORDER BY begun_at LIMIT $3)";

const REMOVE_RATES: &str = "
    DELETE FROM webhook_rates WHERE (webhook, slot, mode, organisation) IN (
        SELECT webhook, slot, mode, organisation FROM webhook_rates WHERE slot < $2 AND mode = $1
        ORDER BY slot LIMIT $3)";

const REMOVE_RECOVERIES: &str = "
    DELETE FROM recoveries WHERE id IN (
        SELECT id FROM recoveries WHERE created_at < $2 AND mode = $1 AND state <> 'running'
        ORDER BY created_at LIMIT $3)";

/// What one round of upkeep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogUpkeep {
    /// Partitions made.
    pub created: usize,
    /// Partitions dropped.
    pub dropped: usize,
    /// Rows of events, deliveries, series, recoveries and rates removed, and late ones of expunged events.
    pub removed: u64,
    /// Partitions there are now.
    pub partitions: usize,
}

/// A partition as the catalog tells of it.
struct Existing {
    partition: Partition,
    is_attached: bool,
    is_half_detached: bool,
}

impl Store {
    /// Makes the partitions of the days to come, and removes what is older than it may be.
    ///
    /// * returns what was done; `None` when another process is at it.
    ///
    /// # Errors
    /// PostgreSQL's. What was done stays; the next round does the rest.
    pub async fn keep_log(&self, retention: LogRetention) -> Result<Option<LogUpkeep>, StoreError> {
        let keep = async |client: &mut Object| {
            let is_ours: bool =
                client.query_one(&format!("SELECT pg_try_advisory_lock({LOCK})"), &[]).await?.try_get(0)?;
            if !is_ours {
                return Ok(None);
            }
            let kept = retention.at(clock(client).await?);
            keep(client, &kept).await.map(Some)
        };
        self.alone(keep).await
    }

    /// Makes partitions unless they are too old to be kept.
    ///
    /// * returns what is kept, by which the caller leaves out what has no partition.
    ///
    /// # Errors
    /// [`StoreError::AheadOfTime`] when one lies further in the future than partitions are made.
    pub(super) async fn make_room(
        &self,
        partitions: &BTreeSet<Partition>,
        retention: LogRetention,
    ) -> Result<Kept, StoreError> {
        let make = async |client: &mut Object| {
            client.execute(&format!("SELECT pg_advisory_lock({LOCK})"), &[]).await?;
            let now = clock(client).await?;
            let last_day = (now + LOG_DAYS_AHEAD * Duration::DAY).date();
            if let Some(ahead) = partitions.iter().find(|partition| last_day < partition.day) {
                return Err(StoreError::AheadOfTime { day: ahead.day }.into());
            }
            let kept = retention.at(now);
            let existing = existing(client).await?;
            let wanted = partitions.iter().filter(|partition| partition.is_kept(&kept));
            create(client, &existing, wanted).await?;
            Ok(kept)
        };
        self.alone(make).await
    }

    /// Runs one operation that may take the lock, on a connection with time for it.
    async fn alone<T>(
        &self,
        operation: impl AsyncFnOnce(&mut Object) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let run = async |client: &mut Object| {
            let (lock_ms, statement_ms) = (LOG_LOCK_TIMEOUT.as_millis(), LOG_STATEMENT_TIMEOUT.as_millis());
            let patience = format!("SET lock_timeout = {lock_ms}; SET statement_timeout = {statement_ms}");
            client.batch_execute(&patience).await?;
            let result = operation(client).await;
            // A lock lives as long as its session, and a pooled session lives long. Of a transaction that failed
            // something may be left.
            let freed = client.batch_execute("ROLLBACK; SELECT pg_advisory_unlock_all(); RESET ALL").await;
            let value = result?;
            freed?;
            Ok(value)
        };
        self.inner.postgres.run_within(LOG_UPKEEP_TIMEOUT, run).await
    }
}

async fn keep(client: &mut Object, kept: &Kept) -> Result<LogUpkeep, Fault> {
    let before = existing(client).await?;
    let today = kept.now().date();
    let days = std::iter::successors(Some(today), |day| day.next_day()).take(LOG_DAYS_AHEAD as usize + 1);
    let wanted: Vec<Partition> = days
        .flat_map(|day| {
            let of_modes = move |table| Mode::ALL.map(|mode| Partition { table, mode, day });
            TABLES.into_iter().flat_map(of_modes)
        })
        .collect();
    let created = create(client, &before, wanted.iter()).await?;
    let (dropped, failure) = drop_old(client, &before, kept).await;
    let mut removed = 0;
    for mode in Mode::ALL {
        let midnight = kept.first_day(mode, Content::Attempts).midnight().assume_utc();
        for statement in [REMOVE_DELIVERIES, REMOVE_EVENTS, REMOVE_SERIES, REMOVE_RECOVERIES, REMOVE_RATES] {
            removed += remove(client, statement, mode, midnight).await?;
        }
    }
    removed += remove_late(client, LATE_EXPUNGED_MAX).await?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(LogUpkeep { created, dropped, removed, partitions: before.len() + created - dropped }),
    }
}

/// Drops what is too old, and what somebody was interrupted at dropping: of one table PostgreSQL detaches no partition
/// while another is half detached.
///
/// * returns how many went, and the first failure; one that cannot go yet, since somebody still reads it, keeps no other.
async fn drop_old(client: &Object, existing: &[Existing], kept: &Kept) -> (usize, Option<Fault>) {
    let (interrupted, others): (Vec<&Existing>, Vec<&Existing>) =
        existing.iter().partition(|found| found.is_half_detached);
    let old = others.into_iter().filter(|found| !found.partition.is_kept(kept));
    let (mut dropped, mut failure) = (0, None);
    for old in interrupted.into_iter().chain(old) {
        match drop_partition(client, old).await {
            Ok(()) => dropped += 1,
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    (dropped, failure)
}

/// Makes those of the wanted partitions that are not attached.
async fn create<'w>(
    client: &Object,
    existing: &[Existing],
    wanted: impl Iterator<Item = &'w Partition>,
) -> Result<usize, Fault> {
    let mut created = 0;
    for partition in wanted {
        if !existing.iter().any(|found| found.partition == *partition && found.is_attached) {
            client.batch_execute(&partition.creation()).await?;
            created += 1;
        }
    }
    Ok(created)
}

/// Detaches a partition and drops it. Whatever interrupts this, the next round finds it and goes on.
///
/// Detaching waits for the transactions that use the parent and lets others begin; a plain `DROP TABLE` would let none
/// begin until the longest of them is over.
async fn drop_partition(client: &Object, old: &Existing) -> Result<(), Fault> {
    let (name, parent) = (old.partition.name(), old.partition.parent());
    if old.is_half_detached {
        client.batch_execute(&format!("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE")).await?;
    } else if old.is_attached {
        client.batch_execute(&format!("ALTER TABLE {parent} DETACH PARTITION {name} CONCURRENTLY")).await?;
    }
    Ok(client.batch_execute(&format!("DROP TABLE {name}")).await?)
}

/// Removes rows a few at a time, so that no lock is held for long.
async fn remove(client: &Object, statement: &str, mode: Mode, before: OffsetDateTime) -> Result<u64, Fault> {
    let mut removed = 0;
    loop {
        let rows = client.execute(statement, &[&mode.as_str(), &before, &LOG_REMOVAL_ROWS_MAX]).await?;
        removed += rows;
        if rows < LOG_REMOVAL_ROWS_MAX.unsigned_abs() {
            return Ok(removed);
        }
    }
}

async fn existing(client: &Object) -> Result<Vec<Existing>, Fault> {
    let rows = client.query(PARTITIONS, &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        let Some(partition) = Partition::parse(row.try_get("relname")?) else { return Ok(None) };
        let (is_attached, is_half_detached) = (row.try_get("is_attached")?, row.try_get("is_half_detached")?);
        Ok(Some(Existing { partition, is_attached, is_half_detached }))
    };
    rows.iter().filter_map(|row| read(row).transpose()).collect()
}

async fn clock(client: &Object) -> Result<OffsetDateTime, Fault> {
    Ok(client.query_one("SELECT clock_timestamp()", &[]).await?.try_get(0)?)
}
