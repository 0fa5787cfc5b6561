//! Settling: every delivery is acknowledged or given back, once.

use std::sync::Arc;

use futures_util::future::join_all;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::sync::mpsc;

use crate::limits::SETTLE_BATCH_MAX;
use crate::stats::BrokerStats;

/// The right to settle one delivery. Settling consumes it; dropping it gives the delivery back.
#[derive(Debug)]
pub struct Receipt {
    acker: Option<Acker>,
    settler: mpsc::UnboundedSender<Settlement>,
}

/// What the settler is told.
#[derive(Debug)]
pub(crate) struct Settlement {
    acker: Acker,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Acknowledge,
    Requeue,
}

impl Receipt {
    pub(crate) fn new(acker: Acker, settler: mpsc::UnboundedSender<Settlement>) -> Self {
        Self { acker: Some(acker), settler }
    }

    /// Acknowledges: the broker forgets the message.
    pub fn acknowledge(mut self) {
        self.settle(Kind::Acknowledge);
    }

    /// Gives back: the broker offers the message again, counting once towards its delivery limit.
    pub fn requeue(mut self) {
        self.settle(Kind::Requeue);
    }

    /// Whether the session is gone, so that the broker offers the message again whatever is settled here.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.acker.as_ref().is_some_and(Acker::poisoned)
    }

    fn settle(&mut self, kind: Kind) {
        if let Some(acker) = self.acker.take() {
            // The settler ends only after the last receipt; if the runtime is already gone the broker requeues.
            let _ = self.settler.send(Settlement { acker, kind });
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.settle(Kind::Requeue);
    }
}

/// Writes settlements until the last receipt of the channel is gone.
///
/// Acknowledgements are written in batches: awaiting them one after the other would cost a socket write each. The
/// queue needs no bound of its own: it holds at most one entry per unsettled delivery, which prefetch bounds.
pub(crate) async fn settle_all(
    mut settlements: mpsc::UnboundedReceiver<Settlement>,
    stats: Arc<BrokerStats>,
) {
    let mut batch = Vec::with_capacity(SETTLE_BATCH_MAX);
    while settlements.recv_many(&mut batch, SETTLE_BATCH_MAX).await != 0 {
        let kinds: Vec<Kind> = batch.iter().map(|settlement| settlement.kind).collect();
        let written = join_all(batch.drain(..).map(write)).await;
        for (kind, is_written) in kinds.into_iter().zip(written) {
            let counter = match (kind, is_written) {
                (_, false) => &stats.settled_too_late,
                (Kind::Acknowledge, true) => &stats.acknowledged,
                (Kind::Requeue, true) => &stats.requeued,
            };
            counter.add(1);
        }
    }
}

/// Writes one settlement; `false` when the session is gone.
async fn write(settlement: Settlement) -> bool {
    let Settlement { acker, kind } = settlement;
    let written = match kind {
        Kind::Acknowledge => acker.ack(BasicAckOptions::default()).await,
        Kind::Requeue => acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await,
    };
    written.unwrap_or(false)
}
