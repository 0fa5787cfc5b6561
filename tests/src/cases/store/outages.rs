//! Delivery goes on without Redis and without PostgreSQL, and without both as long as somebody remembers.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Mode;
use bellhop_store::{CacheReach, ServerUrl, Store, StoreError};
use tokio::time::{Instant, timeout};

use super::bench::{Servers, count, dead_url, ensure_count, new_webhook, organisation, watch};
use super::changes::HOLDS_WITHIN;
use crate::context::Context;
use crate::patience::eventually;
use crate::stack::Service;

/// Soon enough that a case need not wait for it.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Redis goes away, a change is made, Redis comes back: every read is right, with the change within 5 s.
pub async fn without_redis_postgres_answers(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Redis, Service::Postgres]).await?;
    let servers = Servers::of(&stack);
    let writer = servers.store().await?;
    let reader = Store::open(&servers.options()?)?;
    let _watch = watch(&reader).await?;
    writer.add_webhook(new_webhook("a")).await?;
    eventually("the webhook", async || Ok((count(&reader).await? == 1).then_some(()))).await?;

    stack.stop(Service::Redis).await?;
    let error = reader.ping_redis().await.err();
    ensure!(matches!(error, Some(StoreError::RedisAway { .. })), "{error:?}");
    reader.ping_postgres().await?;
    ensure_count(&Store::open(&servers.options()?)?, 1).await.context("a cold store asks PostgreSQL")?;
    let added = writer.add_webhook(new_webhook("b")).await?;
    let started = Instant::now();
    ensure!(added.cache == CacheReach::Missed);
    eventually("the change", async || Ok((count(&reader).await? == 2).then_some(()))).await?;
    ensure!(started.elapsed() < HOLDS_WITHIN, "{:?} {:?}", started.elapsed(), reader.stats());

    let subscribed = reader.stats().subscribed;
    stack.revive(Service::Redis).await?;
    eventually("the listener again", async || Ok((subscribed < reader.stats().subscribed).then_some(())))
        .await?;
    eventually("a cold store that is right", async || {
        Ok((count(&Store::open(&servers.options()?)?).await? == 2).then_some(()))
    })
    .await
}

/// PostgreSQL goes away: Redis answers cold stores; then Redis is emptied, and memory answers with what it has.
pub async fn without_postgres_redis_answers_and_then_memory(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Redis, Service::Postgres]).await?;
    let servers = Servers::of(&stack);
    servers.store().await?.add_webhook(new_webhook("a")).await?;
    stack.stop(Service::Postgres).await?;

    let mut options = servers.options()?;
    options.memory.revalidate_after = AT_ONCE;
    let warm = Store::open(&options)?;
    ensure_count(&warm, 1).await.context("a cold store asks Redis")?;
    ensure!(warm.stats().redis_hits == 1, "{:?}", warm.stats());

    let mut redis = servers.redis_connection().await?;
    redis::cmd("FLUSHALL").exec_async(&mut redis).await?;
    eventually("a stale copy", async || {
        ensure_count(&warm, 1).await?;
        Ok((0 < warm.stats().stale_served).then_some(()))
    })
    .await?;
    let cold = Store::open(&options)?;
    let unresolved = cold.subscriptions(Mode::Test, &organisation()).await.err();
    let reason = unresolved.context("a cold store cannot know, least of all that there are none")?.reason;
    ensure!(matches!(&*reason, StoreError::PostgresAway { .. }) && reason.is_transient(), "{reason:?}");

    stack.revive(Service::Postgres).await?;
    eventually("the truth", async || Ok(count(&cold).await.ok().filter(|found| *found == 1))).await?;
    Ok(())
}

/// Servers that are there but silent are given up in time, and memory answers meanwhile.
pub async fn silent_servers_are_given_up_in_time(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Redis, Service::Postgres]).await?;
    let servers = Servers::of(&stack);
    servers.store().await?.add_webhook(new_webhook("a")).await?;
    let mut options = servers.options()?;
    options.memory.revalidate_after = AT_ONCE;
    options.postgres.query_timeout = Duration::from_secs(1);
    let (warm, cold) = (Store::open(&options)?, Store::open(&options)?);
    ensure_count(&warm, 1).await?;
    warm.ping_postgres().await?;

    stack.pause(Service::Redis).await?;
    stack.pause(Service::Postgres).await?;
    let limit = Duration::from_secs(5);
    timeout(limit, ensure_count(&warm, 1)).await.context("the warm store hangs")??;
    let unresolved = timeout(limit, cold.subscriptions(Mode::Test, &organisation())).await;
    ensure!(unresolved.context("the cold store hangs")?.is_err());
    let written = timeout(limit, warm.add_webhook(new_webhook("b"))).await.context("the write hangs")?;
    ensure!(written.is_err());

    stack.resume(Service::Postgres).await?;
    stack.resume(Service::Redis).await?;
    eventually("the truth", async || Ok(count(&cold).await.ok().filter(|found| *found == 1))).await?;
    Ok(())
}

/// What an operator reads names the place and what to do, never a password.
pub async fn errors_say_what_to_do_and_show_no_password(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let mut options = servers.options()?;
    options.postgres.url = ServerUrl::new(dead_url("postgres")?);
    options.redis.url = ServerUrl::new(dead_url("redis")?);
    let nowhere = Store::open(&options)?;
    let mut errors = vec![
        nowhere.ping_postgres().await.err().context("nothing listens there")?,
        nowhere.ping_redis().await.err().context("nothing listens there")?,
    ];
    ensure!(errors.iter().all(StoreError::is_transient), "{errors:?}");
    ensure!(
        matches!(errors[..], [StoreError::PostgresAway { .. }, StoreError::RedisAway { .. }]),
        "{errors:?}"
    );

    let (server, _) = servers.postgres.rsplit_once('/').context("a URL names a database")?;
    options.postgres.url = ServerUrl::new(format!("{server}/hunter2_is_no_database"));
    let (start, end) = servers.redis.rsplit_once('@').context("a URL names a password")?;
    ensure!(start.starts_with("redis://"), "{start}");
    options.redis.url = ServerUrl::new(format!("redis://:hunter2@{end}"));
    let refused = Store::open(&options)?;
    let database = refused.ping_postgres().await.err().context("there is no such database")?;
    ensure!(matches!(database, StoreError::PostgresRefused { .. }), "{database:?}");
    ensure!(!database.is_transient() && database.to_string().contains("database"), "{database}");
    errors.push(refused.ping_redis().await.err().context("the password is wrong")?);
    ensure!(matches!(errors[2], StoreError::RedisRefused { .. }), "{:?}", errors[2]);
    for error in errors {
        ensure!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    Ok(())
}
