//! Workers that are killed or told to stop.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::worker::Worker;
use futures_util::future::try_join_all;
use rand::Rng as _;

use crate::scene::{Scene, WORKERS};

/// How often in a row.
const KILLS: usize = 10;

/// Longest time a worker is left alone between two kills.
const KILL_AFTER_MAX: Duration = Duration::from_millis(300);

/// One of the workers is killed, and replaced.
pub(crate) async fn killed(scene: &mut Scene) -> Result<usize> {
    kill_any(scene).await?;
    scene.start_workers(1).await?;
    Ok(1)
}

/// Workers are killed and replaced at random, again and again.
pub(crate) async fn killed_in_a_row(scene: &mut Scene) -> Result<usize> {
    for _ in 0..KILLS {
        scene.hold_up_to(KILL_AFTER_MAX).await;
        kill_any(scene).await?;
        scene.start_workers(1).await?;
    }
    Ok(KILLS)
}

/// Every worker is killed at once, and replaced after a while.
pub(crate) async fn all_killed(scene: &mut Scene) -> Result<usize> {
    let killing = std::mem::take(&mut scene.workers).into_iter().map(Worker::kill);
    try_join_all(killing).await?;
    scene.hold().await;
    scene.start_workers(WORKERS).await?;
    Ok(WORKERS)
}

/// All workers are replaced as a deployment rolls: for each, another is started and ready before it is told to stop.
pub(crate) async fn rolled(scene: &mut Scene) -> Result<usize> {
    for _ in 0..WORKERS {
        scene.start_workers(1).await?;
        let status = scene.workers.remove(0).drain().await?;
        ensure!(status.success(), "a worker that was told to stop ended with {status}");
    }
    Ok(0)
}

async fn kill_any(scene: &mut Scene) -> Result<()> {
    ensure!(!scene.workers.is_empty(), "there is no worker to kill");
    let victim = rand::rng().random_range(0..scene.workers.len());
    scene.workers.swap_remove(victim).kill().await.context("kill a worker")
}
