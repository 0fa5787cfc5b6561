//! A delivery that waits for its webhook is on record before any of its requests.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::tables::Tables;
use crate::account::load;
use crate::context::{Context, Site};
use crate::receiver::{Answer, Closed};

/// Enough to open the breaker of a host, each with its first attempt.
const ATTEMPTED: usize = 5;

/// Those, and as many that nobody has attempted.
const EVENTS: usize = 2 * ATTEMPTED;

/// An endpoint refuses connections; its deliveries are deferred, attempted before or not, and delivered when it listens.
pub async fn what_an_unavailable_endpoint_is_owed_is_deferred_until_it_heals(context: Context) -> Result<()> {
    let site = context.site().await?;
    let refusing = Closed::take()?;
    let webhook = site.operator.add_webhook(&refusing.url("refusing")).await?;
    let (worker, _recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let (amqp, tables) = (site.amqp().await?, Tables::open(&site).await?);
    let events = load(EVENTS);
    amqp.publish_all(&events[..ATTEMPTED]).await?;
    worker.await_figure("bellhop_breakers_open{guards=\"host\",mode=\"test\"}", 1).await?;
    amqp.publish_all(&events[ATTEMPTED..]).await?;
    let deferred = format!("deliveries WHERE state = 'deferred' AND webhook = '{}'", webhook.id);
    tables.await_count(&deferred, i64::try_from(EVENTS)?).await?;

    let listed = list(&site).await?;
    ensure!(listed.len() == EVENTS, "{listed:?}");
    for delivery in &listed {
        let moment = |name: &str| delivery[name].as_str().with_context(|| format!("no {name}: {delivery}"));
        ensure!(moment("since")? < moment("nextAt")?, "{delivery}");
    }
    let untried: Vec<&Value> = listed.iter().filter(|delivery| delivery["attempt"].is_null()).collect();
    ensure!(untried.len() == EVENTS - ATTEMPTED, "{listed:?}");
    let id = untried[0]["id"].as_str().context("an id")?;
    let shown = site.operator.program().run(&["deliveries", "show", id]).await?.succeeded()?.stdout;
    ensure!(shown.contains("state         deferred since "), "{shown}");

    let recovered = refusing.open()?;
    let endpoint = recovered.endpoint("refusing", Answer::status(200));
    endpoint.await_requests(EVENTS).await?;
    tables.await_count("deliveries WHERE state = 'delivered'", i64::try_from(EVENTS)?).await?;
    ensure!(list(&site).await?.is_empty(), "some are still deferred");
    site.ensure_nothing_owed(worker).await
}

/// The deliveries that are deferred.
async fn list(site: &Site) -> Result<Vec<Value>> {
    let arguments = ["deliveries", "list", "--state", "deferred", "--output", "json"];
    let printed = site.operator.program().run(&arguments).await?.succeeded()?.stdout;
    let printed: Value = serde_json::from_str(&printed).with_context(|| printed.clone())?;
    Ok(printed["deliveries"].as_array().context("a list")?.clone())
}
