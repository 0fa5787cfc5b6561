//! One measurement: a drain of a filled queue, or a steady rate with a publisher at work.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Mode;
use bellhop_tests::measuring::publisher::{self, Published};
use bellhop_tests::measuring::role::{Pid, Role, machine_cpu};
use serde::Serialize;
use tokio::process::Command;
use tokio::time::{Instant, interval};

use crate::conditions::{Conditions, DEEP_PREFETCH, WORKER_PREFETCH};
use crate::floor;
use crate::sink::{Arrivals, Expected};
use crate::stage::{Crowd, EVENTS_QUEUE, LOG_QUEUE, Stage};

/// Events per organisation that a consumer has had before a steady rate is measured: connections are open by then.
const WARM_UP_ROUNDS: usize = 20;

/// Below this share of a core the broker counts as quiet.
const QUIET_CORES: f64 = 0.15;

/// How long the broker's CPU is looked at to tell whether it is quiet, and how often at most.
const QUIET_LOOK: Duration = Duration::from_millis(200);
const QUIET_LOOKS_MAX: u32 = 15;

/// Longest time for a publisher beyond what it is to publish.
const PUBLISHER_TIMEOUT: Duration = Duration::from_secs(120);

/// Who consumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consumer {
    /// `bellhop worker` with its defaults.
    Bellhop,
    /// The floor, with the worker's prefetch.
    Floor,
    /// The floor that publishes confirmed batches of records before it acknowledges.
    FloorWithLog,
    /// The floor with more in hand.
    DeepFloor,
}

/// What came of one measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measurement {
    /// Who consumed.
    pub(crate) consumer: Consumer,
    /// Webhooks per event.
    pub(crate) fan_out: usize,
    /// Deliveries per second, from the first arrival to the last.
    pub(crate) per_s: f64,
    /// Publish to arrival: the median, the 99th percentile, the longest. Of a drain it says how long the queue was.
    pub(crate) latency_ms: [f64; 3],
    /// CPU of the consumer per delivery.
    pub(crate) consumer_us: f64,
    /// CPU of the broker per delivery.
    pub(crate) broker_us: f64,
    /// The consumer's greatest resident memory, from its start.
    pub(crate) rss_bytes: u64,
    /// Requests that came more than once.
    pub(crate) repeats: usize,
    /// Mean size of a request's body.
    pub(crate) body_bytes: usize,
    /// Connections that it opened to endpoints while it was measured; of a drain those of its start, too.
    pub(crate) connections: u64,
    /// Events that the broker would offer again, although they were delivered: acknowledged too late for the stop.
    pub(crate) offered_again: u32,
    /// Messages that the consumer left in the log.
    pub(crate) log_messages: u32,
    /// Cores that others used meanwhile: neither consumer, broker nor sink.
    pub(crate) others_cores: f64,
    /// How late the publisher was at worst; of a drain 0.
    pub(crate) publisher_late_ms: f64,
}

/// What the processes had used at one moment.
struct Usage {
    at: Instant,
    consumer: Duration,
    broker: Duration,
    sink: Duration,
    machine: Duration,
}

impl Consumer {
    /// What it is called in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bellhop => "bellhop worker",
            Self::Floor => "floor",
            Self::FloorWithLog => "floor with log",
            Self::DeepFloor => "floor, prefetch 500",
        }
    }

    fn start(self, stage: &Stage, crowd: &Crowd) -> Result<Role> {
        let (prefetch, keeps_log) = match self {
            Self::Bellhop => return start_worker(&stage.worker(), stage),
            Self::Floor => (WORKER_PREFETCH, false),
            Self::FloorWithLog => (WORKER_PREFETCH, true),
            Self::DeepFloor => (DEEP_PREFETCH, false),
        };
        let plan = floor::Plan {
            amqp_url: stage.amqp_url(),
            queue: EVENTS_QUEUE.to_owned(),
            prefetch,
            keeps_log,
            targets: crowd.targets.clone(),
        };
        Role::start_own("floor", &plan, &stage.logs.join("floor.log"))
    }
}

fn start_worker(worker: &Command, stage: &Stage) -> Result<Role> {
    Role::start("bellhop worker", worker, &stage.logs.join("worker.log"))
}

/// Fills the queue, then has it drained.
pub(crate) async fn drain(
    stage: &Stage,
    conditions: &Conditions,
    run: u32,
    (consumer, fan_out): (Consumer, usize),
) -> Result<Measurement> {
    let crowd = &stage.crowds[&fan_out];
    let events = conditions.deliveries / fan_out;
    expect(stage, crowd, run, events).await?;
    publish(stage, crowd, run, (events, None)).await?;
    quiet(stage.broker).await?;
    let mut role = consumer.start(stage, crowd)?;
    stage.await_arrivals(1, &mut role).await?;
    let before = Usage::now(stage, &role)?;
    let arrivals = stage.await_arrivals(events * fan_out, &mut role).await?;
    let after = Usage::now(stage, &role)?;
    finish(stage, (consumer, role), (before, after), arrivals, crowd).await
}

/// Publishes at a steady rate while the consumer runs, after a warm-up.
pub(crate) async fn live(
    stage: &Stage,
    conditions: &Conditions,
    run: u32,
    consumer: Consumer,
) -> Result<Measurement> {
    let crowd = &stage.crowds[&1];
    let warm_up = crowd.organisations.len() * WARM_UP_ROUNDS;
    expect(stage, crowd, run, warm_up).await?;
    let mut role = consumer.start(stage, crowd)?;
    publish(stage, crowd, run, (warm_up, None)).await?;
    stage.await_arrivals(warm_up, &mut role).await?;
    quiet(stage.broker).await?;
    let events = conditions.rate * conditions.seconds;
    expect(stage, crowd, run + 1, events).await?;
    let before = Usage::now(stage, &role)?;
    let published = publish(stage, crowd, run + 1, (events, Some(conditions.rate))).await?;
    let arrivals = stage.await_arrivals(events, &mut role).await?;
    let after = Usage::now(stage, &role)?;
    let measured = finish(stage, (consumer, role), (before, after), arrivals, crowd).await?;
    Ok(Measurement { publisher_late_ms: published.late_ms_max, ..measured })
}

async fn expect(stage: &Stage, crowd: &Crowd, run: u32, events: usize) -> Result<()> {
    let organisations = crowd.organisations.len();
    stage.expect(Expected { run, events, fan_out: crowd.fan_out, organisations }).await
}

async fn publish(
    stage: &Stage,
    crowd: &Crowd,
    run: u32,
    (events, per_second): (usize, Option<usize>),
) -> Result<Published> {
    let organisations = crowd.organisations.clone();
    let amqp_url = stage.amqp_url();
    let plan = publisher::Plan { amqp_url, mode: Mode::Test, run, events, organisations, per_second };
    let mut publisher = Role::start_own("publisher", &plan, &stage.logs.join("publisher.log"))?;
    publisher.told(PUBLISHER_TIMEOUT).await
}

/// Waits until the broker has done what is left over from before, or 3 s.
async fn quiet(broker: Pid) -> Result<()> {
    let mut looks = interval(QUIET_LOOK);
    looks.tick().await;
    for _ in 0..QUIET_LOOKS_MAX {
        let before = broker.cpu()?;
        looks.tick().await;
        let cores = (broker.cpu()? - before).as_secs_f64() / QUIET_LOOK.as_secs_f64();
        if cores < QUIET_CORES {
            break;
        }
    }
    Ok(())
}

/// Stops the consumer, insists that it left nothing, and works the figures out.
async fn finish(
    stage: &Stage,
    (consumer, role): (Consumer, Role),
    (before, after): (Usage, Usage),
    arrivals: Arrivals,
    crowd: &Crowd,
) -> Result<Measurement> {
    let rss_bytes = role.pid()?.rss_peak()?;
    role.stop().await.with_context(|| consumer.name())?;
    let left = stage.purge(EVENTS_QUEUE).await?;
    // Acknowledgements that were on their way when the connection closed are lost, those of one prefetch at most.
    ensure!(left <= u32::from(DEEP_PREFETCH), "{} left {left} events behind", consumer.name());
    ensure!(arrivals.strays == 0, "{} sent what nobody asked for: {arrivals:?}", consumer.name());
    let seconds = (after.at - before.at).as_secs_f64();
    let deliveries = as_f64(arrivals.distinct);
    let ours = |usage: &Usage| usage.consumer + usage.broker + usage.sink;
    let others = (after.machine - before.machine).saturating_sub(ours(&after) - ours(&before));
    Ok(Measurement {
        consumer,
        fan_out: crowd.fan_out,
        per_s: deliveries / Duration::from_nanos(arrivals.span_ns).as_secs_f64(),
        latency_ms: arrivals.latency_us.map(|us| f64::from(us) / 1_000.0),
        consumer_us: (after.consumer - before.consumer).as_secs_f64() * 1e6 / deliveries,
        broker_us: (after.broker - before.broker).as_secs_f64() * 1e6 / deliveries,
        rss_bytes,
        repeats: arrivals.repeats,
        body_bytes: arrivals.body_bytes,
        connections: arrivals.connections,
        offered_again: left,
        log_messages: stage.purge(LOG_QUEUE).await?,
        others_cores: others.as_secs_f64() / seconds,
        publisher_late_ms: 0.0,
    })
}

impl Usage {
    fn now(stage: &Stage, role: &Role) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            consumer: role.pid()?.cpu()?,
            broker: stage.broker.cpu()?,
            sink: stage.sink.pid()?.cpu()?,
            machine: machine_cpu()?,
        })
    }
}

/// Counts here are far below 2^53, up to which this is exact.
fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
