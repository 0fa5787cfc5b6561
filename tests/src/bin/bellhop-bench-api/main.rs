//! How many requests the API answers on one core, how long they take, and what publishing over HTTP costs beside
//! publishing on the broker.
//!
//! The API runs pinned to one core; this program and the servers are wherever the kernel puts them, also on that one. Callers
//! keep a connection each and ask again as soon as they are answered, so that figures are of a full API, not an idle one.

mod load;
mod report;
mod stage;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bellhop_tests::choice::number;
use bellhop_tests::measuring::run::run_within;
use bellhop_tests::tree;
use tokio::runtime::Builder;

use crate::report::Report;
use crate::stage::Stage;

/// No run takes longer, whatever hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// What can be chosen, through environment variables.
#[derive(Debug, Clone, Copy)]
struct Conditions {
    /// Callers at once.
    callers: usize,
    /// How long each row is measured.
    seconds: usize,
}

fn main() -> Result<()> {
    if std::env::args().len() > 1 {
        bail!("bellhop-bench-api takes no arguments; `make bench` says what can be set");
    }
    Builder::new_current_thread().enable_all().build()?.block_on(run_within(RUN_TIMEOUT, measure()))
}

async fn measure() -> Result<()> {
    let conditions =
        Conditions { callers: number("CALLERS", 16, 1..=256)?, seconds: number("SECONDS", 8, 1..=60)? };
    let folder = tree::repository().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let stage = Stage::set(&folder).await?;
    let report = Report::measure(&stage, conditions).await?;
    print!("{report}");
    report.write(&folder.join("api.json"))
}
