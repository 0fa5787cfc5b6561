//! Events that do not flow, arrive late, or come to nothing.

use anyhow::{Result, ensure};

use super::{await_alerts, await_alerts_while, publish};
use crate::amqp::Message;
use crate::appointment::SCHEDULED;
use crate::cases::observing::observed::watch;
use crate::context::{Context, Site};
use crate::operator::Registration;
use crate::patience::eventually;
use crate::receiver::{Answer, Receiver};
use crate::stack::free_ports;

/// Events of a round. Within a few rounds there are more late ones, and more that are given up, than the least that is told.
const EVENTS_OF_A_ROUND: usize = 10;

/// At a pace of 50 messages in five minutes, which the case does not reach, ten minutes are 100.
const BACKLOG: usize = 400;

/// Hosts that nobody answers on. A breaker lets five attempts through to each before it opens, and the alert wants sixty.
const SILENT_HOSTS: usize = 20;

/// Somebody publishes in both modes, and no worker was ever there.
pub async fn events_that_nobody_takes_are_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let prometheus = watch(&context, &site, &[]).await?;
    publish(&site, "live", 1).await?;
    publish(&site, "test", 1).await?;
    let expected = [
        "BellhopLaneStalled",
        "BellhopTestLaneStalled",
        "BellhopNoWorkerReady",
        "BellhopQueueWithoutConsumer",
    ];
    await_alerts(&prometheus, &expected).await
}

/// Events happened long before they were published; half of them are for an endpoint that takes none.
pub async fn events_that_come_late_or_are_given_up_are_told(context: Context) -> Result<()> {
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let site = context.site_with(&[(variable, &authority)]).await?;
    register(&site, &receiver, "well", 200).await?;
    register(&site, &receiver, "refusing", 500).await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    let expected = [
        "BellhopDeliveryAgeBudgetBurnsFast",
        "BellhopDeliveryAgeBudgetBurnsSlowly",
        "BellhopManyDeliveriesExhausted",
    ];
    await_alerts_while(&prometheus, &expected, || publish(&site, "live", EVENTS_OF_A_ROUND)).await
}

/// A worker is killed, and more is published than it would do in ten minutes at the pace that it had.
pub async fn a_backlog_is_told(context: Context) -> Result<()> {
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let site = context.site_with(&[(variable, &authority)]).await?;
    register(&site, &receiver, "well", 200).await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    let pace = r#"bellhop:lane_taken_messages:rate5m{mode="live", lane="fresh"} > 0"#;
    let look = || async {
        publish(&site, "live", 1).await?;
        Ok((!prometheus.query(pace).await?.is_empty()).then_some(()))
    };
    eventually("a pace of the worker", look).await?;
    worker.kill().await?;
    publish(&site, "live", BACKLOG).await?;
    await_alerts(&prometheus, &["BellhopLaneBacklog"]).await
}

/// As if the network were gone, every host refuses.
pub async fn endpoints_that_cannot_be_reached_are_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let port = free_ports(1)?[0];
    for host in 1..=SILENT_HOSTS {
        let url = format!("https://127.0.9.{host}:{port}/");
        site.operator.register(&Registration { mode: "live", ..Registration::test(&url) }).await?;
    }
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    let publish = || publish(&site, "live", 1);
    await_alerts_while(&prometheus, &["BellhopMostAttemptsCannotConnect"], publish).await
}

/// A message that is no event.
pub async fn a_message_that_is_set_aside_is_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    let nonsense = Message { body: b"nonsense".to_vec(), ..Message::event("test", SCHEDULED, "evt-1", "{}") };
    site.amqp().await?.publish(&nonsense).await?;
    await_alerts(&prometheus, &["BellhopMessagesParked"]).await
}

async fn register(site: &Site, receiver: &Receiver, name: &str, status: u16) -> Result<()> {
    let endpoint = receiver.endpoint(name, Answer::status(status));
    ensure!(endpoint.url.starts_with("https:"), "live webhooks speak TLS");
    site.operator
        .register(&Registration { mode: "live", ..Registration::test(&endpoint.url) })
        .await
        .map(drop)
}
