//! What an operator does about messages that nobody could process: looks, puts back, throws away.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use lapin::types::AMQPValue;
use serde_json::Value;

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::context::{Context, Site};
use crate::patience::eventually;
use crate::queues;
use crate::receiver::Answer;

/// A payload that no list may show.
const PRIVATE: &str = "+447700900123";

/// An event that a worker parked before somebody mended what was wrong with it, beside one that stays wrong.
pub async fn what_is_parked_is_shown_and_put_back(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    site.operator.add_webhook(&endpoint.url).await?;
    let amqp = site.amqp().await?;
    amqp.publish(&parked("parked-1", "evt-mended", "bellhop.test.events.0")).await?;
    let worker = site.worker().await?;
    let mut wrong = Message::event("test", SCHEDULED, "evt-wrong", APPOINTMENT);
    wrong.properties = wrong.properties.with_type("appointment.cancelled".into());
    amqp.publish(&wrong).await?;
    let listed = await_listed(&site, "test", 2).await?;

    let of = |event: &str| listed.iter().find(|message| message["messageId"] == event).cloned();
    let told = of("evt-wrong").context("the worker's own is not listed")?;
    ensure!(told["origin"] == "bellhop.test.events.0" && told["organisation"] == ORGANISATION, "{told}");
    ensure!(told["reason"].as_str().is_some_and(|reason| reason.contains("the property type")), "{told}");
    ensure!(told["since"].is_string() && told["payload"].is_null(), "{told}");
    let shown = run(&site, &["show", "parked-1"]).await?.succeeded()?.stdout;
    for told in ["evt-mended", "because a case says so", "bellhop.test.events.0", ORGANISATION, "s ago"] {
        ensure!(shown.contains(told), "`{told}` is missing in {shown}");
    }
    let list = run(&site, &["list"]).await?.succeeded()?.stdout;
    ensure!(
        !shown.contains(PRIVATE) && !list.contains(PRIVATE),
        "health data is shown unasked: {shown} {list}"
    );
    ensure!(list.contains("`bellhop.live.parked` is empty"), "{list}");
    let opened = run(&site, &["show", "parked-1", "--payload"]).await?.succeeded()?.stdout;
    ensure!(opened.contains(PRIVATE), "{opened}");

    run(&site, &["redrive", "nobody"]).await?.ended_with(1)?.complains_of(&["is called `nobody`"])?;
    let moved = run(&site, &["redrive", "parked-1"]).await?.succeeded()?.stdout;
    ensure!(moved.contains("1 message is back"), "{moved}");
    let request = endpoint.await_requests(1).await?.remove(0);
    ensure!(request.webhook_id() == "evt-mended", "{request}");
    // What is still wrong is parked again, under another id.
    let id = told["id"].as_str().context("an id")?;
    run(&site, &["redrive", id]).await?.succeeded()?;
    let again = await_listed(&site, "test", 1).await?;
    ensure!(again[0]["id"] != id && again[0]["messageId"] == "evt-wrong", "{again:?}");
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 1, "{:?}", endpoint.requests());
    Ok(())
}

/// An event that is handed out too often, as when it kills each worker that takes it; and an attempt that is due.
pub async fn what_the_broker_parked_is_put_back_as_it_was(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let amqp = site.amqp().await?;
    amqp.publish(&Message::event("test", SCHEDULED, "evt-poison", APPOINTMENT)).await?;
    ensure!(100 <= amqp.wear_out("bellhop.test.events.0").await?, "the broker gave up early");
    let mut due = Message::event("test", SCHEDULED, "evt-due", APPOINTMENT);
    due.exchange = "bellhop.test".to_owned();
    due.routing_key = "due".to_owned();
    let owed = [
        ("webhook", webhook.id.as_str()),
        ("series", "4"),
        ("attempt", "3"),
        ("accepted-at", "1700000000000"),
    ];
    for (name, value) in owed {
        add_header(&mut due, &format!("bellhop-{name}"), value);
    }
    amqp.publish(&due).await?;
    amqp.wear_out("bellhop.test.due").await?;
    let listed = await_listed(&site, "test", 2).await?;
    for message in &listed {
        ensure!(message["reason"].as_str().is_some_and(|reason| reason.contains("too often")), "{message}");
        ensure!(message["organisation"] == ORGANISATION && message["since"].is_string(), "{message}");
    }
    ensure!(listed[0]["origin"] == "bellhop.test.events.0" && listed[1]["origin"] == "bellhop.test.due");
    ensure!(listed[1]["series"] == "4" && listed[1]["attempt"] == "3", "{}", listed[1]);

    run(&site, &["redrive", "--queue", "test", "--count", "2"]).await?.succeeded()?;
    let worker = site.worker().await?;
    let mut requests = endpoint.await_requests(2).await?;
    requests.sort_by_key(|request| request.webhook_id().to_owned());
    let seen: Vec<_> = requests.iter().map(|request| (request.webhook_id(), request.attempt())).collect();
    ensure!(seen == [("evt-due", 3), ("evt-poison", 1)], "{seen:?}");
    site.ensure_nothing_owed(worker).await?;
    amqp.ensure_empty([queues::parked("test").as_str()]).await
}

/// The queue it came from is missing.
pub async fn what_cannot_go_back_stays(context: Context) -> Result<()> {
    let site = context.site().await?;
    let amqp = site.amqp().await?;
    amqp.publish(&parked("parked-due", "evt-due", "bellhop.test.due")).await?;
    let mut from_nowhere = parked("parked-nowhere", "evt-nowhere", "elsewhere");
    from_nowhere.properties = from_nowhere.properties.with_timestamp(0);
    amqp.publish(&from_nowhere).await?;
    let due = format!("queues/{}/bellhop.test.due", site.place.virtual_host());
    site.place.manage(Method::DELETE, &due, "").await?;

    let refused = run(&site, &["redrive", "parked-due", "parked-nowhere"]).await?.ended_with(1)?;
    refused.complains_of(&["`parked-due`: it stays parked", "`parked-nowhere`: the message does not say"])?;
    let left = await_listed(&site, "test", 2).await?;
    ensure!(left[0]["id"] == "parked-due" && left[1]["id"] == "parked-nowhere", "{left:?}");
    site.operator.prepare().await?;
    run(&site, &["redrive", "parked-due"]).await?.succeeded()?;
    let back = amqp.take("bellhop.test.due", 1).await?.remove(0);
    ensure!(back.body == Message::event("test", SCHEDULED, "evt-due", APPOINTMENT).body);
    ensure!(back.header("bellhop-reason").is_none() && back.header("organisation-id").is_some());
    Ok(())
}

/// By id, or the oldest of a queue; what lies behind them stays.
pub async fn only_what_was_counted_is_thrown_away(context: Context) -> Result<()> {
    let site = context.site().await?;
    let amqp = site.amqp().await?;
    for number in 0..5 {
        let message = parked(&format!("parked-{number}"), "evt", "bellhop.test.events.0");
        amqp.publish(&message).await?;
    }
    await_listed(&site, "test", 5).await?;
    run(&site, &["discard", "parked-2"]).await?.succeeded()?;
    let oldest = ["discard", "--queue", "test", "--count"];
    let refused = run(&site, &[&oldest[..], &["5"]].concat()).await?.ended_with(2)?;
    refused.complains_of(&["holds 4 messages, not 5", "bellhop parked list"])?;
    run(&site, &["discard", "--count", "1"]).await?.ended_with(2)?.complains_of(&["--queue"])?;
    run(&site, &["discard", "--queue", "test"]).await?.ended_with(2)?;
    run(&site, &["discard"]).await?.ended_with(2)?;
    let ids = async |count| {
        let left = await_listed(&site, "test", count).await?;
        let ids = left.iter().filter_map(|message| message["id"].as_str().map(str::to_owned));
        anyhow::Ok(ids.collect::<Vec<_>>())
    };
    let left = ids(4).await?;
    ensure!(left == ["parked-0", "parked-1", "parked-3", "parked-4"], "{left:?}");
    let told = run(&site, &[&oldest[..], &["3"]].concat()).await?.succeeded()?.stdout;
    ensure!(told.contains("3 messages are gone for good"), "{told}");
    let left = ids(1).await?;
    ensure!(left == ["parked-4"], "{left:?}");
    run(&site, &[&oldest[..], &["1"]].concat()).await?.succeeded()?;
    amqp.ensure_empty([queues::parked("test").as_str()]).await
}

/// What the recorder could not write, and what fits no queue.
pub async fn messages_of_the_log_are_told_by_their_reason(context: Context) -> Result<()> {
    let site = context.site().await?;
    let amqp = site.amqp().await?;
    let _recorder = site.recorder().await?;
    amqp.publish(&Message::of_log(format!("nonsense {PRIVATE}").into_bytes())).await?;
    let listed = await_listed(&site, "log", 1).await?;
    ensure!(listed[0]["origin"] == "bellhop.log", "{listed:?}");
    ensure!(listed[0]["reason"].as_str().is_some_and(|reason| reason.contains("not well formed")));
    ensure!(!listed[0].to_string().contains(PRIVATE), "{listed:?}");
    let lost = Message {
        routing_key: "prod.appointment.x".to_owned(),
        ..Message::event("test", SCHEDULED, "evt-lost", APPOINTMENT)
    };
    amqp.publish(&lost).await?;
    let listed = await_listed(&site, "unroutable", 1).await?;
    ensure!(listed[0]["id"] == "evt-lost", "{listed:?}");
    ensure!(listed[0]["reason"].as_str().is_some_and(|reason| reason.contains("`prod.appointment.x`")));
    run(&site, &["discard", "evt-lost"]).await?.succeeded()?;
    amqp.ensure_empty([queues::UNROUTABLE]).await
}

/// A message as a worker parks it.
fn parked(id: &str, event: &str, origin: &str) -> Message {
    let mut message = Message::event("test", SCHEDULED, event, APPOINTMENT);
    let key = std::mem::replace(&mut message.routing_key, "parked".to_owned());
    message.exchange = "bellhop.test".to_owned();
    message.properties = message.properties.with_message_id(id.into());
    for (name, value) in [
        ("bellhop-reason", "because a case says so"),
        ("bellhop-origin", origin),
        ("bellhop-message-id", event),
        ("bellhop-routing-key", &key),
        ("bellhop-parked-at", "1700000000000"),
    ] {
        add_header(&mut message, name, value);
    }
    message
}

fn add_header(message: &mut Message, name: &str, value: &str) {
    let mut headers = message.properties.headers().clone().unwrap_or_default();
    headers.insert(name.into(), AMQPValue::LongString(value.into()));
    message.properties = message.properties.clone().with_headers(headers);
}

async fn run(site: &Site, arguments: &[&str]) -> Result<crate::program::Finished> {
    site.operator.program().run(&[&["parked"], arguments].concat()).await
}

/// Waits until a queue lists so many messages, and gives them.
async fn await_listed(site: &Site, queue: &str, count: usize) -> Result<Vec<Value>> {
    let look = async || {
        let printed = run(site, &["list", "--queue", queue, "--output", "json"]).await?.succeeded()?.stdout;
        let printed: Value = serde_json::from_str(&printed).with_context(|| printed.clone())?;
        let listed = printed["parked"].as_array().context("a list")?.clone();
        ensure!(listed.len() == count, "{listed:?}");
        Ok(Some(listed))
    };
    eventually(format!("{count} parked messages"), look).await
}
