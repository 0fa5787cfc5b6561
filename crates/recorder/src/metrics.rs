//! What a recorder counts. Every label has few values, all of them ours, and every series starts at zero.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellhop_store::{LogUpkeep, LogWritten};
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Seconds; from a few rows on an idle server to the longest query timeout.
const WRITE_BUCKETS: &[f64] = &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// Records; from one to what the largest batches hold.
const SIZE_BUCKETS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

/// The recorder's metrics.
#[derive(Debug, Clone)]
pub struct RecorderMetrics {
    messages: IntCounterVec,
    writes: IntCounterVec,
    rows: IntCounterVec,
    expired: IntCounter,
    write_duration: Histogram,
    batch_records: Histogram,
    lag: Gauge,
    last_write: Gauge,
    pub(crate) held: IntGauge,
    partitions: IntGauge,
    partitions_dropped: IntCounter,
    rows_removed: IntCounter,
    pub(crate) webhooks_disabled: IntCounter,
    pub(crate) upkeep_failures: IntCounter,
    series: IntCounterVec,
    pub(crate) recovery_holds: IntCounter,
}

impl RecorderMetrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// When the registry already has one of the names.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let [lag, last_write] = last_transaction()?;
        let metrics = Self {
            messages: counters(
                "bellhop_recorder_messages_total",
                "Messages taken from the log, by what came of them.",
                "result",
            )?,
            writes: counters(
                "bellhop_recorder_writes_total",
                "Transactions, by whether they were committed, failed and are tried again, or were refused for what they held and are split.",
                "result",
            )?,
            rows: counters(
                "bellhop_recorder_rows_total",
                "Rows added or, of deliveries, moved on; what was there already does not count.",
                "table",
            )?,
            expired: IntCounter::new(
                "bellhop_recorder_rows_expired_total",
                "Rows left out because they were too old to be kept when they came.",
            )?,
            write_duration: histogram(
                "bellhop_recorder_write_duration_seconds",
                "Time of one committed transaction, sealing included.",
                WRITE_BUCKETS,
            )?,
            batch_records: histogram(
                "bellhop_recorder_batch_records",
                "Records written by one transaction.",
                SIZE_BUCKETS,
            )?,
            lag,
            last_write,
            held: IntGauge::new(
                "bellhop_recorder_messages_held",
                "Messages in hand that only a later version can read.",
            )?,
            partitions: IntGauge::new(
                "bellhop_recorder_partitions",
                "Partitions of the delivery log when this process last kept it in shape; 0 when another always did.",
            )?,
            partitions_dropped: IntCounter::new(
                "bellhop_recorder_partitions_dropped_total",
                "Partitions dropped because all in them was too old.",
            )?,
            rows_removed: IntCounter::new(
                "bellhop_recorder_rows_removed_total",
                "Rows of events and deliveries removed because they were too old.",
            )?,
            webhooks_disabled: IntCounter::new(
                "bellhop_recorder_webhooks_disabled_total",
                "Webhooks disabled because every delivery to them was exhausted for too long.",
            )?,
            upkeep_failures: IntCounter::new(
                "bellhop_recorder_upkeep_failures_total",
                "Rounds of upkeep of the delivery log that failed.",
            )?,
            series: counters(
                "bellhop_recorder_series_total",
                "Series that somebody asked for: published, or withdrawn because the payload was gone.",
                "result",
            )?,
            recovery_holds: IntCounter::new(
                "bellhop_recorder_recovery_holds_total",
                "How often a recovery waited a second, because the broker took nothing, the due lane was full, or fresh events waited.",
            )?,
        };
        metrics.register_all(registry)?;
        Ok(metrics)
    }

    /// Counts a message.
    pub(crate) fn message(&self, result: &str) {
        self.messages.with_label_values(&[result]).inc();
    }

    /// Counts a transaction that was not committed.
    pub(crate) fn write(&self, result: &str) {
        self.writes.with_label_values(&[result]).inc();
    }

    /// Counts a transaction that was, just now.
    ///
    /// * `lag`: age of its newest record, in seconds.
    pub(crate) fn written(&self, written: &LogWritten, records: usize, took: Duration, lag: f64) {
        self.write("committed");
        for (table, rows) in tables(written) {
            self.rows.with_label_values(&[table]).inc_by(rows);
        }
        self.expired.inc_by(written.expired as u64);
        self.write_duration.observe(took.as_secs_f64());
        self.batch_records.observe(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
        self.lag.set(lag);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_write.set(now.as_secs_f64());
    }

    /// Counts series that somebody asked for.
    pub(crate) fn series(&self, result: &str, count: usize) {
        self.series.with_label_values(&[result]).inc_by(count as u64);
    }

    /// Counts a round of upkeep.
    pub(crate) fn kept(&self, upkeep: &LogUpkeep) {
        self.partitions.set(i64::try_from(upkeep.partitions).unwrap_or(i64::MAX));
        self.partitions_dropped.inc_by(upkeep.dropped as u64);
        self.rows_removed.inc_by(upkeep.removed);
    }

    fn start_at_zero(&self) {
        for result in ["recorded", "parked", "held", "given_back"] {
            self.messages.with_label_values(&[result]).reset();
        }
        for result in ["committed", "failed", "refused"] {
            self.writes.with_label_values(&[result]).reset();
        }
        for result in ["published", "withdrawn"] {
            self.series.with_label_values(&[result]).reset();
        }
        for (table, _) in tables(&LogWritten::default()) {
            self.rows.with_label_values(&[table]).reset();
        }
    }

    fn register_all(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        self.start_at_zero();
        registry.register(Box::new(self.messages.clone()))?;
        registry.register(Box::new(self.writes.clone()))?;
        registry.register(Box::new(self.rows.clone()))?;
        registry.register(Box::new(self.expired.clone()))?;
        registry.register(Box::new(self.write_duration.clone()))?;
        registry.register(Box::new(self.batch_records.clone()))?;
        registry.register(Box::new(self.lag.clone()))?;
        registry.register(Box::new(self.last_write.clone()))?;
        registry.register(Box::new(self.held.clone()))?;
        registry.register(Box::new(self.partitions.clone()))?;
        registry.register(Box::new(self.partitions_dropped.clone()))?;
        registry.register(Box::new(self.rows_removed.clone()))?;
        registry.register(Box::new(self.webhooks_disabled.clone()))?;
        registry.register(Box::new(self.upkeep_failures.clone()))?;
        registry.register(Box::new(self.series.clone()))?;
        registry.register(Box::new(self.recovery_holds.clone()))
    }
}

/// What was written, as label values.
fn tables(written: &LogWritten) -> [(&'static str, u64); 5] {
    [
        ("events", written.events),
        ("payloads", written.payloads),
        ("attempts", written.attempts),
        ("answers", written.answers),
        ("deliveries", written.deliveries),
    ]
}

/// How old the last transaction's newest record was, and when that was committed.
fn last_transaction() -> Result<[Gauge; 2], prometheus::Error> {
    let lag = Gauge::new(
        "bellhop_recorder_lag_seconds",
        "Age of the newest record of the last transaction when it was committed.",
    )?;
    let last_write = Gauge::new(
        "bellhop_recorder_last_write_timestamp_seconds",
        "Unix time of the last transaction; 0 before the first.",
    )?;
    Ok([lag, last_write])
}

fn counters(name: &str, help: &str, label: &str) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), &[label])
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
}
