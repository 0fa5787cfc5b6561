//! The floor's log: records as a worker writes them, published in confirmed batches before what they tell of is
//! acknowledged.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::EventId;
use bellhop_tests::measuring::event::now_ns;
use bytes::Bytes;
use lapin::options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Acker, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

/// Most records in one message.
const BATCH_RECORDS_MAX: usize = 64;

/// Longest wait of a record for others to go with it.
const BATCH_WAIT_MAX: Duration = Duration::from_millis(5);

/// Most messages without a confirm.
const UNCONFIRMED_MAX: usize = 32;

/// Most events that wait to be batched; prefetch bounds them in any case.
const KEPT_MAX: usize = 2_000;

/// What is kept of one attempt: as many bytes as a worker's record has, though the floor knows no more than these.
#[derive(Debug)]
pub(super) struct Record {
    /// The signature that was sent.
    pub(super) signature: String,
    /// The answer's status, 0 when there was none.
    pub(super) status: u16,
    /// How long it took.
    pub(super) duration: Duration,
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
    id: EventId,
    body: Bytes,
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

/// Ids that the floor does not have, in their length.
const DELIVERY: &str = "dlv_00000000000000000000000000000000";
const WEBHOOK: &str = "wh_00000000000000000000000000000000";
const REQUEST: &str = "00000000-0000-0000-0000-000000000000";

impl Record {
    fn write(&self, id: &EventId, lines: &mut Vec<u8>) -> std::io::Result<()> {
        let Self { signature, status, duration } = self;
        let (now_us, whole_us) = (now_ns() / 1_000, duration.as_micros());
        write!(
            lines,
            r#"{{"attempt":{{"request":"{REQUEST}","of":{{"delivery":"{DELIVERY}","mode":"test","organisation":"org_bench_00","event":"{id}","event_type":"appointment.scheduled","webhook":"{WEBHOOK}"}},"series":1,"attempt":1,"started_at_us":{now_us},"timing":{{"head_us":{whole_us},"whole_us":{whole_us}}},"status":{status},"outcome":"2xx","verdict":"delivered","sent":{{"expansion":{{}},"timestamp":{now_us},"signature":"{signature}"}}}}}},"#
        )
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
    pub(super) async fn keep(&self, (id, body): (EventId, Bytes), records: Vec<Record>, acker: Acker) {
        // The task that takes them ends only when every keeper is gone.
        let _ = self.kept.send(Kept { id, body, records, acker }).await;
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
        // Writing into memory cannot fail.
        let _ = write!(self.lines, r#"{{"event":{{"taken_at_us":{},"body":"#, now_ns() / 1_000);
        self.lines.extend_from_slice(&kept.body);
        self.lines.extend_from_slice(b"}},");
        for record in &kept.records {
            let _ = record.write(&kept.id, &mut self.lines);
        }
        self.records += 1 + kept.records.len();
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
