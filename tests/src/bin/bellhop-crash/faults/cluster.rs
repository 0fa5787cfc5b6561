//! A cluster of three that loses a node.

use anyhow::{Context as _, Result};

use super::FORGOTTEN_MAX;
use crate::scene::Scene;

/// The queue whose leader is killed: every event passes it.
const EVENTS_QUEUE: &str = "bellhop.test.events.0";

/// The node that leads the queue of events is killed; the others go on, and it comes back.
pub(crate) async fn leader_killed(scene: &mut Scene) -> Result<usize> {
    let cluster = scene.cluster.as_ref().context("the row has a cluster")?;
    let leader = cluster.leader_of(scene.place.virtual_host(), EVENTS_QUEUE).await?;
    cluster.kill(leader).await?;
    scene.hold().await;
    cluster.revive(leader).await?;
    Ok(FORGOTTEN_MAX)
}
