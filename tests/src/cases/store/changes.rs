//! A change holds within 5 s wherever the truth can be reached, and no old read outlives a new write.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{DisabledReason, Mode};
use bellhop_store::{CacheReach, ServerUrl, Store};
use futures_util::future::try_join_all;
use tokio::time::Instant;
use tokio_postgres::NoTls;

use super::bench::{Servers, count, dead_url, ensure_count, new_webhook, organisation, watch};
use crate::context::Context;
use crate::patience::eventually;
use crate::stack::Service;

/// What is promised.
pub(super) const HOLDS_WITHIN: Duration = Duration::from_secs(5);

/// Long enough that memory never reads again by itself.
const NEVER: Duration = Duration::from_secs(60 * 60);

/// A reader that never looks by itself hears of a change, because the writer tells it.
pub async fn a_change_is_published_to_every_memory(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let writer = servers.store().await?;
    let mut options = servers.options()?;
    options.memory.revalidate_after = NEVER;
    let reader = Store::open(&options)?;
    let _watch = watch(&reader).await?;
    ensure_count(&reader, 0).await?;

    let started = Instant::now();
    let added = writer.add_webhook(new_webhook("a")).await?;
    ensure!(added.cache == CacheReach::Reached);
    eventually("the webhook", async || Ok((count(&reader).await? == 1).then_some(()))).await?;
    writer.disable_webhook(&added.value.webhook.id, DisabledReason::Requested).await?;
    eventually("no webhook", async || Ok((count(&reader).await? == 0).then_some(()))).await?;
    ensure!(started.elapsed() < HOLDS_WITHIN, "{:?} {:?}", started.elapsed(), reader.stats());
    eventually("both changes", async || Ok((reader.stats().changes_heard == 2).then_some(()))).await
}

/// The worst partition: the writer cannot reach Redis, and the reader's Redis goes on offering the old copy.
pub async fn a_change_that_could_not_be_published_holds_within_5_s(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let near = servers.store().await?;
    let id = near.add_webhook(new_webhook("a")).await?.value.webhook.id;
    let mut options = servers.options()?;
    options.redis.url = ServerUrl::new(dead_url("redis")?);
    let writer = Store::open(&options)?;
    options = servers.options()?;
    options.memory.revalidate_after = NEVER;
    let reader = Store::open(&options)?;
    let _watch = watch(&reader).await?;
    ensure_count(&reader, 1).await?;

    let disabled = writer.disable_webhook(&id, DisabledReason::Gone).await?;
    let started = Instant::now();
    ensure!(disabled.cache == CacheReach::Missed, "the writer has no Redis");
    ensure!(writer.stats().writes_not_cached == 1);
    ensure_count(&Store::open(&servers.options()?)?, 1).await.context("Redis still has the old copy")?;
    eventually("the change", async || Ok((count(&reader).await? == 0).then_some(()))).await?;
    ensure!(started.elapsed() < HOLDS_WITHIN, "{:?} {:?}", started.elapsed(), reader.stats());
    let stats = reader.stats();
    ensure!(stats.changes_heard == 0 && 1 <= stats.changes_found, "{stats:?}");
    eventually("a healed Redis", async || Ok((reader.stats().redis_healed == 1).then_some(()))).await?;
    ensure_count(&Store::open(&servers.options()?)?, 0).await.context("Redis must have the new copy now")
}

/// Who watches need not read warm copies again: a look at what changed is enough.
pub async fn a_watched_memory_is_not_read_again(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let mut options = servers.options()?;
    options.memory.revalidate_after = Duration::from_secs(3);
    servers.store().await?;
    let store = Store::open(&options)?;
    let _watch = watch(&store).await?;
    let looks = store.stats().looks;
    eventually("three looks", async || {
        ensure_count(&store, 0).await?;
        Ok((looks + 3 <= store.stats().looks).then_some(()))
    })
    .await?;
    let stats = store.stats();
    ensure!(stats.redis_hits == 0 && stats.postgres_reads == 1, "{stats:?}");
    Ok(())
}

/// Without anybody watching, memory looks by itself.
pub async fn a_change_nobody_told_of_holds_within_5_s(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let writer = servers.store().await?;
    let reader = Store::open(&servers.options()?)?;
    ensure_count(&reader, 0).await?;
    writer.add_webhook(new_webhook("a")).await?;
    let started = Instant::now();
    ensure_count(&reader, 0).await.context("memory serves for a while")?;
    eventually("the webhook", async || Ok((count(&reader).await? == 1).then_some(()))).await?;
    ensure!(started.elapsed() < HOLDS_WITHIN, "{:?} {:?}", started.elapsed(), reader.stats());
    Ok(())
}

/// A flush costs one read per organisation and loses nothing.
pub async fn a_flushed_redis_is_filled_again(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Redis, Service::Postgres]).await?;
    let servers = Servers::of(&stack);
    servers.store().await?.add_webhook(new_webhook("a")).await?;
    let mut redis = servers.redis_connection().await?;
    redis::cmd("FLUSHALL").exec_async(&mut redis).await?;

    let first = Store::open(&servers.options()?)?;
    ensure_count(&first, 1).await?;
    let stats = first.stats();
    ensure!((stats.redis_misses, stats.postgres_reads) == (1, 1), "{stats:?}");
    let second = Store::open(&servers.options()?)?;
    ensure_count(&second, 1).await?;
    let stats = second.stats();
    ensure!((stats.redis_hits, stats.postgres_reads) == (1, 0), "{stats:?}");
    Ok(())
}

/// A hundred deliveries that meet one unknown organisation ask once, and so do those that meet one without webhooks.
pub async fn many_who_ask_at_once_read_postgres_once(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    servers.store().await?;
    let store = Store::open(&servers.options()?)?;
    let organisation = organisation();
    let ask = || store.subscriptions(Mode::Test, &organisation);
    let answers = try_join_all((0..100).map(|_| ask())).await?;
    ensure!(answers.iter().all(|subscriptions| subscriptions.all.is_empty()));
    ask().await?;
    let stats = store.stats();
    ensure!((stats.postgres_reads, stats.redis_misses) == (1, 1), "{stats:?}");
    ensure!(stats.memory_hits == 1, "having none is an answer that is kept: {stats:?}");
    Ok(())
}

/// An old read that ends late finds the newer copy in Redis and leaves it alone.
///
/// The late read is made by turning the truth back by hand, and by removing the sealed part of the copy, so that a store
/// has to read the old truth and then offers it to a Redis that knows a newer version.
pub async fn an_old_read_does_not_replace_a_newer_copy(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let writer = servers.store().await?;
    writer.add_webhook(new_webhook("a")).await?;
    let old = writer.subscriptions(Mode::Test, &organisation()).await?.version;
    writer.add_webhook(new_webhook("b")).await?;
    let new = writer.subscriptions(Mode::Test, &organisation()).await?.version;
    ensure!(old < new, "{old} {new}");

    let (client, connection) = tokio_postgres::connect(&servers.postgres, NoTls).await?;
    tokio::spawn(connection);
    client.execute("UPDATE bellhop.subscription_versions SET version = $1", &[&old]).await?;
    let key = servers.copy_key();
    let mut redis = servers.redis_connection().await?;
    redis::cmd("HDEL").arg(&key).arg("sealed").exec_async(&mut redis).await?;
    let late = Store::open(&servers.options()?)?;
    let read = late.subscriptions(Mode::Test, &organisation()).await?;
    ensure!(read.version == old && late.stats().postgres_reads == 1, "{:?}", late.stats());
    let held: Vec<Option<i64>> =
        redis::cmd("HMGET").arg(&key).arg("version").arg("sealed").query_async(&mut redis).await?;
    ensure!(held == [Some(new), None], "{held:?}");

    client.execute("UPDATE bellhop.subscription_versions SET version = $1", &[&new]).await?;
    ensure_count(&Store::open(&servers.options()?)?, 2).await?;
    let is_whole: bool = redis::cmd("HEXISTS").arg(&key).arg("sealed").query_async(&mut redis).await?;
    ensure!(is_whole, "a read of the same version mends the copy");
    Ok(())
}
