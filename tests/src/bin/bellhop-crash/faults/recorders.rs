//! Faults under a recorder: what they cost deliveries, and what they cost the log.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::scene::{Scene, WEBHOOKS};

/// One of the workers is killed, and replaced, while its requests are being recorded.
///
/// What it has in hand is read from itself a moment before. What it may have taken since, at the rate at which events are
/// published, counts, too.
pub(crate) async fn worker_killed(scene: &mut Scene) -> Result<usize> {
    let victim = scene.workers.pop().context("there is no worker to kill")?;
    let read_at = Instant::now();
    let mut in_flight = 0;
    for (lane, deliveries) in [("fresh", WEBHOOKS), ("slow", 1), ("due", 1)] {
        let series = format!("bellhop_lane_in_flight{{lane=\"{lane}\",mode=\"test\"}}");
        in_flight += usize::try_from(victim.figure(&series).await?)? * deliveries;
    }
    victim.kill().await.context("kill a worker")?;
    scene.in_flight = in_flight + scene.published_within(read_at.elapsed()) * WEBHOOKS;
    scene.start_workers(1).await?;
    Ok(1)
}

/// The only recorder is killed; another comes after a while.
pub(crate) async fn killed(scene: &mut Scene) -> Result<usize> {
    scene.recorder.take().context("there is no recorder to kill")?.kill().await?;
    scene.hold().await;
    scene.start_recorder().await?;
    Ok(0)
}
