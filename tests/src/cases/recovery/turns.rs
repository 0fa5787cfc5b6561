//! Several recoveries at once: none waits for what another waits for.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Records, WebhookId};

use super::jobs::begin;
use super::room::{DUE, flood_due};
use super::{Exhausted, argument, await_state, recover};
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::cases::recording::records::{Told, published};
use crate::context::Context;
use crate::operator::Registration;
use crate::patience::eventually;

/// At one a second, more than any other recovery has patience for.
const DELIVERIES: usize = 60;

/// The due lane of Test Mode is flooded; live has a due lane of its own.
pub async fn a_recovery_that_waits_in_test_mode_holds_no_live_one_up(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, 3).await?;
    let live = Registration { mode: "live", ..Registration::test("https://hooks.example.com/live") };
    let live = site.operator.register(&live).await?;
    let id: WebhookId = live.id.parse()?;
    let mut records = Records::default();
    records.push_end(&Told::to(&id, Mode::Live, "evt-live", APPOINTMENT)?.end(exhausted.since));
    published(&site, &records).await?;
    let amqp = site.amqp().await?;
    flood_due(&amqp).await?;
    let _recorder = site.recorder().await?;
    exhausted.tables.await_count("deliveries WHERE mode = 'live'", 1).await?;
    let held = begin(&site, &exhausted, &[]).await?;
    let held = held["id"].as_str().context("an id")?;
    let waits = async || Ok(recover(&site, &["show", held]).await?["waitsFor"].as_str().map(|_| ()));
    eventually("the recovery in Test Mode to wait", waits).await?;

    let since = argument(exhausted.since)?;
    let free = recover(&site, &["--webhook", &live.id, "--since", &since, "--type", SCHEDULED]).await?;

    let done = await_state(&site, free["id"].as_str().context("an id")?, "done").await?;
    ensure!(done["done"] == 1, "{done}");
    let held = recover(&site, &["show", held]).await?;
    ensure!(held["state"] == "running" && held["done"] == 0, "{held}");
    ensure!(DUE <= amqp.drain("bellhop.test.due").await?.len());
    Ok(())
}

/// One owes a delivery a second, the other as many as it can.
pub async fn a_slow_recovery_holds_no_other_one_up(context: Context) -> Result<()> {
    let site = context.site().await?;
    let slow = Exhausted::prepare(&context, &site, DELIVERIES).await?;
    let quick = Exhausted::prepare(&context, &site, DELIVERIES).await?;
    let (_worker, _recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let first = begin(&site, &slow, &["--pace", "1"]).await?;
    slow.endpoint.await_requests(1).await?;

    let second = begin(&site, &quick, &["--pace", "1000"]).await?;

    let done = await_state(&site, second["id"].as_str().context("an id")?, "done").await?;
    ensure!(done["done"] == DELIVERIES, "{done}");
    quick.endpoint.await_requests(DELIVERIES).await?;
    let first = first["id"].as_str().context("an id")?;
    let running = recover(&site, &["show", first]).await?;
    ensure!(running["state"] == "running", "{running}");
    // It goes on beside the other and after it.
    slow.endpoint.await_requests(usize::try_from(running["done"].as_u64().context("a count")?)? + 1).await?;
    recover(&site, &["cancel", first]).await.map(drop)
}
