//! A change over HTTP reaches every worker.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::json;

use super::ground::Ground;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::receiver::Answer;

/// What is promised.
const HOLDS_WITHIN: Duration = Duration::from_secs(5);

/// Events published in one go; both workers take of them.
const BATCH: usize = 100;

/// Two workers deliver all the time. A URL is changed: from 5 s later on, nothing goes to the old one, whoever delivers.
pub async fn every_change_reaches_every_worker_within_5_s(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let (before, after) =
        (receiver.endpoint("before", Answer::status(200)), receiver.endpoint("after", Answer::status(200)));
    let created = ground.create(&before.url).await?;
    let workers = [ground.site.worker().await?, ground.site.worker().await?];
    let amqp = ground.site.amqp().await?;
    let mut published = 0;
    let mut publish = async || {
        let numbers = published..published + BATCH;
        let event = |number| Message::event("test", SCHEDULED, &format!("evt-{number}"), APPOINTMENT);
        published = numbers.end;
        amqp.publish_all(&numbers.map(event).collect::<Vec<_>>()).await?;
        receiver.await_taken(published).await
    };
    publish().await?;
    for worker in &workers {
        let taken = worker.figure(r#"bellhop_store_events_total{event="memory_hit"}"#).await?;
        ensure!(0 < taken, "a worker took nothing, so it has nothing to forget");
    }

    let path = format!("/v1/webhooks/{}", created["id"].as_str().context("an id")?);
    let change = json!({ "url": after.url });
    ground.api.call(Method::PATCH, &path).by(&ground.key).json(&change).expect(200).await?;
    let changed_at = Instant::now();
    while changed_at.elapsed() <= HOLDS_WITHIN {
        publish().await?;
    }
    let late = before.requests().iter().map(|request| request.arrived).max().context("requests before")?;
    let lag = late.saturating_duration_since(changed_at);
    ensure!(lag < HOLDS_WITHIN, "the old URL was called {lag:?} after the change");
    ensure!(!after.requests().is_empty(), "the new URL is called");
    for worker in &workers {
        let heard = worker.figure(r#"bellhop_store_events_total{event="change_heard"}"#).await?;
        let found = worker.figure(r#"bellhop_store_events_total{event="change_found"}"#).await?;
        ensure!(1 <= heard + found, "a worker neither heard of the change nor found it");
    }
    Ok(())
}
