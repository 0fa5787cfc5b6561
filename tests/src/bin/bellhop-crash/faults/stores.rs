//! Redis and PostgreSQL emptied, killed or paused. Nothing they hold decides whether the broker offers something again,
//! so that nothing may be repeated.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_tests::stack::Service;

use crate::scene::Scene;

/// The longest that a worker waits for an answer of either server.
const PATIENCE_MAX: Duration = Duration::from_secs(3);

/// Redis forgets everything.
pub(crate) async fn redis_flushed(scene: &mut Scene) -> Result<usize> {
    let client = redis::Client::open(scene.place.redis_url())?;
    let mut redis = client.get_multiplexed_async_connection().await.context("connect to Redis")?;
    redis::cmd("FLUSHALL").exec_async(&mut redis).await.context("flush Redis")?;
    Ok(0)
}

/// A server is killed, and comes back.
pub(crate) async fn killed(scene: &mut Scene, service: Service) -> Result<usize> {
    scene.stack.kill(service).await?;
    scene.hold().await;
    scene.stack.revive(service).await?;
    Ok(0)
}

/// A server is there but silent, beyond the patience of whoever waits for it.
pub(crate) async fn paused(scene: &mut Scene, service: Service) -> Result<usize> {
    scene.stack.pause(service).await?;
    scene.hold().await;
    scene.hold_for(PATIENCE_MAX).await;
    scene.stack.resume(service).await?;
    Ok(0)
}
