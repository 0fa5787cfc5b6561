//! What surrounds a whole run of a measuring program: a bound on its time, and Ctrl-C.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::signal::ctrl_c;
use tokio::time::timeout;

/// Waits for a run.
///
/// * `at_most`: how long it may take, whatever hangs.
///
/// # Errors
/// The run's own, when it takes longer, and when somebody interrupts it.
pub async fn run_within<T>(at_most: Duration, run: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = timeout(at_most, run) => result.context("the run takes too long; giving it up")?,
        interrupted = ctrl_c() => { interrupted?; bail!("interrupted") }
    }
}
