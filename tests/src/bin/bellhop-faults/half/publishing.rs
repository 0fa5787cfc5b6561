//! What is published in one half, and the waits until it is over.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_model::Mode;
use bellhop_tests::measuring::publisher::{self, Published};
use bellhop_tests::measuring::role::Role;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Scene;
use crate::fleet::Fleet;
use crate::meter::Sample;
use crate::plan::{FleetName, Part, Until};
use crate::recovering::Recovering;
use crate::sink::Run;
use crate::webhook::Webhook;

/// Longest wait for the warm-up.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest time for a publisher beyond its pace; at none, how long a million events may take.
const PUBLISHER_TIMEOUT: Duration = Duration::from_secs(300);

impl Scene<'_> {
    /// Publishes the first events, and waits until they are taken.
    pub(super) async fn warm_up(&self, fleet: &mut Fleet) -> Result<()> {
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
    pub(super) async fn publish_all(
        &self,
        recorders: &[Recovering],
        samples: watch::Receiver<Vec<Sample>>,
    ) -> Result<Vec<Published>> {
        let streams = self.plan.streams.iter().enumerate().map(async |(index, stream)| {
            // waits: for its place among the others.
            sleep(stream.after).await;
            let mode = self.plan.webhooks[stream.webhooks[0]].mode;
            let published = if stream.part == Part::Recovered {
                let owing = recorders.iter().find(|recorder| recorder.is_owing());
                let pace = u32::try_from(stream.per_second.context("a recovery has a pace")?)?;
                owing.context("nobody is there to recover")?.begin(pace).await?;
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

    async fn publish(
        &self,
        run: usize,
        (mode, events): (Mode, usize),
        per_second: Option<usize>,
    ) -> Result<Published> {
        let turns = &self.expected.runs[run].turns;
        let place = match turns.first().map(|webhook| self.plan.fleet_of(*webhook)) {
            Some(FleetName::Apart) => self.apart.context("a stream apart has no place")?,
            Some(FleetName::Measured) | None => self.place,
        };
        let plan = publisher::Plan {
            amqp_url: place.amqp_url(),
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
