//! Health data and credentials stay out of logs and metrics, whatever happens to the events.

use anyhow::{Result, ensure};

use crate::account::take_ends;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::queues;
use crate::receiver::Answer;

/// One event delivered, one exhausted and one parked, with everything logged that can be.
pub async fn neither_logs_nor_metrics_tell_health_data_or_credentials(context: Context) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_LOGS_LEVELS", "trace")]).await?;
    let receiver = context.receiver().await?;
    let good = receiver.endpoint("good-t0ken", Answer::status(200));
    let failing = receiver.endpoint("failing-t0ken", Answer::status(500));
    let webhook = site.operator.add_webhook(&good.url).await?;
    site.operator.add_webhook(&failing.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;

    let event = Message::event("test", SCHEDULED, "evt-private", APPOINTMENT);
    let spoilt = Message { body: [event.body.as_slice(), b"}"].concat(), ..event.clone() };
    amqp.publish_all(&[event, spoilt]).await?;
    take_ends(&amqp, 1).await?;
    amqp.take(&queues::parked("test"), 1).await?;

    let metrics = worker.metrics().await?;
    let logs = worker.logs().clone();
    site.ensure_nothing_owed(worker).await?;
    let told = format!("{metrics}\n{}", logs.lines().join("\n"));
    ensure!(told.contains("evt-private"), "the log tells nothing, so this case shows nothing");
    let secrets = ["Zo", "+447700900123", "9990000018", "t0ken", "bellhop-local", &webhook.secret];
    for secret in secrets {
        let line = told.lines().find(|line| line.contains(secret));
        ensure!(line.is_none(), "`{secret}` is told: {line:?}");
    }
    Ok(())
}
