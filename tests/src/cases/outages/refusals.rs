//! Queues that take nothing: what was to lie there lies elsewhere, or is said later, and is not lost.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::EndState;
use hyper::Method;

use crate::account::{ensure_no_ends, take_ends};
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::{Context, Site};
use crate::load::Load;
use crate::queues;
use crate::receiver::{Answer, Request};
use crate::worker::Worker;

const EVENTS: usize = 200;

/// The rung that attempt 2 waits on, and its queue.
const FIRST_RUNG: &str = "bellhop.test.wait.300ms";

const REFUSED: &str = r#"bellhop_broker_events_total{event="refused",link="publishing"}"#;
const RETURNED: &str = r#"bellhop_broker_events_total{event="returned",link="publishing"}"#;

/// The rung of attempt 2 has room for one: the others wait on the next longer rung.
pub async fn a_full_rung_is_stepped_over(context: Context) -> Result<()> {
    let site = context.site().await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    site.place.set_policy("full", &format!("^{FIRST_RUNG}$"), 1, r#"{"max-length":1}"#).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    load.await_end().await?;
    ensure_told(&worker, REFUSED).await?;
    load.ensure_settled(&site, worker, 0).await
}

/// The rung of attempt 2 is not there at all.
pub async fn a_missing_rung_is_stepped_over(context: Context) -> Result<()> {
    let site = context.site().await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;
    worker.logs().await_line("the topology is declared").await?;
    let path = format!("queues/{}/{FIRST_RUNG}", site.place.virtual_host());
    site.place.manage(Method::DELETE, &path, "").await?;

    load.publish(&site).await?;
    load.await_end().await?;
    ensure_told(&worker, RETURNED).await?;
    site.operator.prepare().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// How many deliveries end without success while the log is full.
const HOPELESS: usize = 100;

/// The log is full: ends wait on the longest rung, marked so that they are not sent again, and are said when there is
/// room.
pub async fn an_end_that_the_full_log_refuses_is_said_later(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hopeless", Answer::status(500));
    site.operator.add_webhook(&endpoint.url).await?;
    let amqp = site.amqp().await?;
    fill_log(&site).await?;
    let worker = site.worker().await?;

    let events: Vec<Message> = (0..HOPELESS)
        .map(|number| Message::event("test", SCHEDULED, &format!("hopeless-{number}"), APPOINTMENT))
        .collect();
    amqp.publish_all(&events).await?;
    let waiting = amqp.take(queues::LONGEST_RUNG, HOPELESS).await?;
    for message in &waiting {
        let reason = message.header("bellhop-unrecorded").context("an end is not marked as one")?;
        ensure!(reason == "attempts_failed", "{reason}");
    }
    site.place.clear_policy("full").await?;
    amqp.drain(queues::LOG).await?;
    let due: Vec<Message> = waiting.into_iter().map(|message| message.into_due("test")).collect();
    amqp.publish_all(&due).await?;

    let ends = take_ends(&amqp, HOPELESS).await?;
    ensure!(
        ends.iter().all(|end| end.reason.state() == EndState::Exhausted && end.outcome == "5xx"),
        "{ends:?}"
    );
    ensure!(ends.iter().all(|end| end.attempt.map(|attempt| attempt.number()) == Some(3)), "{ends:?}");
    for event in &events {
        ensure!(ends.iter().any(|end| end.event == event.body), "an event has no end");
    }
    site.ensure_nothing_owed(worker).await?;
    ensure_no_ends(&amqp).await?;
    let attempts: Vec<u8> = endpoint.requests().iter().map(Request::attempt).collect();
    ensure!(attempts.len() == 3 * HOPELESS, "{} requests for {HOPELESS} events", attempts.len());
    Ok(())
}

/// Leaves no room in the log.
async fn fill_log(site: &Site) -> Result<()> {
    site.place.set_policy("full", "^bellhop.log$", 1, r#"{"max-length":1}"#).await?;
    let filler = Message {
        exchange: queues::LOG.to_owned(),
        routing_key: queues::LOG.to_owned(),
        ..Message::event("test", SCHEDULED, "filler", APPOINTMENT)
    };
    // A broker that goes over the bound says so after the message that does; two do not fit, however it counts.
    let amqp = site.amqp().await?;
    while amqp.publish(&filler).await.is_ok() {}
    Ok(())
}

/// Insists that something happened between the worker and the broker.
async fn ensure_told(worker: &Worker, series: &str) -> Result<()> {
    ensure!(0 < worker.figure(series).await?, "`{series}` is zero: the rung took everything");
    Ok(())
}
