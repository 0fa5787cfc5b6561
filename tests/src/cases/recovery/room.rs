//! A recovery adds nothing while what is more urgent waits: retries that are due, and fresh events.

use anyhow::{Context as _, Result, ensure};

use super::jobs::begin;
use super::{Exhausted, await_state, recover};
use crate::amqp::{Amqp, Message};
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::{Context, Site};
use crate::patience::eventually;

/// More than a recovery suffers in the due lane.
pub(super) const DUE: usize = 1_001;

/// More than it suffers in a shard of the fresh lane.
const FRESH: usize = 101;

/// Retries must not wait behind what somebody asked for.
pub async fn a_recovery_waits_while_the_due_lane_is_full(context: Context) -> Result<()> {
    let site = context.site().await?;
    let amqp = site.amqp().await?;
    flood_due(&amqp).await?;
    wait_for(&context, &site, "bellhop.test.due", DUE).await
}

/// Nor must events, in whichever shard they lie: all workers are busy, or none is there.
pub async fn a_recovery_waits_while_fresh_events_do(context: Context) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_AMQP_SHARDS", "2")]).await?;
    let second = "bellhop.test.events.1";
    let event = Message {
        exchange: String::new(),
        routing_key: second.to_owned(),
        ..Message::event("test", SCHEDULED, "evt-fresh", APPOINTMENT)
    };
    site.amqp().await?.publish_all(&vec![event; FRESH]).await?;
    wait_for(&context, &site, second, FRESH).await
}

/// Fills the due lane of Test Mode.
pub(super) async fn flood_due(amqp: &Amqp) -> Result<()> {
    let due = Message {
        exchange: "bellhop.test".to_owned(),
        routing_key: "due".to_owned(),
        ..Message::event("test", SCHEDULED, "evt-due", APPOINTMENT)
    };
    amqp.publish_all(&vec![due; DUE]).await
}

/// Begins a recovery, sees it wait for a queue, empties that, and sees it go on.
async fn wait_for(context: &Context, site: &Site, queue: &str, held: usize) -> Result<()> {
    let exhausted = Exhausted::prepare(context, site, 3).await?;
    let _recorder = site.recorder().await?;
    let begun = begin(site, &exhausted, &[]).await?;
    let id = begun["id"].as_str().context("an id")?;
    let look = async || Ok(recover(site, &["show", id]).await?["waitsFor"].as_str().map(str::to_owned));
    let waits_for = eventually("the recovery to wait", look).await?;
    ensure!(waits_for.contains(queue), "{waits_for}");
    ensure!(exhausted.tables.count("series").await? == 0, "it goes on nevertheless");

    // While the last are taken off, the recovery goes on already.
    ensure!(held <= site.amqp().await?.drain(queue).await?.len());
    let done = await_state(site, id, "done").await?;
    ensure!(done["done"] == 3 && done["waitsFor"].is_null(), "{done}");
    Ok(())
}
