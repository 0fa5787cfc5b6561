//! One lane: take, process, settle, within the lane's own budget.

use std::sync::Arc;

use bellhop_broker::{Consumer, Delivery};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ports::Ports;
use crate::process::{Origin, Processor, Settlement};

/// A lane at work.
pub(crate) struct Lane<P> {
    pub(crate) processor: Arc<Processor<P>>,
    pub(crate) consumer: Consumer,
    pub(crate) origin: Origin,
    pub(crate) in_flight_max: u16,
    pub(crate) stopping: CancellationToken,
}

impl<P: Ports> Lane<P> {
    /// Takes messages until told to stop, then gives back what was not begun and waits for what was.
    ///
    /// The permit comes before the message, so a panic anywhere gives it back, and messages of a lost session still in
    /// hand count against the same budget as those of the new one.
    pub(crate) async fn run(mut self, tasks: TaskTracker) {
        let permits = Arc::new(Semaphore::new(usize::from(self.in_flight_max)));
        let origin = Arc::new(self.origin);
        let stopping = self.stopping.clone();
        loop {
            let permit = stopping.run_until_cancelled(async {
                self.processor.gate.open().await;
                Arc::clone(&permits).acquire_owned().await
            });
            let Some(Ok(permit)) = permit.await else { break };
            let Some(delivery) = self.consumer.next().await else { break };
            let (processor, origin) = (Arc::clone(&self.processor), Arc::clone(&origin));
            tasks.spawn(async move {
                handle(&processor, &origin, delivery).await;
                drop(permit);
            });
        }
        self.consumer.close().await;
    }
}

/// Processes one delivery and settles it.
async fn handle<P: Ports>(processor: &Processor<P>, origin: &Origin, delivery: Delivery) {
    let Delivery { message, receipt } = delivery;
    let in_flight =
        processor.metrics.in_flight.with_label_values(&[origin.mode.as_str(), origin.lane.as_str()]);
    in_flight.inc();
    let is_lost = || receipt.is_lost();
    match processor.process(&message, origin, &is_lost).await {
        Settlement::Acknowledge => receipt.acknowledge(),
        Settlement::GiveBack => receipt.requeue(),
    }
    in_flight.dec();
}
