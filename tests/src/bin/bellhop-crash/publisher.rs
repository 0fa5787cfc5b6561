//! The platform: publishes at a steady rate whatever becomes of the broker, and again what was not confirmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bellhop_producer::{BrokerAddress, Mode, NewEvent, Producer, ProducerOptions};
use bellhop_tests::appointment::{APPOINTMENT, SCHEDULED};
use bellhop_tests::patience::within;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How long one try may take: short, so that outages make the publisher publish an event again.
const OPTIONS: ProducerOptions = ProducerOptions { publish_timeout: Duration::from_secs(5) };

/// A publisher at work. Dropping it stops it.
pub(crate) struct Publisher {
    task: JoinHandle<Result<Vec<Offered>>>,
    stopping: CancellationToken,
    unconfirmed: Arc<AtomicUsize>,
}

/// An event that the broker confirmed.
#[derive(Debug)]
pub(crate) struct Offered {
    /// Its id.
    pub(crate) id: String,
    /// When it was published for the first time.
    pub(crate) at: Instant,
}

impl Publisher {
    /// Starts to publish.
    pub(crate) async fn start(amqp_url: &str, rate: usize) -> Result<Self> {
        let producer = Producer::connect(BrokerAddress::parse(amqp_url, None)?, OPTIONS).await?;
        let (stopping, unconfirmed) = (CancellationToken::new(), Arc::default());
        let publishing = publish(producer, rate, stopping.clone(), Arc::clone(&unconfirmed));
        Ok(Self { task: tokio::spawn(publishing), stopping, unconfirmed })
    }

    /// How many events are published and not confirmed now.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.unconfirmed.load(Ordering::Relaxed)
    }

    /// Stops, and waits until every event is confirmed.
    pub(crate) async fn finish(&mut self) -> Result<Vec<Offered>> {
        self.stopping.cancel();
        within("every event to be confirmed", &mut self.task).await?.context("the publisher panicked")?
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn publish(
    producer: Producer,
    rate: usize,
    stopping: CancellationToken,
    unconfirmed: Arc<AtomicUsize>,
) -> Result<Vec<Offered>> {
    let producer = Arc::new(producer);
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(rate)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut publishing = JoinSet::new();
    while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        let event = NewEvent::new(&SCHEDULED.parse()?, Mode::Test, APPOINTMENT)?;
        let (producer, unconfirmed) = (Arc::clone(&producer), Arc::clone(&unconfirmed));
        publishing.spawn(async move {
            let at = Instant::now();
            unconfirmed.fetch_add(1, Ordering::Relaxed);
            // The same event, hence the same id, until the broker has it.
            while producer.publish(&event).await.is_err() {
                tokio::task::yield_now().await;
            }
            unconfirmed.fetch_sub(1, Ordering::Relaxed);
            Offered { id: event.id().to_string(), at }
        });
    }
    let offered = publishing.join_all().await;
    if let Some(producer) = Arc::into_inner(producer) {
        producer.close().await;
    }
    Ok(offered)
}
