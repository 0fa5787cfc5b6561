//! Platform and receivers may be written in any language: published libraries verify us, and pika publishes to us.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::appointment::{APPOINTMENT, COLLAPSED, ORGANISATION, PATIENT_EXPANDED, SCHEDULED};
use crate::context::{Context, Site};
use crate::foreign::Foreign;
use crate::operator::Registration;
use crate::receiver::Answer;
use crate::relay::Relay;
use crate::tree;

/// Standard Webhooks for Python, from its package index.
pub async fn the_published_python_library_verifies_every_delivery(context: Context) -> Result<()> {
    let python = context.tools().await?.join("python/bin/python");
    verified_by(context, || {
        let mut command = Command::new(&python);
        command.arg(tree::tests("tools/receiver.py"));
        command
    })
    .await
}

/// Standard Webhooks for Node, from its registry.
pub async fn the_published_node_library_verifies_every_delivery(context: Context) -> Result<()> {
    context.tools().await?;
    verified_by(context, || {
        let mut command = Command::new("node");
        command.arg(tree::tests("tools/receiver.mjs"));
        command
    })
    .await
}

/// Whoever follows the contract with any AMQP client is served.
pub async fn an_event_published_from_python_is_delivered(context: Context) -> Result<()> {
    let python = context.tools().await?.join("python/bin/python");
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let _worker = site.worker().await?;

    let mut publish = Command::new(python);
    publish.arg(tree::tests("tools/publish.py")).args(["--url", &site.place.amqp_url()]);
    publish.args(["--mode", "test", "--type", SCHEDULED, "--organisation", ORGANISATION]);
    publish.args(["--event-id", "evt-from-python", "/dev/stdin"]);
    Foreign::run(publish, APPOINTMENT).await?;

    let requests = endpoint.await_requests(1).await?;
    ensure!(requests[0].webhook_id() == "evt-from-python" && requests[0].body == COLLAPSED, "{requests:?}");
    requests[0].verify(&webhook.secret)
}

/// One receiver for a webhook that expands nothing and one for a webhook that expands the patient.
async fn verified_by(context: Context, command: impl Fn() -> Command) -> Result<()> {
    let site = context.site().await?;
    let plain = connect(&site, &[], command()).await?;
    let expanding = connect(&site, &["patient"], command()).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    // By reference: receivers and relays must outlive the answers that are on their way through them.
    for ((foreign, _relay), body) in [(&plain, COLLAPSED), (&expanding, PATIENT_EXPANDED)] {
        let received = foreign.await_received().await?;
        ensure!(received.verified, "the library refused {received:?}");
        ensure!(received.body()? == body.as_bytes(), "another body arrived: {received:?}");
    }
    site.ensure_nothing_owed(worker).await
}

async fn connect(site: &Site, expanded: &[&str], mut command: Command) -> Result<(Foreign, Relay)> {
    let relay = Relay::open().await?;
    let url = relay.url();
    let webhook = site.operator.register(&Registration { expanded, ..Registration::test(&url) }).await?;
    command.args(["--secret", &webhook.secret]).stdin(Stdio::null());
    let foreign = Foreign::start(command).await.context("start a reference receiver")?;
    relay.point(foreign.address());
    Ok((foreign, relay))
}
