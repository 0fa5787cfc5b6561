//! The matrix of faults (`make crash`) and the measure of isolation (`make faults`): that their programs work, on one row
//! of each.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::timeout;

use crate::context::Context;
use crate::program::Program;

/// It starts servers of its own, beside those of other cases.
const RUN_TIMEOUT: Duration = Duration::from_secs(180);

/// The program tells a broken promise by its exit code, and what it counted in its figures.
pub async fn a_row_of_the_matrix_is_tried_and_told(context: Context) -> Result<()> {
    let figures = context.scratch_file("crash.json", "")?;
    let settings = [("ROWS", "worker-killed"), ("RATE", "20"), ("SECONDS", "1")];
    let mut environment: BTreeMap<String, String> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.insert("OUTPUT".to_owned(), figures.display().to_string());
    let program = Program::new(&context.binary().await?.with_file_name("bellhop-crash"), environment);

    let running = program.spawn(&[])?.wait_with_output();
    let output = timeout(RUN_TIMEOUT, running).await.context("the program does not end")??;

    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{printed}\n{complaint}", output.status);
    let row = printed.lines().find(|line| line.starts_with("a worker killed")).context("no row")?;
    ensure!(row.ends_with("  ok"), "{row}");
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&figures)?)?;
    let balance = &figures["rows"][0]["figures"]["balance"];
    let figure = |name: &str| balance[name].as_u64().with_context(|| format!("no figure `{name}`"));
    ensure!(figures["is_kept"] == true && figure("lost")? == 0, "{figures:#}");
    ensure!(20 < figure("events")? && figure("ended")? == 4 * figure("events")?, "{figures:#}");
    Ok(())
}

/// What it measures is not judged here, only that it measures.
pub async fn what_a_burst_costs_the_others_is_measured_and_told(context: Context) -> Result<()> {
    let figures = context.scratch_file("isolation.json", "")?;
    let load = [("ROWS", "burst"), ("RATE", "500"), ("SECONDS", "5"), ("EVENTS", "500")];
    // Whatever machine this is has a disk; it may have little memory for files.
    let settings = load.into_iter().chain([("PAIRS", "1"), ("FILES", "disk")]);
    let mut environment: BTreeMap<String, String> =
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.insert("OUTPUT".to_owned(), figures.display().to_string());
    let program = Program::new(&context.binary().await?.with_file_name("bellhop-faults"), environment);

    let running = program.spawn(&[])?.wait_with_output();
    let output = timeout(RUN_TIMEOUT, running).await.context("the program does not end")??;

    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{printed}\n{complaint}", output.status);
    let told = "burst, with: on the shard of the burst: ";
    ensure!(printed.contains(told), "nothing is told of those beside the burst:\n{printed}");
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&figures)?)?;
    let burst = &figures["scenarios"]["burst"];
    let ratios = ["rate_ratio", "p99_ratio"].map(|ratio| burst[ratio].as_f64());
    ensure!(figures["is_kept"] == true && ratios.iter().all(Option::is_some), "{figures:#}");
    let halves = burst["rounds"][0].as_array().context("no halves")?;
    let drained: Vec<Option<u64>> = halves.iter().map(|half| half["drain"]["delivered"].as_u64()).collect();
    ensure!(drained == [None, Some(500), Some(500), Some(500)], "{burst:#}");
    Ok(())
}

/// A row that does not exist would be a promise that nobody tried.
pub async fn a_misspelt_row_is_refused_with_those_there_are(context: Context) -> Result<()> {
    let program = context.binary().await?.with_file_name("bellhop-crash");
    let tries = [("ROWS", "worker-kiled", "worker-killed"), ("RATE", "1", "10 to 2000")];
    for (name, value, complaint) in tries {
        let environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let finished = Program::new(&program, environment).run(&[]).await?;
        finished.ended_with(1)?.complains_of(&[name, complaint])?;
    }
    Ok(())
}
