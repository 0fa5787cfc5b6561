//! The floor's log: records of attempts, published in confirmed batches before what they tell of is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::EventId;
use lapin::options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Acker, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::event::now_ns;

/// Most records in one message.
const BATCH_RECORDS_MAX: usize = 64;

/// Longest wait of a record for others to go with it.
const BATCH_WAIT_MAX: Duration = Duration::from_millis(5);

/// Most messages without a confirm.
const UNCONFIRMED_MAX: usize = 32;

/// Most events that wait to be batched; prefetch bounds them in any case.
const KEPT_MAX: usize = 2_000;

/// What is kept of one attempt.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    event: String,
    status: u16,
    duration_us: u128,
    ended_ns: u64,
}

/// Keeps records. What it holds is acknowledged when the broker has the records.
pub(super) struct Log {
    kept: mpsc::Sender<Kept>,
    publishing: TaskTracker,
    connection: Connection,
    /// Kept until the connection closes: dropping the last handle closes a channel, which a closing connection resents.
    _channel: Channel,
}

/// The attempts of one event, and its acknowledgement.
struct Kept {
    records: Vec<Record>,
    acker: Acker,
}

/// Several events' records on their way.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    records: usize,
    ackers: Vec<Acker>,
}

impl Record {
    pub(super) fn new(event: &EventId, status: u16, duration: Duration) -> Self {
        let event = event.as_str().to_owned();
        Self { event, status, duration_us: duration.as_micros(), ended_ns: now_ns() }
    }
}

impl Log {
    /// Connects, and publishes for as long as somebody keeps.
    pub(super) async fn start(amqp_url: &str) -> Result<Self> {
        let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (kept, queue) = mpsc::channel(KEPT_MAX);
        let publishing = TaskTracker::new();
        publishing.spawn(publish_batches(queue, channel.clone(), publishing.clone()));
        Ok(Self { kept, publishing, connection, _channel: channel })
    }

    /// Keeps what came of one event; it is acknowledged later.
    pub(super) async fn keep(&self, records: Vec<Record>, acker: Acker) {
        // The task that takes them ends only when every keeper is gone.
        let _ = self.kept.send(Kept { records, acker }).await;
    }

    /// Publishes what is still kept, and closes.
    pub(super) async fn finish(self) -> Result<()> {
        drop(self.kept);
        self.publishing.close();
        self.publishing.wait().await;
        self.connection.close(200, "done".into()).await.context("close")
    }
}

async fn publish_batches(mut queue: mpsc::Receiver<Kept>, channel: Channel, publishing: TaskTracker) {
    let unconfirmed = Arc::new(Semaphore::new(UNCONFIRMED_MAX));
    while let Some(first) = queue.recv().await {
        let deadline = Instant::now() + BATCH_WAIT_MAX;
        let mut batch = Batch::default();
        batch.add(first);
        while batch.records < BATCH_RECORDS_MAX {
            match timeout_at(deadline, queue.recv()).await {
                Ok(Some(kept)) => batch.add(kept),
                Ok(None) | Err(_) => break,
            }
        }
        let Ok(permit) = Arc::clone(&unconfirmed).acquire_owned().await else { break };
        let channel = channel.clone();
        publishing.spawn(async move {
            if let Err(error) = batch.publish(&channel).await {
                eprintln!("{error:#}");
            }
            drop(permit);
        });
    }
}

impl Batch {
    fn add(&mut self, kept: Kept) {
        for record in &kept.records {
            // Writing plain fields into memory cannot fail.
            let _ = serde_json::to_writer(&mut self.lines, record);
            self.lines.push(b'\n');
        }
        self.records += kept.records.len();
        self.ackers.push(kept.acker);
    }

    /// Publishes, waits for the confirm, and acknowledges.
    async fn publish(self, channel: &Channel) -> Result<()> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2).with_type("attempts".into());
        let (exchange, key) = ("bellhop.log".into(), "bellhop.log".into());
        let confirm = channel.basic_publish(exchange, key, options, &self.lines, properties).await?;
        ensure!(confirm.await? == Confirmation::Ack(None), "the broker did not take a batch of records");
        for acker in &self.ackers {
            acker.ack(BasicAckOptions::default()).await?;
        }
        Ok(())
    }
}
