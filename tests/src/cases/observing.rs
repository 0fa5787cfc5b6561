//! Dashboards and alerts, held against a fleet that runs: panels have something to show, and alerts say when something is
//! wrong and nothing otherwise.

pub mod alerts;
pub mod panels;

mod observed;

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::process::Command;

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::patience::eventually;
use crate::prometheus::rules_of;
use crate::receiver::Answer;
use crate::stack::Service;
use crate::{http, tree};

/// By the tool that comes with Prometheus: configuration and rules are sound, each alert fires on the series of its
/// condition, and none on a day of a healthy fleet's.
pub async fn alerts_pass_their_unit_tests(context: Context) -> Result<()> {
    context.tools().await?;
    let folder = tree::repository().join("deploy/prometheus");
    let files = |name: &str| -> Result<Vec<String>> {
        let entries = fs::read_dir(folder.join(name))?;
        entries.map(|entry| Ok(entry?.path().display().to_string())).collect()
    };
    let configuration = vec![folder.join("prometheus.yml").display().to_string()];
    for (command, files) in
        [("check config", configuration), ("check rules", files("rules")?), ("test rules", files("tests")?)]
    {
        let output = Command::new("promtool").args(command.split(' ')).args(&files).output().await?;
        let told = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "promtool {command}: {}", String::from_utf8_lossy(&told));
    }
    Ok(())
}

/// An event that was published an hour ago, and fails once: what came an hour ago to the fresh lane came to the due lane
/// when its wait was over.
pub async fn each_lane_tells_when_what_it_takes_had_come(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint_in_turn("hook", vec![Answer::status(503), Answer::status(200)]);
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let of = |lane: &str, queue: &str| {
        let labels = format!("lane=\"{lane}\",mode=\"test\",queue=\"{queue}\"");
        format!("bellhop_lane_taken_timestamp_seconds{{{labels}}}")
    };
    let (fresh, due) = (of("fresh", "bellhop.test.events.0"), of("due", "bellhop.test.due"));
    ensure!(worker.figure(&fresh).await? == 0 && worker.figure(&due).await? == 0);

    let now = OffsetDateTime::now_utc().unix_timestamp().unsigned_abs();
    let event = Message::event("test", SCHEDULED, "evt-old", APPOINTMENT);
    let properties = event.properties.clone().with_timestamp(now - 3_600);
    site.amqp().await?.publish(&Message { properties, ..event }).await?;
    endpoint.await_requests(2).await?;

    let came = worker.figure(&fresh).await?;
    ensure!(came == now - 3_600, "the event came {came}, and was published {}", now - 3_600);
    let came = worker.figure(&due).await?;
    let by = OffsetDateTime::now_utc().unix_timestamp().unsigned_abs();
    ensure!((now..=by).contains(&came), "the second attempt came {came}, between {now} and {by}");
    Ok(())
}

/// `make observe`, and `make down`.
pub async fn prometheus_starts_beside_the_stack_and_stops_with_it(context: Context) -> Result<()> {
    context.tools().await?;
    let stack = context.private_stack(&[Service::Redis]).await?;
    let url = stack.observe().await?;
    let answer = http::get(&format!("{url}/api/v1/rules")).await?;
    let told: Value = serde_json::from_str(&answer.body)?;
    let rules = rules_of(&told["data"])?;
    ensure!(rules.iter().any(|rule| rule.name == "BellhopLaneStalled"), "{rules:?}");
    let look = || async {
        let answer = http::get(&format!("{url}/api/v1/targets")).await?;
        Ok(answer.body.contains("127.0.0.1:9464").then_some(()))
    };
    eventually("Prometheus to find its targets", look).await?;

    stack.down().await?;
    ensure!(http::get(&url).await.is_err(), "Prometheus answers after `down`");
    Ok(())
}
