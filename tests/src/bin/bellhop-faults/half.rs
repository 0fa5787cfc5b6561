//! One half of a comparison: a place of its own, webhooks, workers, streams of events, and what came of them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_model::Mode;
use bellhop_tests::measuring::publisher::{self, Published};
use bellhop_tests::measuring::registry::Registry;
use bellhop_tests::measuring::role::Role;
use bellhop_tests::place::Place;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::audit::{Parked, audit};
use crate::balance::{Balance, Ledger};
use crate::cast::Cast;
use crate::figures::{Drain, Healthy, as_f64};
use crate::fleet::{Counts, Fleet};
use crate::meter::{Costs, Sample, Usage, sample};
use crate::plan::{Part, Plan, Stream, Until};
use crate::recovering::Recovering;
use crate::shards::tell_apart;
use crate::sink::{Expected, Run, RunTally, TallyTold};
use crate::stage::Stage;
use crate::webhook::Webhook;

/// Webhooks registered at once.
const REGISTERING_MAX: usize = 8;

/// Longest wait for the warm-up.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest time for a publisher beyond its pace; at none, how long a million events may take.
const PUBLISHER_TIMEOUT: Duration = Duration::from_secs(300);

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
    /// Where streams apart live.
    apart: Option<&'a Place>,
    plan: Plan,
    expected: Expected,
}

/// Performs a half and clears it away.
///
/// * `logs`: what its logs' folder is called.
pub(crate) async fn perform(stage: &mut Stage, plan: Plan, logs: &str) -> Result<Half> {
    let place = stage.place(plan.settings).await?;
    let apart = if plan.streams.iter().any(|stream| stream.part == Part::Apart) {
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
            cast.recovering = Some(self.prepare_recovery(&logs).await.context("prepare the recovery")?);
        }
        let before = Usage::now(self.stage, &cast)?;
        let (samples, watched) = watch::channel(Vec::new());
        let published = tokio::select! {
            published = self.publish_all(cast.recovering.as_ref(), watched) => published?,
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
            drain: self
                .of(Part::Burst, &tally.runs)
                .or_else(|| self.of(Part::Apart, &tally.runs))
                .map(|(stream, run)| stream.drain(run)),
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
        let mut balance = ledger.balance(tally, IN_HAND_MAX * self.plan.lanes.len());
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
            let registry = apart.as_ref().filter(|_| self.plan.is_apart(number)).unwrap_or(&registry);
            async move { registry.add(webhook.mode, &Webhook::organisation(number), &url).await }
        });
        stream::iter(adding).buffer_unordered(REGISTERING_MAX).try_for_each(async |_| Ok(())).await
    }

    async fn warm_up(&self, fleet: &mut Fleet) -> Result<()> {
        let Run { events, turns, .. } = &self.expected.runs[0];
        let Some(first) = turns.first() else { return Ok(()) };
        let mode = self.plan.webhooks[*first].mode;
        self.publish(0, (mode, *events), None).await?;
        let reached = async {
            while self.stage.taken(0, *events).await? < *events {
                fleet.ensure_running()?;
            }
            anyhow::Ok(())
        };
        timeout(WARM_UP_TIMEOUT, reached).await.context("it is not taken")?
    }

    /// Publishes every stream, and waits until the half is over.
    async fn publish_all(
        &self,
        recovering: Option<&Recovering>,
        samples: watch::Receiver<Vec<Sample>>,
    ) -> Result<Vec<Published>> {
        let streams = self.plan.streams.iter().enumerate().map(async |(index, stream)| {
            // waits: for its place among the others.
            sleep(stream.after).await;
            let mode = self.plan.webhooks[stream.webhooks[0]].mode;
            let published = if stream.part == Part::Recovered {
                recovering.context("nobody is there to recover")?.begin().await?;
                None
            } else {
                Some(self.publish(index + 1, (mode, stream.events), stream.per_second).await?)
            };
            if let (Until::Taken { at_most }, true) = (self.plan.until, stream.part != Part::Dead) {
                self.await_taken(index + 1, stream.events, at_most).await?;
            }
            anyhow::Ok(published)
        });
        let published = try_join_all(streams).await?;
        if let Until::Had { at_most, then } = self.plan.until {
            self.await_had(samples, at_most).await?;
            // waits: for what is left behind to show in memory.
            sleep(then).await;
        }
        Ok(published.into_iter().flatten().collect())
    }

    /// What a recovery needs: its deliveries on record, and a recorder.
    async fn prepare_recovery(&self, logs: &Path) -> Result<Recovering> {
        let mut streams = self.plan.streams.iter();
        let recovered = streams.position(|stream| stream.part == Part::Recovered);
        let recovered = match recovered {
            // The warm-up comes first.
            Some(index) => Some((u32::try_from(index + 1)?, &self.expected.runs[index + 1])),
            None => None,
        };
        Recovering::prepare((self.stage.binary.as_path(), logs), self.place, recovered).await
    }

    async fn publish(
        &self,
        run: usize,
        (mode, events): (Mode, usize),
        per_second: Option<usize>,
    ) -> Result<Published> {
        let turns = &self.expected.runs[run].turns;
        let place = self.apart.filter(|_| turns.iter().any(|webhook| self.plan.is_apart(*webhook)));
        let plan = publisher::Plan {
            amqp_url: place.unwrap_or(self.place).amqp_url(),
            mode,
            run: u32::try_from(run)?,
            events,
            organisations: turns.iter().map(|webhook| Webhook::organisation(*webhook)).collect(),
            per_second,
        };
        let log = self.stage.logs.join(format!("publisher-{run}.log"));
        let mut publisher = Role::start_own("publisher", &plan, &log)?;
        let paced = per_second.map_or(0, |per_second| events / per_second);
        publisher.told(PUBLISHER_TIMEOUT + Duration::from_secs(u64::try_from(paced)?)).await
    }

    /// Waits for a stream to be taken; what was not by then is told by the figures.
    async fn await_taken(&self, run: usize, events: usize, at_most: Duration) -> Result<()> {
        let deadline = Instant::now() + at_most;
        while self.stage.taken(run, events).await? < events && Instant::now() < deadline {}
        Ok(())
    }

    async fn await_had(&self, mut samples: watch::Receiver<Vec<Sample>>, at_most: Duration) -> Result<()> {
        let events: usize = self.expected.runs.iter().map(|run| run.events).sum();
        let events = u64::try_from(events)?;
        let all =
            samples.wait_for(|samples| samples.last().is_some_and(|sample| events <= sample.counts.fresh));
        // Whether it came in time is told by the figures.
        let _ = timeout(at_most, all).await;
        Ok(())
    }
}

fn ratio(part: u64, whole: usize) -> f64 {
    as_f64(part) / as_f64(whole.max(1) as u64)
}
