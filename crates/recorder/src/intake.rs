//! Taking messages from the log, and reading them.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{Consumer, Delivery, Incoming, Receipt};
use bellhop_model::RecordError;
use bellhop_runtime::health::Condition;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::RecorderMetrics;
use crate::reading::{Batch, Reading, read};

/// How often it is looked whether the session of a message that waits is gone.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A message in hand.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) message: Incoming,
    pub(crate) batch: Batch,
    pub(crate) receipt: Receipt,
    /// Its place among the messages in hand.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Takes messages from the queue.
pub(crate) struct Intake {
    pub(crate) consumer: Consumer,
    pub(crate) prefetch: u16,
    pub(crate) stopping: CancellationToken,
    /// Told while there are messages that only a later version can read.
    pub(crate) version: Condition,
    pub(crate) metrics: RecorderMetrics,
}

impl Intake {
    /// Takes messages until told to stop, then waits until each is settled.
    ///
    /// The permit comes before the message, so that messages of a lost session still in hand count against the same
    /// budget as those of the new one. It also bounds the queue to the gatherer.
    pub(crate) async fn run(mut self, taken: mpsc::UnboundedSender<Taken>, tasks: TaskTracker) {
        let permits = Arc::new(Semaphore::new(usize::from(self.prefetch)));
        let stopping = self.stopping.clone();
        self.version.set_ready();
        loop {
            let permit = stopping.run_until_cancelled(Arc::clone(&permits).acquire_owned()).await;
            let Some(Ok(permit)) = permit else { break };
            let Some(Delivery { message, receipt }) = self.consumer.next().await else { break };
            match read(&message.body) {
                // The gatherer outlives the intake; if the runtime is already gone the broker offers it again.
                Reading::Batch(batch) => drop(taken.send(Taken { message, batch, receipt, permit })),
                Reading::Later(error) => self.hold(&error, receipt, permit, &tasks),
            }
        }
        drop(taken);
        self.consumer.close().await;
    }

    /// Keeps what only a later version can read, unacknowledged, until this process ends or its session does.
    ///
    /// Given back at once it would come again at once, and after a hundred times be parked by the broker. Held, it goes
    /// to a newer recorder when this one is stopped, as in a rolling upgrade; meanwhile it takes a place, and readiness
    /// says why.
    fn hold(&self, error: &RecordError, receipt: Receipt, permit: OwnedSemaphorePermit, tasks: &TaskTracker) {
        self.metrics.message("held");
        self.metrics.held.inc();
        self.version.set_not_ready(format!("{error}; it waits for a newer recorder"));
        let (stopping, version, held) =
            (self.stopping.clone(), self.version.clone(), self.metrics.held.clone());
        tasks.spawn(async move {
            let lost = async {
                while !receipt.is_lost() {
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
            };
            stopping.run_until_cancelled(lost).await;
            held.dec();
            if held.get() == 0 {
                version.set_ready();
            }
            receipt.requeue();
            drop(permit);
        });
    }
}
