//! The names of the queues, as the contract gives them.

/// What happened: batches of records.
pub const LOG: &str = "bellhop.log";

/// Messages of the log that cannot be written.
pub const LOG_PARKED: &str = "bellhop.log.parked";

/// Messages that fit no queue.
pub const UNROUTABLE: &str = "bellhop.unroutable";

/// The longest rung of Test Mode.
pub const LONGEST_RUNG: &str = "bellhop.test.wait.1h";

/// The rungs that every broker has, besides those of the configured waits.
const RUNGS: [&str; 5] = ["10s", "30s", "2m", "10m", "1h"];

/// A shard of a mode's events.
#[must_use]
pub fn events(mode: &str, shard: u16) -> String {
    format!("bellhop.{mode}.events.{shard}")
}

/// Messages of a mode that nobody can process.
#[must_use]
pub fn parked(mode: &str) -> String {
    format!("bellhop.{mode}.parked")
}

/// The queues that a delivery passes until it has ended, for both modes.
///
/// * `waits`: the configured waits between attempts, such as `300ms,600ms`.
#[must_use]
pub fn owed(waits: &str) -> Vec<String> {
    let rungs: Vec<&str> = RUNGS.into_iter().chain(waits.split(',')).collect();
    ["live", "test"]
        .into_iter()
        .flat_map(|mode| {
            let waiting = rungs.iter().map(move |rung| format!("bellhop.{mode}.wait.{rung}"));
            let others = ["events.0", "slow", "due"].map(|queue| format!("bellhop.{mode}.{queue}"));
            others.into_iter().chain(waiting)
        })
        .collect()
}
