//! An orderly shutdown is no fault: it returns only what was not yet sent.

use anyhow::{Result, ensure};

use crate::account::{Account, load};
use crate::context::Context;
use crate::receiver::{Answer, Gate};

const EVENTS: usize = 600;

/// One of two workers is told to stop while both are busy.
pub async fn a_worker_that_is_told_to_stop_under_load_loses_and_repeats_nothing(
    context: Context,
) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    for name in ["one", "two"] {
        let endpoint = receiver.endpoint(name, Answer::status(200));
        site.operator.add_webhook(&endpoint.url).await?;
    }
    let (leaving, staying) = tokio::try_join!(site.worker(), site.worker())?;

    site.amqp().await?.publish_all(&load(EVENTS)).await?;
    receiver.await_taken(200).await?;
    let status = leaving.drain().await?;
    ensure!(status.success(), "the worker ended with {status}");

    receiver.await_taken(EVENTS * 2).await?;
    site.ensure_nothing_owed(staying).await?;
    let account = Account::of(receiver.requests());
    account.ensure_nothing_lost(EVENTS, &["one", "two"])?;
    ensure!(account.repeats() == 0, "{} requests were repeated", account.repeats());
    Ok(())
}

/// The endpoint answers only after the worker was told to stop.
pub async fn a_request_under_way_is_finished_before_the_worker_ends(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let gate = Gate::default();
    let endpoint = receiver.endpoint("hook", Answer::status(200).behind(&gate));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;
    endpoint.await_requests(1).await?;
    worker.terminate().await?;
    gate.open();
    let status = worker.ended().await?;
    ensure!(status.success(), "the worker ended with {status}");

    let successor = site.worker().await?;
    site.ensure_nothing_owed(successor).await?;
    ensure!(endpoint.requests().len() == 1, "the request was repeated: {:?}", endpoint.requests());
    Ok(())
}
