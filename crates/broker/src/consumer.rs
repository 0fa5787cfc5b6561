//! Bounded consuming of one queue: the broker hands out at most `prefetch` deliveries that are not yet settled.

use std::sync::Arc;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, protocol};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::limits::{CLOSE_TIMEOUT, CONNECT_TIMEOUT};
use crate::link::{Backoff, Link, Session, session};
use crate::message::Incoming;
use crate::receipt::{Receipt, Settlement, settle_all};
use crate::stats::BrokerStats;

/// Takes deliveries from one queue, on a channel of its own, which is opened again after any error.
#[derive(Debug)]
pub struct Consumer {
    queue: String,
    prefetch: u16,
    sessions: watch::Receiver<Option<Arc<Session>>>,
    stats: Arc<BrokerStats>,
    stopping: CancellationToken,
    attached: Option<Attached>,
    backoff: Backoff,
    /// Whether it was told that attaching fails, until it succeeds.
    is_failure_told: bool,
}

/// A message and the right to settle it.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Incoming,
    /// Settles it.
    pub receipt: Receipt,
}

/// A consumer on a living channel.
#[derive(Debug)]
struct Attached {
    session: Arc<Session>,
    channel: Channel,
    deliveries: lapin::Consumer,
    settler: mpsc::UnboundedSender<Settlement>,
    settling: JoinHandle<()>,
}

impl Consumer {
    /// Prepares to consume; the first [`Consumer::next`] attaches.
    ///
    /// * `queue`: must exist; while it does not, attaching is tried again.
    /// * `prefetch`: most deliveries handed out and not yet settled, from 1.
    /// * `stopping`: when cancelled, [`Consumer::next`] returns `None`.
    #[must_use]
    pub fn new(link: &Link, queue: &str, prefetch: u16, stopping: CancellationToken) -> Self {
        assert!(prefetch != 0, "0 would mean no bound to the broker");
        Self {
            queue: queue.to_owned(),
            prefetch,
            sessions: link.sessions(),
            stats: Arc::clone(link.stats()),
            stopping,
            attached: None,
            backoff: Backoff::default(),
            is_failure_told: false,
        }
    }

    /// The next delivery; `None` once stopping. Waits out any outage.
    pub async fn next(&mut self) -> Option<Delivery> {
        let stopping = self.stopping.clone();
        stopping.run_until_cancelled(self.take()).await
    }

    /// Gives back what the broker handed out and nobody took, waits until every receipt is settled, and closes the
    /// channel. Nothing more is handed out meanwhile.
    pub async fn close(self) {
        let Self { queue, attached: Some(attached), .. } = self else { return };
        let cancelling =
            attached.channel.basic_cancel(attached.deliveries.tag(), BasicCancelOptions::default());
        // Should the broker not answer, closing the channel below requeues the same messages.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, cancelling).await;
        let Attached { channel, mut deliveries, settler, settling, session, .. } = attached;
        while let Some(Some(Ok(delivery))) = futures_util::FutureExt::now_or_never(deliveries.next()) {
            Receipt::new(delivery.acker, settler.clone()).requeue();
        }
        drop(settler);
        let settled = async {
            // A settler that panicked has nothing left to write.
            let _ = settling.await;
            flush(&channel, &queue).await;
        };
        session.ended.run_until_cancelled(settled).await;
        let closing = channel.close(protocol::constants::REPLY_SUCCESS, "closing".into());
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    }

    async fn take(&mut self) -> Delivery {
        loop {
            if self.attached.is_none() {
                self.attach().await;
                continue;
            }
            let attached = self.attached.as_mut().expect("attached above");
            let delivery = tokio::select! {
                delivery = attached.deliveries.next() => delivery,
                () = attached.session.ended.cancelled() => None,
            };
            match delivery {
                Some(Ok(delivery)) => {
                    let settler = attached.settler.clone();
                    let (message, acker) = Incoming::new(delivery);
                    return Delivery { message, receipt: Receipt::new(acker, settler) };
                }
                // The queue was deleted or moved, the channel failed, or the session ended: begin anew.
                Some(Err(error)) => {
                    tracing::warn!(%error, queue = %self.queue, "the consumer's channel failed");
                    self.attached = None;
                }
                None => self.attached = None,
            }
        }
    }

    /// Waits for a session and tries to consume on it; after a failure waits before returning.
    async fn attach(&mut self) {
        let session = session(&mut self.sessions).await;
        let consuming = consume(&session, &self.queue, self.prefetch);
        match tokio::time::timeout(CONNECT_TIMEOUT, consuming).await {
            Ok(Ok((channel, deliveries))) => {
                self.backoff = Backoff::default();
                if std::mem::take(&mut self.is_failure_told) {
                    tracing::info!(queue = %self.queue, "the queue is consumed now");
                }
                let (settler, settlements) = mpsc::unbounded_channel();
                let settling = tokio::spawn(settle_all(settlements, Arc::clone(&self.stats)));
                self.attached = Some(Attached { session, channel, deliveries, settler, settling });
            }
            Ok(Err(error)) => {
                // A queue of a number of shards that is yet to come may be missing for long.
                if !std::mem::replace(&mut self.is_failure_told, true) {
                    tracing::warn!(%error, queue = %self.queue, "cannot consume; trying again (does `bellhop topology` need to run?)");
                }
                tokio::time::sleep(self.backoff.next()).await;
            }
            Err(_) => session.ended.cancel(),
        }
    }
}

/// Waits until the queue has taken every acknowledgement.
///
/// A channel that has many acknowledgements under way keeps further ones back until the queue has applied some, and
/// forgets them when it is closed: their messages would be offered again, and sent again. A `basic.get` is applied by
/// the queue after everything sent before it. When the first one is answered, what was under way has been applied and
/// what was kept back is sent; when the second is answered, that has been applied, too.
pub(crate) async fn flush(channel: &Channel, queue: &str) {
    for _ in 0..2 {
        let getting = channel.basic_get(queue.into(), BasicGetOptions::default());
        let got = tokio::time::timeout(CLOSE_TIMEOUT, getting).await;
        let Ok(Ok(got)) = got else { return };
        if let Some(message) = got {
            let requeue = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            // Closing the channel gives it back as well.
            let _ = message.delivery.acker.nack(requeue).await;
        }
    }
}

async fn consume(
    session: &Session,
    queue: &str,
    prefetch: u16,
) -> Result<(Channel, lapin::Consumer), lapin::Error> {
    let channel = session.connection.create_channel().await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let deliveries = channel
        .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    Ok((channel, deliveries))
}
