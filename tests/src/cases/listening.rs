//! `bellhop listen`: the receiver that people try webhooks out with.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::context::Context;
use crate::program::Program;
use crate::relay::Relay;
use crate::worker::Logs;

/// It is told to fail twice; each attempt is verified, printed and answered in turn.
pub async fn a_local_receiver_verifies_and_answers_in_turn(context: Context) -> Result<()> {
    let site = context.site().await?;
    // The secret is known after the URL is registered, and the port after the receiver has started.
    let relay = Relay::open().await?;
    let webhook = site.operator.add_webhook(&relay.url()).await?;
    let arguments = [
        "listen",
        "--port",
        "0",
        "--output",
        "json",
        "--sequence",
        "500,503,200",
        "--secret",
        &webhook.secret,
    ];
    let (logs, _listener) = listen(site.operator.program(), &arguments)?;
    let first = logs.await_line("listening on").await?;
    let address = first.trim_start_matches("listening on http://").parse().context("an address")?;
    relay.point(address);
    let worker = site.worker().await?;
    site.operator.publish_appointment().await?;

    logs.await_line("\"answered\":200").await?;
    site.ensure_nothing_owed(worker).await?;
    let told: Vec<Value> =
        logs.lines().iter().skip(1).map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
    let answered: Vec<(u64, u64)> = told
        .iter()
        .map(|line| {
            (line["attempt"].as_u64().unwrap_or_default(), line["answered"].as_u64().unwrap_or_default())
        })
        .collect();
    ensure!(answered == [(1, 500), (2, 503), (3, 200)], "{answered:?}");
    ensure!(told.iter().all(|line| line["signature"] == "verified"), "{told:?}");
    Ok(())
}

/// Starts a receiver; it ends with the returned child.
fn listen(program: &Program, arguments: &[&str]) -> Result<(Logs, tokio::process::Child)> {
    let mut child = program.command(arguments).spawn().context("start bellhop listen")?;
    let stdout = child.stdout.take().context("a receiver has a standard output")?;
    let logs = Logs::default();
    tokio::spawn(logs.clone().follow(stdout));
    Ok((logs, child))
}
