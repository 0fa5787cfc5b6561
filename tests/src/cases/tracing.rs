//! The publisher's trace goes with its event into the log, and no further.

use anyhow::{Result, ensure};
use bellhop_model::Mode;
use lapin::types::AMQPValue;

use crate::account::take_ends;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::{Context, Site};
use crate::receiver::Answer;

const SPAN: &str = "00f067aa0ba902b7";

/// Published in each of the three ways; each attempt fails, so that there are three of each.
pub async fn an_event_keeps_its_trace_from_attempt_to_attempt_and_no_endpoint_sees_it(
    context: Context,
) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(500));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;

    let traces = ["a", "b", "c"].map(|digit| digit.repeat(32));
    let parents = traces.clone().map(|trace| format!("00-{trace}-{SPAN}-01"));
    amqp.publish(&traced("evt-from-afar", &parents[0])).await?;
    publish_at_the_shell(&site, &parents[1]).await?;
    post(&site, &parents[2]).await?;
    take_ends(&amqp, 3).await?;

    let logs = worker.logs().clone();
    site.ensure_nothing_owed(worker).await?;
    for trace in &traces {
        let lines = logs.lines();
        let told: Vec<_> = lines.iter().filter(|line| line.contains(trace.as_str())).collect();
        let are_attempts = told.iter().all(|line| line.contains("made an attempt") && line.contains(SPAN));
        ensure!(told.len() == 3 && are_attempts, "`{trace}` is told by {told:?}");
    }
    let requests = endpoint.requests();
    ensure!(requests.len() == 9, "{} requests", requests.len());
    for request in requests {
        let text = format!("{request:?} {:?}", request.header_names());
        let seen = traces.iter().map(String::as_str).chain(["trace"]).find(|trace| text.contains(trace));
        ensure!(seen.is_none(), "an endpoint sees `{seen:?}` in {text}");
    }
    Ok(())
}

/// A trace that cannot be read costs the trace, not the event.
pub async fn an_event_whose_trace_cannot_be_read_is_delivered_without_it(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(500));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;
    amqp.publish(&traced("evt-untraced", "00-no-trace-at-all")).await?;
    take_ends(&amqp, 1).await?;
    let logs = worker.logs().clone();
    site.ensure_nothing_owed(worker).await?;
    let lines = logs.lines();
    let told = lines.iter().find(|line| line.contains("no-trace") || line.contains("trace.id"));
    ensure!(endpoint.requests().len() == 3 && told.is_none(), "told: {told:?}");
    Ok(())
}

fn traced(id: &str, parent: &str) -> Message {
    let mut message = Message::event("test", SCHEDULED, id, APPOINTMENT);
    let mut headers = message.properties.headers().clone().unwrap_or_default();
    headers.insert("traceparent".into(), AMQPValue::LongString(parent.into()));
    message.properties = message.properties.with_headers(headers);
    message
}

async fn publish_at_the_shell(site: &Site, parent: &str) -> Result<()> {
    let program = site.operator.program();
    let arguments = ["publish", "--type", SCHEDULED, "--traceparent", parent, "-"];
    program.run_with_input(&arguments, APPOINTMENT.as_bytes()).await?.succeeded()?;
    let wrong = ["publish", "--type", SCHEDULED, "--traceparent", "00-1-2-01", "-"];
    program
        .run_with_input(&wrong, b"")
        .await?
        .ended_with(2)?
        .complains_of(&["traceparent", "32 hexadecimal"])?;
    Ok(())
}

async fn post(site: &Site, parent: &str) -> Result<()> {
    let api = site.api().await?;
    let key = site.operator.create_key(Mode::Test.as_str(), "developer").await?;
    let body = format!(r#"{{"type":"{SCHEDULED}","data":{APPOINTMENT}}}"#);
    let call = api.post(&key, "/v1/events", &serde_json::from_str(&body)?);
    call.header("traceparent", parent).expect(202).await.map(drop)
}
