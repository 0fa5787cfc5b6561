//! The publisher: fills the queue as fast as the broker confirms, or publishes at a steady rate.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Mode;
use futures_util::future::{join_all, try_join_all};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::event::{EVENT_TYPE, Stamp, Template, now_ns};
use super::role::Pid;

/// Channels that fill at once. One that waits for its confirms leaves the broker to the others.
const FILL_CHANNELS: usize = 4;

/// Messages published on one channel before their confirms are awaited.
const FILL_BATCH: usize = 128;

/// Most publishes without a confirm at a steady rate; beyond that the publisher falls behind and says so.
const UNCONFIRMED_MAX: usize = 20_000;

/// How often a steady publisher looks what is due.
const TICK: Duration = Duration::from_millis(1);

/// What a publisher is started with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The broker, with its virtual host.
    pub amqp_url: String,
    /// Which mode's events.
    pub mode: Mode,
    /// The number that the events carry.
    pub run: u32,
    /// How many events.
    pub events: usize,
    /// Whose: they take turns. Who is named several times has as many turns.
    pub organisations: Vec<String>,
    /// Events per second; none is as fast as the broker confirms.
    pub per_second: Option<usize>,
}

/// What it prints at the end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Published {
    /// From the first publish to the last confirm.
    pub seconds: f64,
    /// How much later than planned an event was published at worst; 0 when there was no plan.
    pub late_ms_max: f64,
    /// CPU time that publishing took.
    pub cpu_s: f64,
}

/// A channel and what goes through it.
struct Feed {
    channel: Channel,
    key: String,
    run: u32,
    templates: Arc<Vec<Template>>,
}

/// Publishes all events and returns when the broker has them; prints a [`Published`].
///
/// # Errors
/// When the broker refuses one.
pub async fn run(plan: Plan) -> Result<()> {
    let connection = Connection::connect(&plan.amqp_url, ConnectionProperties::default()).await?;
    let templates = plan.organisations.iter().map(|organisation| Template::of(plan.mode, organisation));
    let templates = Arc::new(templates.collect::<Result<Vec<_>>>()?);
    let mut feeds = Vec::new();
    for _ in 0..FILL_CHANNELS {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let key = format!("{}.{EVENT_TYPE}", plan.mode.as_str());
        feeds.push(Feed { channel, key, run: plan.run, templates: Arc::clone(&templates) });
    }
    let began = Instant::now();
    let late = match plan.per_second {
        None => fill(&feeds, plan.events).await.map(|()| Duration::ZERO),
        Some(per_second) => pace(&feeds[0], plan.events, per_second).await,
    };
    let published = Published {
        seconds: began.elapsed().as_secs_f64(),
        late_ms_max: late?.as_secs_f64() * 1_000.0,
        cpu_s: Pid(std::process::id()).cpu()?.as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&published)?);
    connection.close(200, "done".into()).await.context("close")
}

async fn fill(feeds: &[Feed], events: usize) -> Result<()> {
    let share = events.div_ceil(feeds.len());
    let shares = feeds.iter().enumerate().map(|(index, feed)| {
        let numbers = (index * share).min(events)..((index + 1) * share).min(events);
        feed.publish_all(numbers)
    });
    try_join_all(shares).await.map(drop)
}

/// Publishes whatever is due at each tick.
///
/// * returns by how much an event was late at worst.
async fn pace(feed: &Feed, events: usize, per_second: usize) -> Result<Duration> {
    let interval_of_events = Duration::from_secs(1) / u32::try_from(per_second)?;
    let unconfirmed = Arc::new(Semaphore::new(UNCONFIRMED_MAX));
    let mut confirms = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let began = Instant::now();
    let mut late_max = Duration::ZERO;
    for number in 0..events {
        let due = began + interval_of_events * u32::try_from(number)?;
        while Instant::now() < due {
            ticks.tick().await;
        }
        let permit = Arc::clone(&unconfirmed).acquire_owned().await?;
        late_max = late_max.max(due.elapsed());
        let confirm = feed.publish(number).await?;
        confirms.spawn(async move {
            let confirmed = ensure_taken(&confirm.await?);
            drop(permit);
            confirmed
        });
        while let Some(confirmed) = confirms.try_join_next() {
            confirmed??;
        }
    }
    while let Some(confirmed) = confirms.join_next().await {
        confirmed??;
    }
    Ok(late_max)
}

impl Feed {
    async fn publish(&self, number: usize) -> Result<PublisherConfirm> {
        let template = &self.templates[number % self.templates.len()];
        let id = Stamp { run: self.run, number, published_ns: now_ns() }.id();
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let key = self.key.as_str();
        let (body, properties) = (template.body(&id), template.properties(&id));
        let publishing =
            self.channel.basic_publish("bellhop.events".into(), key.into(), options, &body, properties);
        publishing.await.context("publish")
    }

    async fn publish_all(&self, numbers: Range<usize>) -> Result<()> {
        let numbers: Vec<usize> = numbers.collect();
        for batch in numbers.chunks(FILL_BATCH) {
            let confirms = join_all(batch.iter().map(|number| self.publish(*number))).await;
            let confirming = confirms.into_iter().map(async |confirm| ensure_taken(&confirm?.await?));
            try_join_all(confirming).await?;
        }
        Ok(())
    }
}

/// A message that was returned, because no queue is bound, is confirmed all the same.
fn ensure_taken(confirmation: &Confirmation) -> Result<()> {
    ensure!(*confirmation == Confirmation::Ack(None), "the broker did not take an event");
    Ok(())
}
