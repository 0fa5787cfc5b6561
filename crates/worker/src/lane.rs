//! One lane: take, process, settle, within the lane's own budget.

use std::sync::Arc;

use bellhop_broker::{Consumer, Delivery, Incoming, Link, Receipt, Shards};
use prometheus::IntGauge;
use time::OffsetDateTime;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::options::LaneOptions;
use crate::places::Places;
use crate::ports::Ports;
use crate::process::{Origin, Processed, Processor};
use crate::settle::{Completion, Settler};

/// A lane at work.
pub(crate) struct Lane<P> {
    processor: Arc<Processor<P>>,
    stopping: CancellationToken,
    queues: Vec<Taking>,
}

/// One queue of a lane.
struct Taking {
    consumer: Consumer,
    origin: Arc<Origin>,
    places: Places,
    /// When what was taken last had come, in Unix seconds.
    taken_at: IntGauge,
}

impl<P: Ports> Lane<P> {
    /// Prepares to take from every queue of a lane.
    pub(crate) fn new(
        processor: Arc<Processor<P>>,
        link: &Link,
        options: LaneOptions,
        shards: Shards,
        stopping: CancellationToken,
    ) -> Self {
        let LaneOptions { mode, kind, .. } = options;
        let division = options.division(shards);
        let taking = |(queue, places): (String, Places)| Taking {
            taken_at: processor.metrics.taken_at(mode, kind, &queue),
            consumer: Consumer::new(link, &queue, division.of_one_queue(), stopping.clone()),
            origin: Arc::new(Origin { mode, lane: kind, queue }),
            places,
        };
        let queues = kind.queues(mode, shards).into_iter().zip(division.places()).map(taking).collect();
        Self { processor, stopping, queues }
    }

    /// Takes messages until told to stop, then gives back what was not begun and waits for what was.
    pub(crate) fn run(self, tasks: &TaskTracker) {
        let Self { processor, stopping, queues } = self;
        let settler = Settler { processor: Arc::clone(&processor), tasks: tasks.clone() };
        let (completions, completed) = mpsc::unbounded_channel();
        tasks.spawn(settler.run(completed));
        for queue in queues {
            let (processor, stopping) = (Arc::clone(&processor), stopping.clone());
            tasks.spawn(queue.run(processor, stopping, completions.clone(), tasks.clone()));
        }
    }
}

impl Taking {
    /// The place comes before the message, so a panic anywhere gives it back, and messages of a lost session still in
    /// hand count against the same budget as those of the new one.
    async fn run<P: Ports>(
        mut self,
        processor: Arc<Processor<P>>,
        stopping: CancellationToken,
        completions: UnboundedSender<Completion>,
        tasks: TaskTracker,
    ) {
        loop {
            let permit = stopping.run_until_cancelled(async {
                processor.gate.open().await;
                self.places.take().await
            });
            let Some(permit) = permit.await else { break };
            let Some(delivery) = self.consumer.next().await else { break };
            self.note_taken(&delivery.message, processor.ports.now());
            let (processor, origin) = (Arc::clone(&processor), Arc::clone(&self.origin));
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

    /// Publishers' clocks may be ahead; what is queued did not come later than now.
    fn note_taken(&self, message: &Incoming, now: OffsetDateTime) {
        if let Some(at) = message.queued_at() {
            let now = now.unix_timestamp();
            self.taken_at.set(i64::try_from(at.as_secs()).unwrap_or(now).min(now));
        }
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
