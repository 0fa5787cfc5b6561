//! A broker that is short of memory, and one that is gone.

use anyhow::Result;

use super::{await_alerts, await_alerts_while, publish};
use crate::cases::observing::observed::watch;
use crate::context::Context;
use crate::load::Load;
use crate::patience::eventually;
use crate::receiver::Answer;
use crate::stack::Service;

/// Events whose requests are under way when the alarm begins.
const EVENTS: usize = 20;

/// Events of a round. The rungs take a few messages each before they are full.
const EVENTS_OF_A_ROUND: usize = 10;

/// It blocks publishers while requests are under way. Later it is killed.
pub async fn a_broker_that_takes_nothing_or_is_gone_is_told(context: Context) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let site = context.site_on(&broker).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;

    load.gate.shut();
    load.publish(&site).await?;
    let look = async || Ok((0 < load.receiver.received()).then_some(()));
    eventually("requests to be under way", look).await?;
    broker.ctl(&["set_vm_memory_high_watermark", "0.00001"]).await?;
    load.gate.open();
    await_alerts(&prometheus, &["BellhopBrokerAlarm", "BellhopBrokerBlocksPublishers"]).await?;

    broker.kill(Service::Rabbitmq).await?;
    await_alerts(&prometheus, &["BellhopBrokerLinkDown", "BellhopBrokerUnobserved"]).await
}

/// An endpoint fails, and no rung has room for the second attempts.
pub async fn results_that_no_queue_takes_are_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("refusing", Answer::status(500));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    site.place.set_policy("full", "^bellhop.test.wait", 1, r#"{"max-length":1}"#).await?;
    let expected = ["BellhopResultsKept", "BellhopPublishesRefused"];
    await_alerts_while(&prometheus, &expected, || publish(&site, "test", EVENTS_OF_A_ROUND)).await
}
