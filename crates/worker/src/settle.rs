//! What is left when a message has been processed: its records go to the log in batches, and it is acknowledged when
//! its batch is stored.

mod batch;

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::Receipt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use self::batch::Batch;
use crate::ports::Ports;
use crate::process::{Processed, Processor, Settlement};

/// How long a batch waits for more.
const BATCH_LINGER: Duration = Duration::from_millis(5);

/// A message that has been processed.
pub(crate) struct Completion {
    pub(crate) processed: Processed,
    pub(crate) receipt: Receipt,
    /// Its place among the lane's messages in hand.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Settles the messages of one lane.
pub(crate) struct Settler<P> {
    pub(crate) processor: Arc<Processor<P>>,
    pub(crate) tasks: TaskTracker,
}

/// What waits for its batch to be stored: a settlement, the right to it, and a place among the messages in hand.
type Waiting = (Settlement, Receipt, OwnedSemaphorePermit);

impl<P: Ports> Settler<P> {
    /// Settles until the last sender is gone. Several batches may be on their way to the log at once.
    ///
    /// The queue has no bound of its own: each entry holds a permit of the lane.
    pub(crate) async fn run(self, mut completions: mpsc::UnboundedReceiver<Completion>) {
        let mut batch = Batch::default();
        let linger = sleep_until(Instant::now());
        tokio::pin!(linger);
        loop {
            let completion = tokio::select! {
                biased;
                completion = completions.recv() => completion,
                () = &mut linger, if !batch.is_empty() => {
                    self.send_off(batch.take());
                    continue;
                }
            };
            let Some(Completion { processed: Processed { settlement, records }, receipt, permit }) =
                completion
            else {
                break;
            };
            if records.is_empty() {
                settle(settlement, receipt);
                continue;
            }
            if !batch.has_room_for(&records) {
                self.send_off(batch.take());
            }
            if batch.is_empty() {
                linger.as_mut().reset(Instant::now() + BATCH_LINGER);
            }
            batch.add(&records, (settlement, receipt, permit));
            if batch.is_full() {
                self.send_off(batch.take());
            }
        }
        self.send_off(batch);
    }

    fn send_off(&self, batch: Batch<Waiting>) {
        let processor = Arc::clone(&self.processor);
        self.tasks.spawn(async move {
            processor.write(batch.records).await;
            for (settlement, receipt, permit) in batch.waiting {
                settle(settlement, receipt);
                drop(permit);
            }
        });
    }
}

fn settle(settlement: Settlement, receipt: Receipt) {
    match settlement {
        Settlement::Acknowledge => receipt.acknowledge(),
        Settlement::GiveBack => receipt.requeue(),
    }
}
