//! What the delivery log costs: a recorder on one core, queries over many requests, a day dropped under load, disk.
//!
//! Servers are started for this run alone. The recorder runs pinned to one core; PostgreSQL is wherever the kernel puts it,
//! and its CPU time is told apart.

mod drop_day;
mod intake;
mod queries;
mod report;
mod stage;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bellhop_tests::appointment::ORGANISATION;
use bellhop_tests::choice::number;
use bellhop_tests::measuring::run::run_within;
use bellhop_tests::measuring::seed::{self, Seed};
use bellhop_tests::tree;
use serde::Serialize;
use tokio::runtime::Builder;

use crate::report::Report;
use crate::stage::Stage;

/// No run takes longer, whatever hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(90 * 60);

/// How many webhooks share the half of all deliveries that is not the hot one's.
const QUIET_WEBHOOKS: u32 = 1_000;

/// What can be chosen, through environment variables.
#[derive(Debug, Clone, Copy, Serialize)]
struct Conditions {
    /// Deliveries that a recorder writes, each with its event, one request and an answer.
    deliveries: usize,
    /// Requests that are in the tables when they are asked, over thirty days.
    attempts: usize,
    /// How often each query is asked.
    runs: usize,
}

fn main() -> Result<()> {
    if std::env::args().len() > 1 {
        bail!("bellhop-bench-log takes no arguments; `make` says what can be set");
    }
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run_within(RUN_TIMEOUT, measure()))
}

async fn measure() -> Result<()> {
    let conditions = Conditions {
        deliveries: number("DELIVERIES", 50_000, 1_000..=1_000_000)?,
        attempts: number("ATTEMPTS", 10_000_000, 3_000..=50_000_000)?,
        runs: number("RUNS", 500, 100..=10_000)?,
    };
    let folder = tree::repository().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let stage = Stage::set(&folder).await?;
    let intake =
        intake::measure(&stage, conditions.deliveries).await.context("fill the log and record it")?;
    let quiet: Vec<String> = (1..=QUIET_WEBHOOKS).map(queries::quiet).collect();
    let seed =
        Seed { organisation: ORGANISATION, hot: &stage.hot, quiet: &quiet, deliveries: conditions.attempts };
    let days = seed::fill(&stage.store, &stage.tables, &seed).await.context("fill the tables")?;
    let queries = queries::measure(&stage, conditions.runs).await.context("ask the tables")?;
    let drop_day = drop_day::measure(&stage, &days).await.context("drop a day")?;
    let report = Report { conditions, machine: &stage.machine, intake, queries, drop_day };
    print!("{report}");
    report.write(&folder.join("log.json"))
}
