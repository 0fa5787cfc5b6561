//! How much a worker delivers, how late and at what cost, beside the smallest consumer that can exist.
//!
//! Without arguments this is the conductor: it starts servers that are thrown away, registers webhooks, and measures
//! `bellhop worker` and the floor in turn. Sink, floor and publisher are processes of their own, so that each one's CPU
//! and memory are its own; the conductor starts them from this same program as `bellhop-bench <role> <plan>`.

mod conditions;

mod floor;
mod sink;

mod stage;

mod measure;
mod series;

mod report;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bellhop_tests::measuring::publisher;
use bellhop_tests::measuring::role::read_plan;
use bellhop_tests::measuring::run::run_within;
use bellhop_tests::tree;
use tokio::runtime::Builder;

use crate::conditions::Conditions;
use crate::report::Report;
use crate::stage::Stage;

/// No run takes longer, whatever hangs.
const RUN_TIMEOUT: Duration = Duration::from_secs(30 * 60);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => on_one_thread(conduct()),
        ["sink", plan] => on_one_thread(sink::run(read_plan(plan)?)),
        ["floor", plan] => on_all_cores(floor::run(read_plan(plan)?)),
        ["publisher", plan] => on_one_thread(publisher::run(read_plan(plan)?)),
        _ => bail!("bellhop-bench takes no arguments; `make bench` says what can be set"),
    }
}

/// Runs everything, and clears up however it ends.
async fn conduct() -> Result<()> {
    let conditions = Conditions::read()?;
    let folder = tree::repository().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let measuring = async {
        let mut stage = Stage::set(&conditions, &folder).await?;
        let machine = stage.machine().await?;
        print!("{machine}");
        println!("{conditions}");
        let series = series::run(&mut stage, &conditions).await?;
        let report = Report::of(&series, &conditions, &machine);
        print!("\n{report}");
        report.write(&folder.join("throughput.json"))?;
        // After a failure they stay, to be read.
        std::fs::remove_dir_all(&stage.logs).context("remove the logs")
    };
    run_within(RUN_TIMEOUT, measuring).await
}

/// Enough for who mostly waits, and cheaper: nobody is woken on another core.
fn on_one_thread(work: impl Future<Output = Result<()>>) -> Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// As the worker runs.
fn on_all_cores(work: impl Future<Output = Result<()>>) -> Result<()> {
    Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
