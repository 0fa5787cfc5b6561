//! The alternation: in each pair fleet and floor are measured one right after the other, so that what disturbs one
//! disturbs both, and who comes first changes from pair to pair.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::conditions::{Conditions, FAN_OUTS};
use crate::measure::{Consumer, Measurement, drain, live};
use crate::stage::Stage;

/// Everything that was measured, a pair each.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Series {
    /// Drains of every consumer and fan-out.
    pub(crate) drains: Vec<Vec<Measurement>>,
    /// Steady rates of fleet and floors.
    pub(crate) lives: Vec<Vec<Measurement>>,
}

/// Who is measured at a steady rate.
const LIVE: [Consumer; 3] = [Consumer::Bellhop, Consumer::Floor, Consumer::FloorWithLog];

/// Who is measured at which fan-out.
fn drained() -> Vec<(Consumer, usize)> {
    let more = FAN_OUTS.into_iter().skip(1);
    [(Consumer::Bellhop, 1), (Consumer::Floor, 1), (Consumer::FloorWithLog, 1), (Consumer::DeepFloor, 1)]
        .into_iter()
        .chain(more.flat_map(|fan_out| {
            [Consumer::Bellhop, Consumer::Floor, Consumer::FloorWithLog].map(|consumer| (consumer, fan_out))
        }))
        .collect()
}

/// Measures pair after pair.
pub(crate) async fn run(stage: &mut Stage, conditions: &Conditions) -> Result<Series> {
    let mut series = Series::default();
    let mut run = 0;
    // Not measured: files are read, the broker's tables grow, the processors leave their sleep.
    for consumer in [Consumer::Bellhop, Consumer::Floor] {
        run += 1;
        drain(stage, conditions, run, (consumer, 1)).await.context("the warm-up")?;
    }
    for pair in 1..=conditions.pairs {
        let (mut drains, mut lives) = (Vec::new(), Vec::new());
        for (consumer, fan_out) in in_turn(drained(), pair) {
            run += 1;
            let measured = drain(stage, conditions, run, (consumer, fan_out));
            let measured = measured.await.with_context(|| format!("drain by {}", consumer.name()))?;
            tell(pair, "drain", &measured);
            drains.push(measured);
        }
        for consumer in in_turn(LIVE.to_vec(), pair) {
            run += 2;
            let measured = live(stage, conditions, run, consumer);
            let measured = measured.await.with_context(|| format!("live by {}", consumer.name()))?;
            tell(pair, "live", &measured);
            lives.push(measured);
        }
        series.drains.push(drains);
        series.lives.push(lives);
    }
    Ok(series)
}

fn in_turn<T>(mut all: Vec<T>, pair: usize) -> Vec<T> {
    if pair.is_multiple_of(2) {
        all.reverse();
    }
    all
}

fn tell(pair: usize, what: &str, measured: &Measurement) {
    let Measurement { consumer, fan_out, per_s, latency_ms: [p50, p99, _], consumer_us, broker_us, .. } =
        measured;
    let latency = if what == "live" { format!("  p50 {p50:.1} ms  p99 {p99:.1} ms") } else { String::new() };
    println!(
        "pair {pair}  {what:<5} x{fan_out:<2}  {:<19}  {per_s:>6.0}/s  {consumer_us:>4.0} + {broker_us:>3.0} us  \
         others {:.2} cores{latency}",
        consumer.name(),
        measured.others_cores,
    );
}
