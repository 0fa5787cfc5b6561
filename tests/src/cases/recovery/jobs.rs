//! Recoveries: many deliveries of one webhook, once each, whoever is killed, at a pace, until somebody stops them.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use time::Duration;

use super::{Exhausted, argument, await_state, delivery_of, recover, redeliver};
use crate::appointment::SCHEDULED;
use crate::context::{Context, Site};

/// Three pages and a bit.
const DELIVERIES: usize = 330;

/// As if the time were over that a recorder has a recovery to itself.
const LEASES_END: &str = "UPDATE recoveries SET leased_until = now() - interval '1 s'";

/// One page is published when its recorder is killed; another recorder does the rest, and the endpoint sees each once.
pub async fn a_recovery_whose_recorder_is_killed_owes_each_delivery_once(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, DELIVERIES).await?;
    let (worker, victim) = tokio::try_join!(site.worker(), site.recorder())?;
    let begun = begin(&site, &exhausted, &["--pace", "100"]).await?;
    ensure!(begun["found"] == DELIVERIES, "{begun}");
    let id = begun["id"].as_str().context("an id")?;
    let again = ["recover", "--webhook", &exhausted.webhook.id, "--since", &argument(exhausted.since)?];
    site.operator.program().run(&again).await?.ended_with(1)?.complains_of(&["already", id])?;
    exhausted.tables.await_count("series WHERE published_at IS NOT NULL", 100).await?;
    victim.kill().await?;
    ensure!(exhausted.tables.count("recoveries WHERE state = 'running'").await? == 1, "killed too late");
    exhausted.tables.change(LEASES_END).await?;
    let (one, other) = tokio::try_join!(site.recorder(), site.recorder())?;

    let done = await_state(&site, id, "done").await?;
    ensure!(done["done"] == DELIVERIES && done["movedOn"] == 0 && done["payloadGone"] == 0, "{done}");
    let tables = &exhausted.tables;
    let count = i64::try_from(DELIVERIES)?;
    tables.await_count("deliveries WHERE state = 'delivered' AND series = 2", count).await?;
    ensure!(tables.count("series WHERE series = 2 AND published_at IS NOT NULL").await? == count);
    ensure!(tables.count("series").await? == count, "a delivery has two series");
    site.ensure_nothing_owed(worker).await?;
    let requests = exhausted.endpoint.requests();
    let ids: BTreeSet<&str> = requests.iter().map(|request| request.webhook_id()).collect();
    ensure!(ids.len() == DELIVERIES && requests.len() == DELIVERIES, "{} of {}", ids.len(), requests.len());
    ensure!(one.drain().await?.success() && other.drain().await?.success());
    Ok(())
}

/// One a second; the first is owed when somebody stops it, the last never.
pub async fn a_recovery_that_is_cancelled_owes_no_more(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, 30).await?;
    let tables = &exhausted.tables;
    let (_worker, _recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let begun = begin(&site, &exhausted, &["--pace", "1"]).await?;
    let id = begun["id"].as_str().context("an id")?;
    exhausted.endpoint.await_requests(1).await?;
    let cancelled = recover(&site, &["cancel", id, "--by", "Zoë"]).await?;
    ensure!(cancelled["state"] == "cancelled" && cancelled["cancelledBy"] == "Zoë", "{cancelled}");
    let owed = tables.count("series").await?;
    ensure!(owed < 30, "it was over before it was cancelled");
    let again = site.operator.program().run(&["recover", "cancel", id]).await?;
    again.ended_with(1)?.complains_of(&["ended already (cancelled)"])?;

    // Whatever the recovery would have owed meanwhile would lie before this.
    let last = delivery_of(&exhausted.webhook, exhausted.events.last().context("some")?)?;
    redeliver(&site, &last, &[]).await?.succeeded()?;
    let asked = i64::from(owed != 30);
    tables.await_count("deliveries WHERE state = 'delivered' AND series = 2", owed + asked).await?;
    ensure!(tables.count("series").await? == owed + asked, "it went on");
    let listed = recover(&site, &["list"]).await?;
    ensure!(listed[0]["id"] == id && listed[0]["state"] == "cancelled", "{listed}");

    // What it left can be recovered by another.
    let rest = begin(&site, &exhausted, &["--pace", "1000"]).await?;
    ensure!(rest["found"] == 30 - owed - asked, "{rest}");
    let done = await_state(&site, rest["id"].as_str().context("an id")?, "done").await?;
    ensure!(done["done"] == rest["found"], "{done}");
    Ok(())
}

/// Disabled before its recorder comes: what would be sent would only be cancelled.
pub async fn a_recovery_fails_when_its_webhook_goes(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, 3).await?;
    let begun = begin(&site, &exhausted, &[]).await?;
    site.operator.change_webhook("disable", &exhausted.webhook).await?;
    let _recorder = site.recorder().await?;
    let failed = await_state(&site, begun["id"].as_str().context("an id")?, "failed").await?;
    ensure!(failed["failedFor"] == "webhook_disabled" && failed["done"] == 0, "{failed}");
    ensure!(exhausted.tables.count("series").await? == 0);
    let since = argument(exhausted.since)?;
    let arguments = ["recover", "--webhook", &exhausted.webhook.id, "--since", &since];
    let refused = site.operator.program().run(&arguments).await?;
    refused.ended_with(1)?.complains_of(&["is disabled"]).map(drop)
}

/// Counted by each filter; then begun by one of them, over a delivery without a payload.
pub async fn a_dry_run_counts_and_begins_nothing(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, 5).await?;
    let tables = &exhausted.tables;
    ensure!(tables.change("DELETE FROM payloads WHERE event = 'evt-lost-0001'").await? == 1);
    let third = argument(exhausted.since + Duration::seconds(2))?;
    let cases: [(&[&str], u64, u64); 5] = [
        (&[], 5, 1),
        (&["--until", &third], 2, 1),
        (&["--state", "cancelled,delivered"], 0, 0),
        (&["--type", "appointment.cancelled"], 0, 0),
        (&["--type", SCHEDULED, "--state", "exhausted"], 5, 1),
    ];
    for (arguments, found, gone) in cases {
        let counted = begin(&site, &exhausted, &[arguments, &["--dry-run"]].concat()).await?;
        ensure!(counted["found"] == found && counted["payloadGone"] == gone, "{arguments:?}: {counted}");
    }
    ensure!(tables.count("recoveries").await? == 0 && tables.count("series").await? == 0);
    let refused = site.operator.program().run(&["recover", "--webhook", &exhausted.webhook.id]).await?;
    refused.ended_with(2)?.complains_of(&["--since"])?;
    let since = argument(exhausted.since)?;
    let all = ["recover", "--webhook", &exhausted.webhook.id, "--since", &since];
    let refused = site.operator.program().run(&[&all[..], &["--state", "retrying"]].concat()).await?;
    refused.ended_with(1)?.complains_of(&["retrying", "has not ended"])?;
    let nothing = site.operator.program().run(&[&all[..], &["--state", "delivered"]].concat()).await?;
    nothing.ended_with(1)?.complains_of(&["nothing to recover"])?;

    let _recorder = site.recorder().await?;
    let begun = begin(&site, &exhausted, &["--until", &third]).await?;
    let done = await_state(&site, begun["id"].as_str().context("an id")?, "done").await?;
    ensure!(done["done"] == 1 && done["payloadGone"] == 1, "{done}");
    ensure!(tables.count("series WHERE event = 'evt-lost-0000'").await? == 1);
    Ok(())
}

/// Begins a recovery of all that was exhausted, unless told otherwise.
pub(super) async fn begin(
    site: &Site,
    exhausted: &Exhausted,
    arguments: &[&str],
) -> Result<serde_json::Value> {
    let since = argument(exhausted.since)?;
    let all = [&["--webhook", &exhausted.webhook.id, "--since", &since], arguments].concat();
    recover(site, &all).await
}
