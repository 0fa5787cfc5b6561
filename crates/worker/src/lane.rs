//! One lane: take, process, settle, within the lane's own budget.

use std::sync::Arc;

use bellhop_broker::{Consumer, Delivery, Incoming, Receipt};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ports::Ports;
use crate::process::{Origin, Processed, Processor};
use crate::settle::{Completion, Settler};

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
        let settler = Settler { processor: Arc::clone(&self.processor), tasks: tasks.clone() };
        let (completions, completed) = mpsc::unbounded_channel();
        tasks.spawn(settler.run(completed));
        loop {
            let permit = stopping.run_until_cancelled(async {
                self.processor.gate.open().await;
                Arc::clone(&permits).acquire_owned().await
            });
            let Some(Ok(permit)) = permit.await else { break };
            let Some(delivery) = self.consumer.next().await else { break };
            let (processor, origin) = (Arc::clone(&self.processor), Arc::clone(&origin));
            let completions = completions.clone();
            tasks.spawn(async move {
                let Delivery { message, receipt } = delivery;
                let processed = handle(&processor, &origin, &message, &receipt).await;
                // The settler ends only after the last sender; if the runtime is already gone the broker requeues.
                let _ = completions.send(Completion { processed, receipt, permit });
            });
        }
        drop(completions);
        self.consumer.close().await;
    }
}

/// Processes one message.
async fn handle<P: Ports>(
    processor: &Processor<P>,
    origin: &Origin,
    message: &Incoming,
    receipt: &Receipt,
) -> Processed {
    let in_flight =
        processor.metrics.in_flight.with_label_values(&[origin.mode.as_str(), origin.lane.as_str()]);
    in_flight.inc();
    let processed = processor.process(message, origin, &|| receipt.is_lost()).await;
    in_flight.dec();
    processed
}
