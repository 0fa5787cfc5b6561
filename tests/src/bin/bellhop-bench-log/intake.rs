//! A full queue, and one recorder on one core that empties it into the tables.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bellhop_model::{Mode, Records, WebhookId};
use bellhop_tests::amqp::Message;
use bellhop_tests::measuring::postmaster::Postmaster;
use bellhop_tests::measuring::told::Told;
use bellhop_tests::patience::eventually;
use bellhop_tests::queues;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use crate::stage::Stage;

/// Deliveries in one message, as in a worker's batch of 64 records.
const DELIVERIES_PER_MESSAGE: usize = 32;

/// How often it is looked whether the queue is empty.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The tables that a delivery is in.
const TABLES: [&str; 5] = ["events", "payloads", "attempts", "answers", "deliveries"];

/// What recording cost.
#[derive(Debug, Serialize)]
pub(crate) struct Intake {
    /// Rows in all tables.
    pub(crate) rows: u64,
    /// From the recorder's start until the last row.
    pub(crate) took_s: f64,
    /// CPU time of the recorder, its start included.
    pub(crate) recorder_cpu_s: f64,
    /// CPU time of PostgreSQL meanwhile.
    pub(crate) postgres_cpu_s: f64,
    /// Bytes on disk for each delivery, indexes included, by table.
    pub(crate) bytes_per_delivery: Vec<(&'static str, f64)>,
}

impl Intake {
    /// So many rows a second.
    pub(crate) fn rows_per_s(&self) -> f64 {
        self.rows as f64 / self.took_s
    }

    /// Of some CPU time, microseconds for each row.
    pub(crate) fn us_per_row(&self, cpu_s: f64) -> f64 {
        cpu_s * 1e6 / self.rows as f64
    }
}

/// Fills the log, then has it recorded.
pub(crate) async fn measure(stage: &Stage, deliveries: usize) -> Result<Intake> {
    fill(stage, deliveries).await?;
    let postmaster = Postmaster::of(&stage.tables).await?;
    let postgres_before = postmaster.cpu()?;
    let began = Instant::now();
    let mut recorder = stage.recorder()?;
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stage.amqp.count([queues::LOG]).await? != 0 {
        recorder.ensure_running()?;
        looks.tick().await;
    }
    let wanted = u64::try_from(deliveries)?;
    let is_written = async || Ok((stage.count("deliveries").await? == wanted).then_some(()));
    eventually("the last deliveries to be recorded", is_written).await?;
    let took = began.elapsed();
    let recorder_cpu = recorder.pid()?.cpu()?;
    let postgres_cpu = postmaster.cpu()?.saturating_sub(postgres_before);
    recorder.stop().await?;
    let mut rows = 0;
    let mut bytes_per_delivery = Vec::new();
    for table in TABLES {
        rows += stage.count(table).await?;
        bytes_per_delivery.push((table, bytes_of(stage, table).await? / deliveries as f64));
    }
    Ok(Intake {
        rows,
        took_s: took.as_secs_f64(),
        recorder_cpu_s: recorder_cpu.as_secs_f64(),
        postgres_cpu_s: postgres_cpu.as_secs_f64(),
        bytes_per_delivery,
    })
}

async fn fill(stage: &Stage, deliveries: usize) -> Result<()> {
    let webhook = WebhookId::from_uuid(&[7; 16]);
    let now = OffsetDateTime::now_utc();
    let numbers: Vec<usize> = (0..deliveries).collect();
    for numbers in numbers.chunks(DELIVERIES_PER_MESSAGE) {
        let mut records = Records::default();
        for number in numbers {
            let told = Told::new(Mode::Test, &format!("evt_intake_{number}"), &webhook)?;
            records.push_event(&told.event, &told.body, now);
            records.push_attempt(&told.attempt(now));
        }
        stage.amqp.publish(&Message::of_log(records.into_message())).await?;
    }
    Ok(())
}

/// A table with its indexes and partitions.
async fn bytes_of(stage: &Stage, table: &'static str) -> Result<f64> {
    let select = "
        SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
        WHERE relnamespace = 'bellhop'::regnamespace AND relkind = 'r'
          AND (relname = $1::text OR relname ~ ('^' || $1::text || '_(live|test)_[0-9]{8}$'))";
    let row = stage.tables.query_one(select, &[&table]).await.with_context(|| table.to_owned())?;
    Ok(row.get::<_, Option<i64>>(0).unwrap_or_default() as f64)
}
