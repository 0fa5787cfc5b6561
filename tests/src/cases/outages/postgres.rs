//! PostgreSQL is slow, restarted, or gone while somebody is asked for whom nobody here knows.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{DEFERRED, FORGETFUL, SHORT_WAITS};
use crate::appointment::ORGANISATION;
use crate::context::{Context, Site};
use crate::load::Load;
use crate::relay::{Passage, Relay};
use crate::stack::Service;

const EVENTS: usize = 200;

/// Longest waits for PostgreSQL.
const PATIENCE_SETTINGS: [(&str, &str); 2] =
    [("BELLHOP_POSTGRES_QUERY_TIMEOUT", "1s"), ("BELLHOP_POSTGRES_CONNECT_TIMEOUT", "1s")];

/// Gone and back in the middle of a load, twice; memory and Redis carry what it knew.
pub async fn a_postgres_restarted_under_load_costs_nothing(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let site = context.site_on_with(&stack, &[FORGETFUL]).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    for third in 1..=2 {
        load.await_share((third, 3)).await?;
        stack.restart(Service::Postgres).await?;
    }

    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// A worker that knows nobody, an empty Redis and no PostgreSQL: everything waits until somebody can be asked.
pub async fn events_of_an_organisation_that_nobody_knows_wait_for_postgres(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let site = context.site_on_with(&stack, &[SHORT_WAITS]).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    forget(&site).await?;
    stack.stop(Service::Postgres).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    worker.await_figure(DEFERRED, u64::try_from(EVENTS)?).await?;
    ensure!(load.receiver.requests().is_empty(), "a worker knows what it cannot know");
    stack.revive(Service::Postgres).await?;

    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// Later than anybody waits: everything waits on the ladder. Then late, but in time: everything is delivered.
pub async fn events_wait_for_a_postgres_that_answers_too_late(context: Context) -> Result<()> {
    let settings = [SHORT_WAITS, PATIENCE_SETTINGS[0], PATIENCE_SETTINGS[1]];
    let site = context.site_with(&settings).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let (relay, postgres_url) = Relay::before(&site.place.postgres_url()).await?;
    relay.treat(Passage::Late(Duration::from_millis(1_500)));
    forget(&site).await?;
    let worker = site.worker_with("BELLHOP_POSTGRES_URL", &postgres_url).await?;

    load.publish(&site).await?;
    worker.await_figure(DEFERRED, u64::try_from(EVENTS)?).await?;
    ensure!(load.receiver.requests().is_empty(), "a worker knows what it cannot know");
    relay.treat(Passage::Late(Duration::from_millis(50)));

    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// Removes what registering the webhooks left in Redis.
async fn forget(site: &Site) -> Result<()> {
    let key = site.place.copy_key(&format!("test:{ORGANISATION}"));
    let removed: u64 = redis::cmd("DEL").arg(key).query_async(&mut site.place.redis().await?).await?;
    ensure!(removed == 1, "Redis had no copy to remove");
    Ok(())
}
