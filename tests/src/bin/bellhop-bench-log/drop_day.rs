//! The oldest day goes, while somebody writes and somebody reads.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, WebhookId};
use bellhop_store::{DeliveryFilter, Store};
use bellhop_tests::measuring::told::{Told, entries, kept_for};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

/// How often it is looked who waits for a lock.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Deliveries in one write.
const WRITTEN_AT_ONCE: usize = 32;

/// Who waits now, and for how long: writers, then readers.
const WAITS: &str = "
    SELECT coalesce(max(waited) FILTER (WHERE query ~ 'INSERT INTO'), 0)::float8,
           coalesce(max(waited) FILTER (WHERE query ~ '^\\s*SELECT'), 0)::float8
    FROM (SELECT query, extract(epoch FROM clock_timestamp() - waitstart) AS waited
          FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE NOT granted AND datname = current_database()) AS waiting";

/// What dropping a day cost.
#[derive(Debug, Serialize)]
pub(crate) struct DropDay {
    /// The whole round of upkeep.
    pub(crate) took_s: f64,
    /// Partitions dropped.
    pub(crate) partitions: usize,
    /// Rows removed one by one, of events and deliveries.
    pub(crate) rows: u64,
    /// The longest that a writer or a reader was seen waiting for a lock.
    pub(crate) lock_wait_ms: (f64, f64),
    /// The longest that a write or a read took.
    pub(crate) longest_ms: (f64, f64),
}

/// Drops the oldest of the days.
pub(crate) async fn measure(stage: &Stage, days: &[OffsetDateTime]) -> Result<DropDay> {
    let oldest = days.first().context("there are days")?;
    let age = (OffsetDateTime::now_utc() - *oldest).whole_days().unsigned_abs();
    let stopping = CancellationToken::new();
    let writer = tokio::spawn(write(stage.store.clone(), stopping.clone()));
    let reader = tokio::spawn(read(stage.store.clone(), stage.hot.parse()?, stopping.clone()));
    let looker = tokio::spawn(look(stage.place.postgres().await?, stopping.clone()));
    let began = Instant::now();
    // A day goes when it is over as a whole; what is left of the day before is kept.
    let upkeep = stage.store.keep_log(kept_for(age - 1)).await?.context("somebody else keeps the log")?;
    let took = began.elapsed();
    stopping.cancel();
    ensure!(upkeep.dropped != 0, "nothing was dropped: {upkeep:?}");
    Ok(DropDay {
        took_s: took.as_secs_f64(),
        partitions: upkeep.dropped,
        rows: upkeep.removed,
        lock_wait_ms: looker.await??,
        longest_ms: (longest(writer).await?, longest(reader).await?),
    })
}

async fn longest(task: JoinHandle<Result<Duration>>) -> Result<f64> {
    Ok(task.await??.as_secs_f64() * 1e3)
}

/// Writes what happens now, again and again; returns the longest write.
async fn write(store: Store, stopping: CancellationToken) -> Result<Duration> {
    let webhook = WebhookId::from_uuid(&[8; 16]);
    let (mut longest, mut number) = (Duration::ZERO, 0_usize);
    while !stopping.is_cancelled() {
        let now = OffsetDateTime::now_utc();
        let mut told = Vec::with_capacity(WRITTEN_AT_ONCE);
        for _ in 0..WRITTEN_AT_ONCE {
            told.push(Told::new(Mode::Live, &format!("evt_meanwhile_{number}"), &webhook)?);
            number += 1;
        }
        let told: Vec<_> = told.iter().map(|told| (told, now)).collect();
        let entries = entries(&told)?;
        let began = Instant::now();
        store.write_log(&entries, kept_for(90)).await?;
        longest = longest.max(began.elapsed());
    }
    Ok(longest)
}

/// Reads the hot webhook's newest and the requests of one of them, again and again; returns the longest read.
async fn read(store: Store, hot: WebhookId, stopping: CancellationToken) -> Result<Duration> {
    let filter = DeliveryFilter { webhook: Some(hot), ..DeliveryFilter::default() };
    let mut longest = Duration::ZERO;
    while !stopping.is_cancelled() {
        let began = Instant::now();
        let listed = store.deliveries(&filter, 50).await?;
        store.attempts(listed.first().context("the hot webhook has deliveries")?).await?;
        longest = longest.max(began.elapsed());
    }
    Ok(longest)
}

/// Looks who waits for a lock; returns the longest waits, a writer's and a reader's, in milliseconds.
async fn look(client: Client, stopping: CancellationToken) -> Result<(f64, f64)> {
    let waits = client.prepare(WAITS).await?;
    let (mut writers, mut readers) = (0_f64, 0_f64);
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(looks.tick()).await.is_some() {
        let row = client.query_one(&waits, &[]).await?;
        writers = writers.max(row.get::<_, f64>(0) * 1e3);
        readers = readers.max(row.get::<_, f64>(1) * 1e3);
    }
    Ok((writers, readers))
}
