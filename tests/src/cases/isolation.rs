//! One bad webhook costs the others nothing, and is owed nothing less for it.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::account::{Account, ensure_no_ends, load};
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::{Answer, Closed, Gate, Request};
use crate::worker::Worker;

/// Enough that each bad webhook gets more than it has places and room for.
const EVENTS: usize = 30;

const HEALTHY: [&str; 3] = ["healthy", "hale", "hearty"];

/// How many requests may be under way at one webhook.
const PLACES: usize = 4;

/// Deadlines so long that nothing ends by them: what is held stays held until the case lets go.
const SETTINGS: [(&str, &str); 6] = [
    ("BELLHOP_WORKER_WEBHOOK_IN_FLIGHT_MAX", "4"),
    ("BELLHOP_WORKER_FRESH_IN_FLIGHT_MAX", "24"),
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

/// Waits until a worker's metrics have a line.
async fn await_shown(worker: &Worker, shown: &str) -> Result<()> {
    let look = || async { Ok(worker.metrics().await?.lines().any(|line| line == shown).then_some(())) };
    eventually(format!("`{shown}` among a worker's metrics"), look).await
}
