//! What one bad webhook costs the others, in figures: each scenario with and without what harms, one right after the other.
//!
//! Without arguments this is the conductor: it starts servers that are thrown away, and gives each half of a scenario a
//! place of its own on them. Sink and publishers are processes of their own; the conductor starts them from this same
//! program as `bellhop-faults <role> <plan>`.

mod conditions;
mod files;
mod plan;
mod scenarios;
mod webhook;

mod sink;

mod audit;
mod cast;
mod fleet;
mod half;
mod meter;
mod recovering;
mod shards;
mod stage;

mod balance;
mod figures;
mod outcome;
mod report;

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bellhop_tests::measuring::publisher;
use bellhop_tests::measuring::role::read_plan;
use bellhop_tests::measuring::run::run_within;
use tokio::runtime::Builder;

use crate::conditions::Conditions;
use crate::half::Half;
use crate::outcome::Outcome;
use crate::scenarios::{SCENARIOS, Scenario};
use crate::stage::Stage;

/// No round takes longer, whatever hangs.
const ROUND_TIMEOUT: Duration = Duration::from_secs(60 * 60);

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => on_one_thread(conduct()),
        ["--help" | "-h"] => {
            print!("{}", help());
            Ok(ExitCode::SUCCESS)
        }
        ["sink", plan] => on_one_thread(sink::run(read_plan(plan)?)).map(|()| ExitCode::SUCCESS),
        ["publisher", plan] => on_one_thread(publisher::run(read_plan(plan)?)).map(|()| ExitCode::SUCCESS),
        _ => bail!("that is not understood; bellhop-faults --help says what can be set"),
    }
}

/// Runs everything, and clears up however it ends.
async fn conduct() -> Result<ExitCode> {
    let conditions = Conditions::read()?;
    let timeout = ROUND_TIMEOUT * u32::try_from(conditions.pairs)?;
    let is_kept = run_within(timeout, run(&conditions)).await?;
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Performs scenario after scenario.
///
/// * returns whether every promise was kept.
async fn run(conditions: &Conditions) -> Result<bool> {
    let folder = conditions.output.parent().context("the figures go to a file in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let began = Instant::now();
    let mut stage = Stage::set(folder, conditions.files).await?;
    let machine = stage.machine().await?;
    println!("{machine}{conditions}\n\n{}", report::head());
    let mut outcomes = Vec::new();
    for &scenario in &conditions.scenarios {
        let rounds = perform(&mut stage, scenario, conditions).await.map_err(|error| format!("{error:#}"));
        let outcome = Outcome { scenario, rounds };
        println!("{}", report::verdict(&outcome));
        if outcome.rounds.is_err() {
            // Whatever state the servers are in, the next scenario is not to suffer from it.
            drop(stage);
            stage = Stage::set(folder, conditions.files).await?;
        }
        outcomes.push(outcome);
    }
    println!("{}\n", report::foot(&outcomes));
    report::write(&conditions.output, &outcomes, conditions, &machine)?;
    let broken = outcomes.iter().filter(|outcome| !outcome.is_kept());
    let broken: Vec<&str> = broken.map(|outcome| outcome.scenario.name).collect();
    let took = began.elapsed().as_secs();
    if broken.is_empty() {
        println!("nothing was lost in {} scenarios; {took} s", outcomes.len());
        // After a failure they stay, to be read.
        std::fs::remove_dir_all(&stage.logs).context("remove the logs")?;
    } else {
        println!("BROKEN: {}; {took} s; logs: {}", broken.join(", "), stage.logs.display());
    }
    Ok(broken.is_empty())
}

/// Performs the halves of a scenario, round after round: one pair on a machine that does other things, too, says little.
async fn perform(stage: &mut Stage, scenario: &Scenario, conditions: &Conditions) -> Result<Vec<Vec<Half>>> {
    let count = if scenario.comparisons.is_empty() { 1 } else { conditions.pairs };
    let mut rounds = Vec::new();
    for round in 1..=count {
        let mut halves = Vec::new();
        let mut plans = (scenario.halves)(conditions);
        if round.is_multiple_of(2) {
            // What drifts while a round lasts is to favour no half.
            plans.reverse();
        }
        for plan in plans {
            let logs = format!("{}-{round}-{}", scenario.name, plan.name);
            let name = plan.name;
            let half = half::perform(stage, plan, &logs).await;
            let half = half.with_context(|| format!("the half `{name}` of round {round}"))?;
            println!("{}", report::line(scenario.name, round, &half));
            halves.push(half);
        }
        rounds.push(halves);
    }
    Ok(rounds)
}

fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn help() -> String {
    let scenarios: Vec<String> =
        SCENARIOS.iter().map(|scenario| format!("  {:<11} {}", scenario.name, scenario.words)).collect();
    format!(
        "Usage: bellhop-faults, most easily as `make faults`

Measures what bad webhooks, bursts and floods cost the healthy: each scenario with and without what harms. Fails when an
event was lost or a delivery had requests that could not be; aims are told, and missing one is no failure.

Environment variables:
  RATE      events per second, 100 to 20000; default 3000. A trickle is a tenth of it.
  SECONDS   how long each half publishes, 5 to 600; default 60
  EVENTS    events of a burst or flood, 500 to 500000; default 100000
  DEAD      dead endpoints at once, 30 to 30000; default 10000
  RECOVER   exhausted deliveries that are owed again, 100 to 1000000; default 100000
  PACE      how many of them a second, 1 to 1000; default 1000, the most that operators may ask for
  PAIRS     how often halves are compared, 1 to 15; default 3. Medians are told, and how far the rest lie.
  FILES     where the servers keep their files: memory, so that no disk shared with others disturbs, or disk; default
            memory
  ROWS      which scenarios, separated by commas; default all
  OUTPUT    where the figures go; default target/bench/isolation.json

Scenarios:
{}
",
        scenarios.join("\n")
    )
}
