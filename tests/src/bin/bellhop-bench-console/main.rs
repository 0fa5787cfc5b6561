//! How long each page of the console takes, and how heavy it is, over a log of a million deliveries of one organisation.
//!
//! Servers are started for this run alone, with a `bellhop api` in front of them. One visitor asks for one page at a time
//! over a connection that is kept; beside the pages stand a floor, a page that looks nothing up, and what the REST API
//! answers from the same rows. Figures are of the whole answer. The run fails when a page breaks the promise.

mod pages;
mod report;
mod stage;
mod visit;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bellhop_tests::choice::number;
use bellhop_tests::measuring::run::run_within;
use bellhop_tests::tree;
use serde::Serialize;
use tokio::runtime::Builder;

use crate::report::Report;
use crate::stage::Stage;

/// No run takes longer, whatever hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What can be chosen, through environment variables.
#[derive(Debug, Clone, Copy, Serialize)]
struct Conditions {
    /// Deliveries that are in the log, over thirty days.
    deliveries: usize,
    /// How often each page is asked for.
    runs: usize,
}

fn main() -> Result<()> {
    if std::env::args().len() > 1 {
        bail!("bellhop-bench-console takes no arguments; `make` says what can be set");
    }
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run_within(RUN_TIMEOUT, measure()))
}

async fn measure() -> Result<()> {
    let conditions = Conditions {
        deliveries: number("DELIVERIES", 1_000_000, 3_000..=10_000_000)?,
        runs: number("RUNS", 300, 20..=10_000)?,
    };
    let folder = tree::repository().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let stage = Stage::set(&folder, conditions.deliveries).await?;
    let rows = pages::measure(&stage, conditions.runs).await?;
    let report = Report { conditions, machine: &stage.machine, rows };
    print!("{report}");
    report.write(&folder.join("console.json"))?;
    report.ensure_kept()
}
