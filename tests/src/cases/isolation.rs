//! One bad webhook costs the others nothing, and is owed nothing less for it.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::account::{Account, ensure_no_ends, load};
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::{Answer, Closed, Endpoint, Gate, Receiver, Request};
use crate::worker::Worker;

/// Enough that each bad webhook gets more than it has places and room for.
const EVENTS: usize = 30;

const HEALTHY: [&str; 3] = ["healthy", "hale", "hearty"];

/// How many requests may be under way at one webhook.
const PLACES: usize = 4;

/// Deadlines so long that nothing ends by them: what is held stays held until the case lets go.
const SETTINGS: [(&str, &str); 7] = [
    ("BELLHOP_WORKER_WEBHOOK_IN_FLIGHT_MAX", "4"),
    ("BELLHOP_WORKER_FRESH_IN_FLIGHT_MAX", "24"),
    ("BELLHOP_WORKER_SLOW_IN_FLIGHT_MAX", "24"),
    ("BELLHOP_WORKER_DUE_IN_FLIGHT_MAX", "24"),
    ("BELLHOP_SENDER_REQUEST_TIMEOUT", "60s"),
    ("BELLHOP_SHUTDOWN_DRAIN_TIMEOUT", "90s"),
    ("BELLHOP_SHUTDOWN_GRACE", "100s"),
];

/// One webhook hangs, one refuses connections, one is slow, three are well; every event is for all of them.
///
/// The healthy ones have everything while the hanging one still holds its first requests. Then all are healed, and every
/// one gets every event, once.
pub async fn bad_webhooks_cost_the_others_nothing(context: Context) -> Result<()> {
    let site = context.site_with(&SETTINGS).await?;
    let receiver = context.receiver().await?;
    let gate = Gate::default();
    let hanging = receiver.endpoint("hanging", Answer::status(200).behind(&gate));
    let slow = receiver.endpoint("slow", Answer::status(200).after(Duration::from_millis(200)));
    let refusing = Closed::take()?;
    let healthy = HEALTHY.map(|name| receiver.endpoint(name, Answer::status(200)));
    let urls = healthy.iter().chain([&hanging, &slow]).map(|endpoint| endpoint.url.clone());
    for url in urls.chain([refusing.url("refusing")]) {
        site.operator.add_webhook(&url).await?;
    }
    let worker = site.worker().await?;

    site.amqp().await?.publish_all(&load(EVENTS)).await?;

    for endpoint in &healthy {
        endpoint.await_requests(EVENTS).await?;
    }
    let held = hanging.requests();
    ensure!(held.len() == PLACES, "{} requests hang", held.len());
    ensure!(held.iter().all(|request| request.status().is_none()), "{held:?}");
    await_shown(&worker, "bellhop_breakers_open{guards=\"host\",mode=\"test\"} 1").await?;
    await_shown(&worker, "bellhop_breakers_open{guards=\"webhook\",mode=\"test\"} 0").await?;

    gate.open();
    let recovered = refusing.open()?;
    let late = recovered.endpoint("refusing", Answer::status(200));
    late.await_requests(EVENTS).await?;
    receiver.await_taken(EVENTS * (HEALTHY.len() + 2)).await?;
    recovered.await_taken(EVENTS).await?;

    for reason in ["busy", "unavailable"] {
        let none = format!("bellhop_deferrals_total{{mode=\"test\",reason=\"{reason}\"}} 0");
        ensure!(!worker.metrics().await?.lines().any(|line| line == none), "nothing was {reason}");
    }
    site.ensure_nothing_owed(worker).await?;
    ensure_no_ends(&site.amqp().await?).await?;
    let requests: Vec<Request> = [receiver.requests(), recovered.requests()].concat();
    let account = Account::of(requests);
    account.ensure_nothing_lost(EVENTS, &HEALTHY)?;
    account.ensure_nothing_lost(EVENTS, &["hanging", "slow", "refusing"])?;
    account.ensure_bounded(0)?;
    ensure!(slow.requests().len() == EVENTS, "the slow endpoint saw {} requests", slow.requests().len());
    Ok(())
}

/// Longer than a webhook may take that is not slow.
const SLOW: Duration = Duration::from_millis(1_100);

const DIVERTED: &str = "bellhop_diversions_total{mode=\"test\",reason=\"slow\"}";

/// Once a worker has seen that two webhooks are slow, nothing of theirs holds a place of the fresh lane, although one of
/// them hangs; and every one gets every event, once.
pub async fn slow_webhooks_go_by_a_lane_of_their_own(context: Context) -> Result<()> {
    let site = context.site_with(&SETTINGS).await?;
    let receiver = context.receiver().await?;
    let gate = Gate::default();
    let hanging = slow_then_hanging(&receiver, "hanging", &gate);
    let slow = receiver.endpoint("slow", Answer::status(200).after(SLOW));
    let healthy = HEALTHY.map(|name| receiver.endpoint(name, Answer::status(200)));
    for endpoint in healthy.iter().chain([&hanging, &slow]) {
        site.operator.add_webhook(&endpoint.url).await?;
    }
    let worker = site.worker().await?;
    let (first, others) = (load(1), load(EVENTS).split_off(1));
    site.amqp().await?.publish_all(&first).await?;
    receiver.await_taken(HEALTHY.len() + 2).await?;

    site.amqp().await?.publish_all(&others).await?;

    for endpoint in &healthy {
        endpoint.await_requests(EVENTS).await?;
    }
    hanging.await_requests(1 + PLACES).await?;
    await_shown(&worker, "bellhop_lane_in_flight{lane=\"fresh\",mode=\"test\"} 0").await?;
    worker.await_figure("bellhop_lane_in_flight{lane=\"slow\",mode=\"test\"}", PLACES as u64).await?;
    let diverted = usize::try_from(worker.figure(DIVERTED).await?)?;
    ensure!(diverted == 2 * others.len(), "{diverted} deliveries were diverted");
    ensure!(hanging.requests().len() == 1 + PLACES, "{:?}", hanging.requests());

    gate.open();
    receiver.await_taken(EVENTS * (HEALTHY.len() + 2)).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure_no_ends(&site.amqp().await?).await?;
    let account = Account::of(receiver.requests());
    account.ensure_nothing_lost(EVENTS, &HEALTHY)?;
    account.ensure_nothing_lost(EVENTS, &["hanging", "slow"])?;
    ensure!(account.repeats() == 0, "{} requests were repeated", account.repeats());
    Ok(())
}

/// What it has in hand of the slow lane a worker finishes; what it had not begun, another one does.
pub async fn a_worker_that_stops_repeats_nothing_of_the_slow_lane(context: Context) -> Result<()> {
    let site = context.site_with(&SETTINGS).await?;
    let receiver = context.receiver().await?;
    let gate = Gate::default();
    let hanging = slow_then_hanging(&receiver, "hanging", &gate);
    site.operator.add_webhook(&hanging.url).await?;
    let worker = site.worker().await?;
    site.amqp().await?.publish_all(&load(1)).await?;
    receiver.await_taken(1).await?;
    site.amqp().await?.publish_all(&load(EVENTS).split_off(1)).await?;
    hanging.await_requests(1 + PLACES).await?;
    worker.await_figure(DIVERTED, EVENTS as u64 - 1).await?;

    worker.terminate().await?;
    worker.logs().await_line("draining").await?;
    gate.open();
    let status = worker.ended().await?;

    ensure!(status.success(), "the worker ended with {status}");
    let successor = site.worker().await?;
    receiver.await_taken(EVENTS).await?;
    site.ensure_nothing_owed(successor).await?;
    ensure_no_ends(&site.amqp().await?).await?;
    let account = Account::of(receiver.requests());
    account.ensure_nothing_lost(EVENTS, &["hanging"])?;
    ensure!(account.repeats() == 0, "{} requests were repeated", account.repeats());
    Ok(())
}

/// An endpoint whose first answer is slow, and whose others wait until they are let go.
fn slow_then_hanging(receiver: &Receiver, name: &str, gate: &Gate) -> Endpoint {
    let held = Answer::status(200).behind(gate);
    receiver.endpoint_in_turn(name, vec![Answer::status(200).after(SLOW), held])
}

/// Waits until a worker's metrics have a line.
async fn await_shown(worker: &Worker, shown: &str) -> Result<()> {
    let look = || async { Ok(worker.metrics().await?.lines().any(|line| line == shown).then_some(())) };
    eventually(format!("`{shown}` among a worker's metrics"), look).await
}
