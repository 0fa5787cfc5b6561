//! What lies in `bellhop.log` when all is done.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use bellhop_model::Record;

use crate::account::{load, records};
use crate::context::Context;
use crate::queues;
use crate::receiver::Answer;

/// More than fit one batch, by far.
const EVENTS: usize = 300;

/// Three webhooks, one of which fails each first attempt. The signature, which holds for one body at one second, tells
/// requests apart only roughly, so what is compared is how often each combination occurs.
pub async fn the_log_agrees_with_the_receivers_request_by_request(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let mut paths = BTreeMap::new();
    for name in ["steady", "other", "flaky"] {
        let endpoint = receiver.endpoint_by(name, |request, _| {
            let is_refused = request.path() == "/flaky" && request.attempt() == 1;
            Answer::status(if is_refused { 500 } else { 200 })
        });
        let webhook = site.operator.add_webhook(&endpoint.url).await?;
        paths.insert(webhook.id, format!("/{name}"));
    }
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;
    amqp.publish_all(&load(EVENTS)).await?;
    receiver.await_taken(EVENTS * paths.len()).await?;
    site.ensure_nothing_owed(worker).await?;

    let mut events = BTreeMap::new();
    let mut told: Vec<_> = Vec::new();
    for record in records(&amqp.drain(queues::LOG).await?)? {
        match record {
            Record::Event(event) => *events.entry(event.body().to_owned()).or_insert(0) += 1,
            Record::Attempt(made) => {
                ensure!(made.answer.is_some() && made.timing.head_us.is_some(), "{made:?}");
                let path = paths[made.of.webhook.as_str()].clone();
                let event = made.of.event.to_string();
                let signature = made.sent.signature.into_owned();
                told.push((path, event, made.attempt.number(), made.status, signature));
            }
            Record::End(end) => anyhow::bail!("nothing ended, but the log tells {end:?}"),
            // So many at once find no place at a webhook, perhaps; none of it is a request.
            Record::Waiting(_) => {}
        }
    }
    let seen = receiver.requests().into_iter().map(|request| {
        let signature = request.header("webhook-signature").to_owned();
        let event = request.webhook_id().to_owned();
        (request.path().to_owned(), event, request.attempt(), request.status(), signature)
    });
    let mut seen: Vec<_> = seen.collect();
    told.sort();
    seen.sort();
    let missing: Vec<_> = seen.iter().filter(|request| !told.contains(request)).take(3).collect();
    ensure!(told == seen, "{} are told, {} were seen; not told: {missing:?}", told.len(), seen.len());
    ensure!(events.len() == EVENTS && events.values().all(|count| *count == 1), "{} events", events.len());
    Ok(())
}
