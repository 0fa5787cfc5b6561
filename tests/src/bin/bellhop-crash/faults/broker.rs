//! A broker that is killed, restarted, paused, short of something, or cut off.

use std::time::Duration;

use anyhow::{Result, ensure};
use bellhop_tests::stack::Service;
use futures_util::future::try_join_all;

use super::{FORGOTTEN_MAX, felt};
use crate::scene::{HEARTBEAT_SECONDS, Scene};

/// A silent peer is given up after two heartbeats; it is silent for twice as long.
const SILENCE: Duration = Duration::from_secs(4 * HEARTBEAT_SECONDS as u64);

/// It is killed, and comes back with what it had on disk.
pub(crate) async fn killed(scene: &mut Scene) -> Result<usize> {
    scene.stack.kill(Service::Rabbitmq).await?;
    felt(scene).await?;
    scene.stack.revive(Service::Rabbitmq).await?;
    Ok(FORGOTTEN_MAX)
}

/// It is stopped in an orderly way, as for an upgrade, and started again.
pub(crate) async fn restarted(scene: &mut Scene) -> Result<usize> {
    scene.stack.stop(Service::Rabbitmq).await?;
    felt(scene).await?;
    scene.stack.revive(Service::Rabbitmq).await?;
    Ok(FORGOTTEN_MAX)
}

/// It is there but silent, for so long that everybody gives it up.
pub(crate) async fn paused(scene: &mut Scene) -> Result<usize> {
    scene.stack.pause(Service::Rabbitmq).await?;
    scene.hold_for(SILENCE).await;
    ensure!(0 < scene.publisher.unconfirmed(), "a paused broker took everything");
    scene.stack.resume(Service::Rabbitmq).await?;
    Ok(FORGOTTEN_MAX)
}

/// It has no memory left, blocks publishers, and gets some.
pub(crate) async fn short_of_memory(scene: &mut Scene) -> Result<usize> {
    scene.stack.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await?;
    felt(scene).await?;
    scene.stack.ctl(&["set_vm_memory_high_watermark", "0.6"]).await?;
    Ok(0)
}

/// It has no disk left, blocks publishers, and gets some.
pub(crate) async fn short_of_disk(scene: &mut Scene) -> Result<usize> {
    scene.stack.ctl(&["set_disk_free_limit", "1000000GB"]).await?;
    felt(scene).await?;
    scene.stack.ctl(&["set_disk_free_limit", "50MB"]).await?;
    Ok(0)
}

/// The workers' connections are cut at random bytes, and those that follow as well.
pub(crate) async fn cut_off(scene: &mut Scene) -> Result<usize> {
    let seed = rand::random();
    scene.relay.cut(seed, usize::MAX);
    scene.relay.cut_now();
    scene.hold().await;
    scene.relay.cut(seed, 0);
    let cuts = scene.relay.cut_off();
    ensure!(0 < cuts, "no connection was cut");
    Ok(cuts * FORGOTTEN_MAX)
}

/// It closes every connection.
pub(crate) async fn closed(scene: &mut Scene) -> Result<usize> {
    let host = scene.place.virtual_host();
    scene.stack.ctl(&["close_all_connections", "--vhost", host, "a fault on purpose"]).await?;
    Ok(FORGOTTEN_MAX)
}

/// All three servers are killed, and come back.
pub(crate) async fn all_servers_killed(scene: &mut Scene) -> Result<usize> {
    try_join_all(Service::ALL.map(|service| scene.stack.kill(service))).await?;
    felt(scene).await?;
    try_join_all(Service::ALL.map(|service| scene.stack.revive(service))).await?;
    Ok(FORGOTTEN_MAX + 1)
}
