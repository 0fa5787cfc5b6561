//! Processes that are gone, stand still, or are short of something.

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::{await_alerts, await_alerts_while, await_silence};
use crate::cases::observing::observed::{Observed, watch};
use crate::cases::recording::tables::Tables;
use crate::context::Context;
use crate::stack::Service;
use crate::worker::Worker;

/// How many descriptors a worker may open beyond those that it has.
const SPARE_DESCRIPTORS: u64 = 1;

/// PostgreSQL is killed under a fleet that is well: what needs it says so, and the upkeep of the log, which waits for a lock
/// at that moment, fails. Then the only worker is killed.
pub async fn processes_that_cannot_work_or_are_gone_are_told(context: Context) -> Result<()> {
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let site = context.site_on_with(&stack, &[(variable, &authority)]).await?;
    let locking = Tables::open(&site).await?;
    locking.lock("idempotent_answers").await?;
    let observed = Observed::start(site, receiver).await?;
    let prometheus = observed.prometheus(&context).await?;
    await_silence(&prometheus).await?;

    stack.kill(Service::Postgres).await?;
    let expected = [
        "BellhopPostgresUnreachable",
        "BellhopProcessNotReady",
        "BellhopRecorderStalled",
        "BellhopLogUpkeepFails",
        "BellhopApiErrors",
    ];
    let ask = || async {
        observed.publish("live", 1).await?;
        let answer = observed.caller.get("/v1/webhooks").await?;
        ensure!(500 <= answer.status, "the API answers {} without PostgreSQL", answer.status);
        Ok(())
    };
    await_alerts_while(&prometheus, &expected, ask).await?;

    observed.kill_worker().await?;
    await_alerts(&prometheus, &["BellhopNoWorkerReady", "BellhopQueueWithoutConsumer"]).await
}

/// A worker may open hardly more than it has open.
pub async fn scarce_descriptors_are_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    limit_descriptors(&worker, worker.figure("process_open_fds").await? + SPARE_DESCRIPTORS).await?;
    await_alerts(&prometheus, &["BellhopDescriptorsScarce"]).await
}

async fn limit_descriptors(worker: &Worker, limit: u64) -> Result<()> {
    let pid = worker.pid().context("the worker has ended")?.to_string();
    let limit = format!("--nofile={limit}");
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await?;
    ensure!(status.success(), "a limit cannot be set");
    Ok(())
}
