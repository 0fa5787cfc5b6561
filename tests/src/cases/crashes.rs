//! Kills under load: nothing is lost, and what is repeated is bounded by the number of faults.

use anyhow::{Result, ensure};

use crate::account::{Account, load};
use crate::context::{Context, Site};
use crate::receiver::{Answer, Receiver};
use crate::stack::Service;

/// Enough that a kill falls among requests, settlements and retries alike.
const EVENTS: usize = 600;

/// Who is owed every event.
pub(super) const ENDPOINTS: [&str; 3] = ["steady", "other", "flaky"];

/// How many deliveries are made before the fault strikes.
pub(super) const TAKEN_BEFORE_FAULT: usize = 300;

/// How many events, and how many deliveries of the slow and of the due lane each, a worker has in hand at most.
pub(super) const IN_HAND_MAX: usize = 20;

/// One of two workers is killed and replaced. What it had in hand is what may be repeated.
pub async fn a_killed_worker_loses_nothing_and_repeats_little(context: Context) -> Result<()> {
    let in_hand_max = IN_HAND_MAX.to_string();
    let bounds = [
        ("BELLHOP_WORKER_FRESH_IN_FLIGHT_MAX", in_hand_max.as_str()),
        ("BELLHOP_WORKER_SLOW_IN_FLIGHT_MAX", &in_hand_max),
        ("BELLHOP_WORKER_DUE_IN_FLIGHT_MAX", &in_hand_max),
    ];
    let site = context.site_with(&bounds).await?;
    let receiver = endpoints(&context, &site).await?;
    let (victim, survivor) = tokio::try_join!(site.worker(), site.worker())?;

    site.amqp().await?.publish_all(&load(EVENTS)).await?;
    receiver.await_taken(TAKEN_BEFORE_FAULT).await?;
    victim.kill().await?;
    let replacement = site.worker().await?;

    receiver.await_taken(EVENTS * ENDPOINTS.len()).await?;
    survivor.drain().await?;
    site.ensure_nothing_owed(replacement).await?;
    let account = ensure_account(&receiver, 1)?;
    let repeats_max = IN_HAND_MAX * ENDPOINTS.len() + 2 * IN_HAND_MAX;
    ensure!(account.repeats() <= repeats_max, "{} requests were repeated", account.repeats());
    Ok(())
}

/// What a killed broker may forget of one delivery: the acknowledgement of the event, and that of a waiting copy.
const FORGOTTEN_MAX: usize = 2;

/// The broker is killed and comes back with what it had on disk.
pub async fn a_killed_broker_loses_nothing_and_repeats_little(context: Context) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let site = context.site_on(&broker).await?;
    let receiver = endpoints(&context, &site).await?;
    let worker = site.worker().await?;

    site.amqp().await?.publish_all(&load(EVENTS)).await?;
    receiver.await_taken(TAKEN_BEFORE_FAULT).await?;
    broker.kill(Service::Rabbitmq).await?;
    broker.revive(Service::Rabbitmq).await?;

    receiver.await_taken(EVENTS * ENDPOINTS.len()).await?;
    worker.await_ready().await?;
    site.ensure_nothing_owed(worker).await?;
    ensure_account(&receiver, FORGOTTEN_MAX).map(drop)
}

/// Two endpoints that take everything, and one that takes everything at the second attempt.
pub(super) async fn endpoints(context: &Context, site: &Site) -> Result<Receiver> {
    let receiver = context.receiver().await?;
    for name in ENDPOINTS {
        let endpoint = receiver.endpoint_by(name, |request, _| {
            let is_refused = request.path() == "/flaky" && request.attempt() == 1;
            Answer::status(if is_refused { 500 } else { 200 })
        });
        site.operator.add_webhook(&endpoint.url).await?;
    }
    Ok(receiver)
}

fn ensure_account(receiver: &Receiver, faults: usize) -> Result<Account> {
    let account = Account::of(receiver.requests());
    account.ensure_nothing_lost(EVENTS, &ENDPOINTS)?;
    account.ensure_bounded(faults)?;
    Ok(account)
}
