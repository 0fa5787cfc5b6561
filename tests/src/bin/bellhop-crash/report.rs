//! The table, line by line as rows end, and the figures.

use std::path::Path;

use anyhow::{Context as _, Result};
use bellhop_tests::machine::Machine;
use serde_json::{Value, json};

use crate::conditions::Conditions;
use crate::faults::FORGOTTEN_MAX;
use crate::recorded::LogBalance;
use crate::scene::{HEARTBEAT_SECONDS, RETRY_WAITS, WORK_MAX};
use crate::trial::{Figures, Outcome};

/// Broken promises that are told row by row; beyond them the figures tell.
const BREACHES_TOLD_MAX: usize = 3;

/// What stands above the columns.
pub(crate) fn head() -> String {
    format!(
        "{:<36} {:>6} {:>6} {:>5} {:>8} {:>7} {:>4} {:>7} {:>7} {:>6} {:>6} {:>6}  {}",
        "fault",
        "events",
        "ended",
        "lost",
        "requests",
        "repeats",
        "most",
        "attempt",
        "fault s",
        "back s",
        "over s",
        "p99 s",
        "verdict"
    )
}

/// One row, with what was broken below it.
pub(crate) fn line(outcome: &Outcome) -> String {
    let verdict = if outcome.is_kept() { "ok" } else { "BROKEN" };
    let figures = match &outcome.figures {
        Ok(figures) => figures,
        Err(error) => return format!("{:<36} {verdict}: {error}", outcome.words),
    };
    let Figures { balance, fault_s, back_s, over_s, p99_s, .. } = figures;
    let seconds = |value: &Option<f64>| value.map_or("never".to_owned(), |value| format!("{value:.1}"));
    let mut line = format!(
        "{:<36} {:>6} {:>6} {:>5} {:>8} {:>7} {:>4} {:>7} {:>7.1} {:>6} {:>6} {:>6}  {verdict}",
        outcome.words,
        balance.events,
        balance.ended,
        balance.lost,
        balance.requests,
        balance.repeats,
        balance.requests_max,
        balance.attempt_max,
        fault_s,
        seconds(back_s),
        seconds(over_s),
        p99_s[1].map_or("never".to_owned(), |wait| format!("{wait:.3}")),
    );
    if let Some(LogBalance { told, missing, in_flight, made_up }) = &figures.log {
        let rates: Vec<String> = figures.deliveries_per_s.iter().map(|rate| format!("{rate:.0}")).collect();
        line.push_str(&format!(
            "\n    the log tells of {told} requests, misses {missing} ({in_flight} in flight at most), makes up {made_up}; \
             deliveries/s before, during, after: {}",
            rates.join(", ")
        ));
    }
    for breach in balance.breaches.iter().take(BREACHES_TOLD_MAX) {
        line.push_str(&format!("\n    {}", breach.lines().next().unwrap_or_default()));
    }
    let untold = balance.breaches.len().saturating_sub(BREACHES_TOLD_MAX);
    if 0 < untold {
        line.push_str(&format!("\n    and {untold} more"));
    }
    line
}

/// What the columns mean.
pub(crate) fn foot() -> String {
    format!(
        "events   confirmed by RabbitMQ; each is owed to 4 webhooks: two take it at once, one refuses each first attempt, \
         one refuses all
ended    deliveries answered 2xx, or whose end lies in `bellhop.log`; lost: those that are neither
repeats  requests that repeat an attempt; most: requests of one delivery; attempt: the largest number one had
fault s  from the fault until it was healed: servers answer, workers are ready
back s   from then until every event published before was taken by the two webhooks that take it at once
over s   from then until every delivery of those events was over, the waits between attempts ({RETRY_WAITS}) included
p99 s    how long 99 of 100 deliveries to those two were on their way, of events first published between fault and healing;
         `p99_s` in the figures has before and after, too
ok       nothing lost or still owed, no attempt above 3, requests of a delivery at most 3 + faults on it, of an attempt
         1 + faults. A worker's kill is one fault. Where the broker or its connections go, it may forget two
         acknowledgements of one delivery, that of the event and that of a waiting copy: {FORGOTTEN_MAX} faults; with Redis
         at once, {} faults. Stops, alarms, Redis, PostgreSQL and producers are none: nothing may be repeated.
         With a recorder the delivery log must tell of each request that was received, and of no other, except of those
         that a killed worker had in flight; deliveries/s are to the two webhooks that take everything at once.
         Not as in production: endpoints take up to {WORK_MAX:?} to answer, and heartbeats come every {HEARTBEAT_SECONDS} s \
         where RabbitMQ is paused.",
        FORGOTTEN_MAX + 1
    )
}

/// Writes the figures.
pub(crate) fn write(
    path: &Path,
    outcomes: &[Outcome],
    conditions: &Conditions,
    machine: &Machine,
) -> Result<()> {
    let figures = json!({
        "is_kept": outcomes.iter().all(Outcome::is_kept),
        "rows": outcomes.iter().map(told).collect::<Vec<_>>(),
        "conditions": { "chosen": conditions, "machine": machine },
    });
    std::fs::write(path, format!("{figures:#}\n")).with_context(|| path.display().to_string())?;
    println!("figures: {}", path.display());
    Ok(())
}

fn told(outcome: &Outcome) -> Value {
    json!({
        "name": outcome.name,
        "fault": outcome.words,
        "is_kept": outcome.is_kept(),
        "figures": outcome.figures.as_ref().ok(),
        "error": outcome.figures.as_ref().err(),
    })
}
