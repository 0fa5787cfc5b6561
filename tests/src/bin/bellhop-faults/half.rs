//! One half of a comparison: a place of its own, webhooks, workers, streams of events, and what came of them.

mod publishing;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_tests::measuring::registry::Registry;
use bellhop_tests::place::Place;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio::sync::watch;

use crate::audit::{Parked, audit};
use crate::balance::{Balance, Ledger};
use crate::cast::Cast;
use crate::figures::{Drain, Healthy, as_f64, pace};
use crate::fleet::Counts;
use crate::meter::{Costs, Sample, Usage, sample};
use crate::plan::{FleetName, Part, Plan, Stream};
use crate::recovering::Recovering;
use crate::shards::tell_apart;
use crate::sink::{Expected, RunTally, TallyTold};
use crate::stage::Stage;
use crate::webhook::Webhook;

/// Webhooks registered at once.
const REGISTERING_MAX: usize = 8;

/// Messages that one worker may have in hand: the prefetch of its lanes, fresh, slow and due. Of several shards each may
/// have been handed more than half of the fresh lane.
const IN_HAND_MAX: usize = 2 * (200 * 5 + 200 + 100);

/// What came of a half.
#[derive(Debug, Serialize)]
pub(crate) struct Half {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// How the healthy fared, where there are any.
    pub(crate) healthy: Option<Healthy>,
    /// How those fared who share a shard with a burst, where there are several shards.
    pub(crate) beside: Option<Healthy>,
    /// How the burst fared, where there is one.
    pub(crate) drain: Option<Drain>,
    /// Deliveries a second of a recovery, from its first to its last, where there is one.
    pub(crate) recovered_per_s: Option<f64>,
    /// What became of every event.
    pub(crate) balance: Balance,
    /// What the workers counted.
    pub(crate) counts: Counts,
    /// Messages taken by workers for each event.
    pub(crate) hops_per_delivery: f64,
    /// What it cost.
    pub(crate) costs: Costs,
    /// How late a publisher was at worst.
    pub(crate) publisher_late_ms: f64,
    /// The workers over time, each second.
    pub(crate) samples: Vec<Sample>,
}

/// A half under way.
struct Scene<'a> {
    stage: &'a mut Stage,
    place: &'a Place,
    /// The place of the fleet apart, where the plan has one.
    apart: Option<&'a Place>,
    plan: Plan,
    expected: Expected,
}

/// Performs a half and clears it away.
///
/// * `logs`: what its logs' folder is called.
pub(crate) async fn perform(stage: &mut Stage, plan: Plan, logs: &str) -> Result<Half> {
    let place = stage.place(plan.settings).await?;
    let apart = if plan.streams.iter().any(|stream| stream.fleet == FleetName::Apart) {
        Some(stage.place(plan.settings).await?)
    } else {
        None
    };
    let plan = tell_apart(plan, &place).await.context("tell apart who shares a shard with a burst")?;
    let expected = plan.expected();
    stage.expect(&expected).await?;
    let mut scene = Scene { stage, place: &place, apart: apart.as_ref(), plan, expected };
    let half = scene.perform(logs).await?;
    for place in [&place].into_iter().chain(&apart) {
        place.clear(&[]).await.context("clear a place away")?;
    }
    Ok(half)
}

impl Scene<'_> {
    async fn perform(&mut self, logs: &str) -> Result<Half> {
        self.register().await.context("register webhooks")?;
        let logs = self.stage.logs.join(logs);
        let measured = (self.place, self.plan.lanes);
        let mut cast = Cast::start(&self.stage.binary, measured, self.apart, &logs).await?;
        self.warm_up(&mut cast.fleet).await.context("the warm-up")?;
        if self.plan.is_recorded {
            cast.recorders = self.prepare_recovery(&logs).await.context("prepare the recovery")?;
        }
        let before = Usage::now(self.stage, &cast)?;
        let (samples, watched) = watch::channel(Vec::new());
        let published = tokio::select! {
            published = self.publish_all(&cast.recorders, watched) => published?,
            broken = sample(&mut cast.fleet, &samples) => return Err(broken),
        };
        let after = Usage::now(self.stage, &cast)?;
        let (counts, rss_peak) = (cast.fleet.counts().await?, cast.fleet.rss_peak()?);
        cast.stop().await?;
        let tally = self.stage.tally().await?;
        let balance = self.balance(&tally).await.context("the audit")?;
        let publisher_cpu = Duration::from_secs_f64(published.iter().map(|published| published.cpu_s).sum());
        let late = published.iter().map(|published| published.late_ms_max);
        Ok(Half {
            name: self.plan.name,
            healthy: self.of(Part::Healthy, &tally.runs).map(|(stream, run)| stream.healthy(run)),
            beside: self.of(Part::Beside, &tally.runs).map(|(stream, run)| stream.healthy(run)),
            drain: self.of(Part::Burst, &tally.runs).map(|(stream, run)| stream.drain(run)),
            recovered_per_s: self.of(Part::Recovered, &tally.runs).and_then(|(_, run)| pace(&run.times_ns)),
            hops_per_delivery: ratio(counts.messages, balance.published),
            balance,
            counts,
            costs: Costs::of(&before, &after, publisher_cpu, rss_peak),
            publisher_late_ms: late.fold(0.0, f64::max),
            samples: samples.borrow().clone(),
        })
    }

    /// What became of every event, from the queues that the workers left.
    async fn balance(&self, tally: &TallyTold) -> Result<Balance> {
        let mut ledger = Ledger::of(&self.expected);
        let mut all_parked = 0;
        for place in [self.place].into_iter().chain(self.apart) {
            let Parked(parked) = audit(&place.amqp_url(), self.plan.shards(), &mut ledger, tally).await?;
            all_parked += parked;
        }
        let workers = self.plan.lanes.len() + usize::from(self.apart.is_some());
        let mut balance = ledger.balance(tally, IN_HAND_MAX * workers);
        if 0 < all_parked {
            balance.breaches.push(format!("{all_parked} messages were parked"));
        }
        Ok(balance)
    }

    /// The stream of a kind, and what came of it.
    fn of<'t>(&self, part: Part, runs: &'t [RunTally]) -> Option<(&Stream, &'t RunTally)> {
        self.plan.streams.iter().zip(&runs[1..]).find(|(stream, _)| stream.part == part)
    }

    async fn register(&self) -> Result<()> {
        let registry = Registry::open(self.place)?;
        let apart = self.apart.map(Registry::open).transpose()?;
        let webhooks = self.plan.webhooks.iter().enumerate();
        let adding = webhooks.map(|(number, webhook)| {
            let url = webhook.url(number, &self.stage.listening);
            let registry = match self.plan.fleet_of(number) {
                FleetName::Measured => &registry,
                FleetName::Apart => apart.as_ref().unwrap_or(&registry),
            };
            async move { registry.add(webhook.mode, &Webhook::organisation(number), &url).await }
        });
        stream::iter(adding).buffer_unordered(REGISTERING_MAX).try_for_each(async |_| Ok(())).await
    }

    /// A recorder for each place, and on record what one of them is to recover, where the plan has that.
    async fn prepare_recovery(&self, logs: &Path) -> Result<Vec<Recovering>> {
        let mut recorders = Vec::new();
        let fleets = [(FleetName::Measured, Some(self.place)), (FleetName::Apart, self.apart)];
        for (fleet, place) in fleets {
            let Some(place) = place else { continue };
            let is_recovered = |stream: &Stream| stream.part == Part::Recovered && stream.fleet == fleet;
            let recovered = match self.plan.streams.iter().position(is_recovered) {
                // The warm-up comes first.
                Some(index) => Some((u32::try_from(index + 1)?, &self.expected.runs[index + 1])),
                None => None,
            };
            let log = logs.join(format!("recorder-{}.log", recorders.len()));
            recorders.push(Recovering::prepare((&self.stage.binary, &log), place, recovered).await?);
        }
        Ok(recorders)
    }
}

fn ratio(part: u64, whole: usize) -> f64 {
    as_f64(part) / as_f64(whole.max(1) as u64)
}
