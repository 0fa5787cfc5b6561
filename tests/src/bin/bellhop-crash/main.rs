//! Every fault in the middle of a steady stream of events, and whether each promise was kept: one row each.
//!
//! Servers are started for this run alone and ill-treated one after the other. Each row has a place of its own on them,
//! with two workers, four webhooks, and a publisher that goes on whatever happens.

mod conditions;
mod rows;

mod faults;
mod publisher;
mod recorded;
mod scene;
mod trial;

mod report;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bellhop_tests::ground::Ground;
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::run::run_within;
use bellhop_tests::stack::{Service, Stack};

use crate::conditions::Conditions;
use crate::rows::ROWS;

/// No run takes longer, whatever hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(30 * 60);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => {
            print!("{}", help());
            return Ok(ExitCode::SUCCESS);
        }
        Some(argument) => bail!("`{argument}` is not understood; bellhop-crash --help says what can be set"),
    }
    let conditions = Conditions::read()?;
    let is_kept = run_within(RUN_TIMEOUT, run(&conditions)).await?;
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries row after row.
///
/// * returns whether every promise was kept.
async fn run(conditions: &Conditions) -> Result<bool> {
    let folder = conditions.output.parent().context("the figures go to a file in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let logs = folder.join("crash-logs");
    if logs.exists() {
        std::fs::remove_dir_all(&logs).context("remove the logs of an earlier run")?;
    }
    let began = Instant::now();
    let ground = Ground::prepare()?;
    let mut stack = Arc::new(Stack::start(&ground, &Service::ALL).await?);
    let machine = Machine::describe(&stack).await?;
    println!("{machine}{conditions}\n{}", report::head());
    let mut outcomes = Vec::new();
    for row in &conditions.rows {
        let outcome = trial::run(row, (&ground, &stack), conditions, &logs).await;
        println!("{}", report::line(&outcome));
        if outcome.figures.is_err() {
            // Whatever state the servers are in, the next row is not to suffer from it.
            stack = Arc::new(Stack::start(&ground, &Service::ALL).await?);
        }
        outcomes.push(outcome);
    }
    println!("\n{}\n", report::foot());
    report::write(&conditions.output, &outcomes, conditions, &machine)?;
    let broken: Vec<&str> = outcomes.iter().filter(|row| !row.is_kept()).map(|row| row.name).collect();
    let took = began.elapsed().as_secs();
    if broken.is_empty() {
        println!("every promise was kept in {} rows; {took} s", outcomes.len());
    } else {
        println!("BROKEN: {}; {took} s; workers' logs: {}", broken.join(", "), logs.display());
    }
    Ok(broken.is_empty())
}

fn help() -> String {
    let rows: Vec<String> = ROWS.iter().map(|row| format!("  {:<20} {}", row.name, row.words)).collect();
    format!(
        "Usage: bellhop-crash, most easily as `make crash`

Kills, pauses and starves workers and servers in the middle of a steady stream of events, and says of each fault what
was lost (nothing), what was repeated, and how long it took to recover. Fails when a promise was broken.

Environment variables:
  RATE      events per second, 10 to 2000; default 50
  SECONDS   how long before, during and after each fault, 1 to 60; default 2
  ROWS      which faults, separated by commas; default all
  OUTPUT    where the figures go; default target/bench/crash.json

Faults:
{}
",
        rows.join("\n")
    )
}
