//! Writing what was gathered, until it is stored: then, and only then, it is acknowledged.

use std::ops::Range;
use std::time::{Duration, Instant};

use bellhop_broker::{Publisher, Receipt};
use bellhop_runtime::health::Condition;
use bellhop_store::{LogEntry, LogRetention, Store, StoreError};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::intake::Taken;
use crate::isolate::{Pieces, Split};
use crate::metrics::RecorderMetrics;
use crate::park::parked;
use crate::tried::Tried;

/// Shortest and longest pause before something is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Writes batches. One serves all.
pub(crate) struct Writer {
    pub(crate) store: Store,
    pub(crate) retention: LogRetention,
    pub(crate) publisher: Publisher,
    pub(crate) publish_timeout: Duration,
    pub(crate) stopping: CancellationToken,
    /// Told whether the last write went well.
    pub(crate) postgres: Condition,
    pub(crate) metrics: RecorderMetrics,
}

/// Nobody waits for the rest any more: the broker offers it again.
struct GivenUp;

/// A pause that grows.
struct Pause(Duration);

impl Writer {
    /// Writes messages and settles each: acknowledged when its records are committed and, if anything of it cannot be
    /// written, when the broker has it in the parking queue.
    pub(crate) async fn write(&self, mut batch: Vec<Taken>) {
        let mut entries = Vec::new();
        let mut origins = Vec::new();
        for (message, taken) in batch.iter_mut().enumerate() {
            for (place, entry) in taken.batch.entries.drain(..) {
                entries.push(entry);
                origins.push((message, place));
            }
        }
        let is_wanted = |batch: &[Taken]| batch.iter().any(|taken| !taken.receipt.is_lost());
        match self.write_all(&entries, || is_wanted(&batch)).await {
            Ok(refused) => {
                for (entry, reason) in refused {
                    let (message, place) = origins[entry];
                    batch[message].batch.flaws.add_of(place, &reason);
                }
            }
            Err(GivenUp) => {
                for taken in batch {
                    self.metrics.message("given_back");
                    taken.receipt.requeue();
                }
                return;
            }
        }
        drop(entries);
        for taken in batch {
            self.settle(taken).await;
        }
    }

    /// Writes every entry that can be written.
    ///
    /// * returns those that never can, with the reason.
    async fn write_all(
        &self,
        entries: &[LogEntry],
        is_wanted: impl Fn() -> bool,
    ) -> Result<Vec<(usize, String)>, GivenUp> {
        let mut refused = Vec::new();
        let mut pieces = Pieces::new(entries.len());
        let mut pause = Pause::default();
        while let Some(piece) = pieces.next() {
            match Tried::of(self.write_piece(entries, piece)).await {
                Tried::Written => {
                    pause = Pause::default();
                    pieces.finish();
                }
                Tried::Refused(reason) => {
                    self.metrics.write("refused");
                    if let Split::Single(entry) = pieces.split() {
                        refused.push((entry, reason));
                    }
                }
                Tried::Failed(error) => {
                    self.metrics.write("failed");
                    tracing::warn!(%error, "records are not written yet; trying again");
                    self.postgres.set_not_ready(error.to_string());
                    if self.stopping.is_cancelled() || !is_wanted() {
                        return Err(GivenUp);
                    }
                    pause.wait(&self.stopping).await;
                }
            }
        }
        Ok(refused)
    }

    async fn write_piece(&self, entries: &[LogEntry], piece: Range<usize>) -> Result<(), StoreError> {
        let entries = &entries[piece];
        let started = Instant::now();
        let written = self.store.write_log(entries, self.retention).await?;
        self.postgres.set_ready();
        let newest = entries.iter().map(LogEntry::made_at).max();
        let lag = newest.map_or(0.0, |newest| (OffsetDateTime::now_utc() - newest).as_seconds_f64());
        self.metrics.written(&written, entries.len(), started.elapsed(), lag.max(0.0));
        Ok(())
    }

    /// Acknowledges a message, after parking it if anything of it was not written.
    async fn settle(&self, taken: Taken) {
        let Taken { message, batch, receipt, permit } = taken;
        let Some(reason) = batch.flaws.reason() else {
            self.metrics.message("recorded");
            receipt.acknowledge();
            return;
        };
        tracing::warn!(reason, "parked a message of the log that cannot be written as it is");
        let message = parked(&message, &reason);
        let mut pause = Pause::default();
        while let Err(error) = self.publisher.publish(message.clone(), self.publish_timeout).await {
            tracing::warn!(%error, "a message is not parked yet; trying again");
            if self.stopping.is_cancelled() || Receipt::is_lost(&receipt) {
                self.metrics.message("given_back");
                return;
            }
            pause.wait(&self.stopping).await;
        }
        self.metrics.message("parked");
        receipt.acknowledge();
        drop(permit);
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Pause {
    /// Waits, or until told to stop; the next wait is longer.
    async fn wait(&mut self, stopping: &CancellationToken) {
        stopping.run_until_cancelled(tokio::time::sleep(self.0)).await;
        self.0 = (self.0 * 2).min(PAUSES.1);
    }
}
