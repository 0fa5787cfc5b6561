//! The audit: what lies in queues and log when the workers have stopped.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_model::decode_batch;
use bellhop_tests::queues;
use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::{Instant, timeout};

use crate::balance::Ledger;
use crate::sink::TallyTold;
use crate::stage::RETRY_WAITS;

/// Messages in hand while a queue is emptied: events are small, batches of records are not.
const EVENTS_PREFETCH: u16 = 1_000;
const LOG_PREFETCH: u16 = 20;

/// A queue that gives nothing for so long is asked whether it is empty.
const SILENCE: Duration = Duration::from_millis(500);

/// A message on its way from one queue to another is in neither for a moment; what is not found within this is lost.
const MISSING_TIMEOUT: Duration = Duration::from_secs(20);

/// Messages that a consumer could have parked, whatever became of their events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parked(pub(crate) usize);

/// Empties every queue of a virtual host into a ledger.
///
/// * `shards`: over how many queues the events of each mode are spread.
/// * `tally`: what endpoints saw, to know what is still to be found.
pub(crate) async fn audit(
    amqp_url: &str,
    shards: u16,
    ledger: &mut Ledger,
    tally: &TallyTold,
) -> Result<Parked> {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let deadline = Instant::now() + MISSING_TIMEOUT;
    // What was acknowledged to a rung or from one is in the log or in a queue by now, or will be soon.
    loop {
        let emptying = empty(&connection, queues::LOG, LOG_PREFETCH, |body| {
            for record in &decode_batch(body).context("a batch in the log")? {
                ledger.note_record(record);
            }
            Ok(())
        });
        emptying.await?;
        for queue in queues::owed(RETRY_WAITS).into_iter().chain(other_shards(shards)) {
            let note = |body: &[u8]| {
                ledger.note_queued(body);
                Ok(())
            };
            empty(&connection, &queue, EVENTS_PREFETCH, note).await?;
        }
        if ledger.missing(tally) == 0 || deadline < Instant::now() {
            break;
        }
    }
    let mut parked = 0;
    let known = ["live", "test"].map(queues::parked);
    for queue in known.iter().map(String::as_str).chain([queues::UNROUTABLE, queues::LOG_PARKED]) {
        parked += empty(&connection, queue, EVENTS_PREFETCH, |_| Ok(())).await?;
    }
    connection.close(200, "done".into()).await.context("close")?;
    Ok(Parked(parked))
}

/// The queues of events besides the first of each mode.
fn other_shards(shards: u16) -> impl Iterator<Item = String> {
    (1..shards).flat_map(|shard| ["live", "test"].map(|mode| queues::events(mode, shard)))
}

/// Takes everything off a queue.
///
/// * returns how many messages there were.
async fn empty(
    connection: &Connection,
    queue: &str,
    prefetch: u16,
    mut note: impl FnMut(&[u8]) -> Result<()>,
) -> Result<usize> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let mut count = 0;
    while let Some(got) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await? {
        note(&got.delivery.data)?;
        count += 1 + consume(&channel, queue, prefetch, &mut note)
            .await
            .with_context(|| format!("empty {queue}"))?;
    }
    channel.close(200, "done".into()).await?;
    Ok(count)
}

/// Consumes until nothing comes any more.
async fn consume(
    channel: &Channel,
    queue: &str,
    prefetch: u16,
    note: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<usize> {
    let mut consumer = channel
        .basic_consume(queue.into(), "audit".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    let (mut count, mut unacknowledged): (usize, Option<Delivery>) = (0, None);
    let all = BasicAckOptions { multiple: true };
    while let Ok(Some(delivery)) = timeout(SILENCE, consumer.next()).await {
        let delivery = delivery?;
        note(&delivery.data)?;
        count += 1;
        if count.is_multiple_of(usize::from(prefetch) / 2) {
            delivery.ack(all).await?;
            unacknowledged = None;
        } else {
            unacknowledged = Some(delivery);
        }
    }
    if let Some(last) = unacknowledged {
        last.ack(all).await?;
    }
    channel.basic_cancel("audit".into(), BasicCancelOptions::default()).await?;
    Ok(count)
}
