//! What the measurements say: a table for people, and figures for programs.

use std::fmt::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::figure::Figure;
use serde_json::{Value, json};

use crate::conditions::Conditions;
use crate::measure::{Consumer, Measurement};
use crate::series::Series;

/// What is aimed for.
const RATE_RATIO_AIM: f64 = 0.85;
const P99_RATIO_AIM: f64 = 1.5;
const P99_EXCESS_MS_AIM: f64 = 2.0;
const RSS_BYTES_AIM: f64 = 100e6;

/// When others use more of the machine than this, the figures say more about them.
const OTHERS_CORES_MAX: f64 = 0.2;

/// A finished report.
pub(crate) struct Report {
    table: String,
    figures: Value,
}

/// How the fleet compares.
struct Comparison {
    /// The floor that writes what the worker writes.
    peer: Consumer,
    rate: Figure,
    p99: Figure,
    p99_excess_ms: Figure,
    rss: Figure,
    others_cores: Figure,
}

impl Report {
    /// Sums a series up.
    pub(crate) fn of(series: &Series, conditions: &Conditions, machine: &Machine) -> Self {
        let comparison = Comparison::of(series);
        Self {
            table: table(series, &comparison),
            figures: figures(series, &comparison, (conditions, machine)),
        }
    }

    /// Writes the figures.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.figures);
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        println!("figures: {}", path.display());
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table)
    }
}

impl Comparison {
    fn of(series: &Series) -> Self {
        let drains = &series.drains;
        // A worker that publishes records of its attempts is held against the floor that does so, too.
        let keeps_log = of(drains, Consumer::Bellhop, 1).any(|measured| 0 < measured.log_messages);
        let peer = if keeps_log { Consumer::FloorWithLog } else { Consumer::Floor };
        let p99 = |measured: &Measurement| measured.latency_ms[1];
        let pairs = || {
            let bellhop = of(&series.lives, Consumer::Bellhop, 1);
            bellhop.zip(of(&series.lives, peer, 1))
        };
        let all = drains.iter().chain(&series.lives).flatten();
        let workers = all.filter(|measured| measured.consumer == Consumer::Bellhop);
        Self {
            peer,
            rate: ratio(drains, (peer, 1)),
            p99: Figure::of(pairs().map(|(bellhop, floor)| p99(bellhop) / p99(floor))),
            p99_excess_ms: Figure::of(pairs().map(|(bellhop, floor)| p99(bellhop) - p99(floor))),
            rss: Figure::of(workers.map(|measured| as_f64(measured.rss_bytes))),
            others_cores: Figure::of(drains.iter().flatten().map(|measured| measured.others_cores)),
        }
    }

    fn is_rate_met(&self) -> bool {
        RATE_RATIO_AIM <= self.rate.median
    }

    fn is_p99_met(&self) -> bool {
        self.p99.median <= P99_RATIO_AIM || self.p99_excess_ms.median <= P99_EXCESS_MS_AIM
    }

    fn is_rss_met(&self) -> bool {
        self.rss.max <= RSS_BYTES_AIM
    }
}

/// Everybody who was measured in pairs like these, in the order of the table.
fn kinds(pairs: &[Vec<Measurement>]) -> Vec<(usize, Consumer)> {
    let mut kinds: Vec<_> =
        pairs.iter().flatten().map(|measured| (measured.fan_out, measured.consumer)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// One consumer's measurements, in the order of the pairs.
fn of(pairs: &[Vec<Measurement>], consumer: Consumer, fan_out: usize) -> impl Iterator<Item = &Measurement> {
    let is_meant = move |m: &&Measurement| m.consumer == consumer && m.fan_out == fan_out;
    pairs.iter().flatten().filter(is_meant)
}

/// The fleet's rate by another's, pair by pair.
fn ratio(pairs: &[Vec<Measurement>], (other, fan_out): (Consumer, usize)) -> Figure {
    let bellhop = of(pairs, Consumer::Bellhop, fan_out);
    Figure::of(bellhop.zip(of(pairs, other, fan_out)).map(|(bellhop, other)| bellhop.per_s / other.per_s))
}

fn table(series: &Series, comparison: &Comparison) -> String {
    format!("{}\n{}\n{}", drains(&series.drains), lives(&series.lives), verdicts(comparison))
}

fn drains(pairs: &[Vec<Measurement>]) -> String {
    let mut table = format!(
        "{:<24} {:>22} {:>8} {:>8} {:>8} {:>11}  {}\n",
        "drain", "deliveries/s", "consumer", "broker", "RSS", "connections", "bellhop to this"
    );
    for (fan_out, consumer) in kinds(pairs) {
        let figure = |value: fn(&Measurement) -> f64| Figure::of(of(pairs, consumer, fan_out).map(value));
        let compared = match consumer {
            Consumer::Bellhop => String::new(),
            other => format!("{:.2}", ratio(pairs, (other, fan_out))),
        };
        let _ = writeln!(
            table,
            "x{fan_out:<2} {:<20} {:>22} {:>5.0} us {:>5.0} us {:>5.0} MB {:>11.0}  {compared}",
            consumer.name(),
            format!("{:.0}", figure(|m| m.per_s)),
            figure(|m| m.consumer_us).median,
            figure(|m| m.broker_us).median,
            figure(|m| as_f64(m.rss_bytes)).max / 1e6,
            figure(|m| as_f64(m.connections)).median,
        );
    }
    table
}

fn lives(pairs: &[Vec<Measurement>]) -> String {
    let mut table = format!(
        "{:<24} {:>20} {:>22} {:>20} {:>8} {:>8}\n",
        "live", "p50 ms", "p99 ms", "max ms", "consumer", "broker"
    );
    for (_, consumer) in kinds(pairs) {
        let figure = |value: fn(&Measurement) -> f64| Figure::of(of(pairs, consumer, 1).map(value));
        let _ = writeln!(
            table,
            "{:<24} {:>20} {:>22} {:>20} {:>5.0} us {:>5.0} us",
            consumer.name(),
            format!("{:.1}", figure(|m| m.latency_ms[0])),
            format!("{:.1}", figure(|m| m.latency_ms[1])),
            format!("{:.0}", figure(|m| m.latency_ms[2])),
            figure(|m| m.consumer_us).median,
            figure(|m| m.broker_us).median,
        );
    }
    table
}

fn verdicts(comparison: &Comparison) -> String {
    let Comparison { peer, rate, p99, p99_excess_ms, rss, others_cores } = comparison;
    let met = |is_met: bool| if is_met { "met" } else { "MISSED" };
    let quiet =
        if others_cores.median <= OTHERS_CORES_MAX { "quiet" } else { "NOT QUIET: do not quote these" };
    [
        "median [least to greatest]; ratios pair by pair; CPU per delivery, RSS the greatest".to_owned(),
        format!("others used {others_cores:.2} cores during drains; the machine was {quiet}"),
        format!(
            "rate  {rate:.2} of `{}`; aim {RATE_RATIO_AIM} or more: {}",
            peer.name(),
            met(comparison.is_rate_met())
        ),
        format!(
            "p99   {p99:.2} times that of `{}`, by {p99_excess_ms:.1} ms; aim {P99_RATIO_AIM} or +{P99_EXCESS_MS_AIM} ms: {}",
            peer.name(),
            met(comparison.is_p99_met())
        ),
        format!(
            "RSS   {:.1} MB; aim {:.0} MB or less: {}\n",
            rss.max / 1e6,
            RSS_BYTES_AIM / 1e6,
            met(comparison.is_rss_met())
        ),
    ]
    .join("\n")
}

fn figures(
    series: &Series,
    comparison: &Comparison,
    (conditions, machine): (&Conditions, &Machine),
) -> Value {
    let others = kinds(&series.drains).into_iter().filter(|(_, consumer)| *consumer != Consumer::Bellhop);
    let ratios: Vec<Value> = others
        .map(|(fan_out, floor)| {
            json!({ "floor": floor, "fan_out": fan_out, "ratio": ratio(&series.drains, (floor, fan_out)) })
        })
        .collect();
    let rate = |consumer| Figure::of(of(&series.drains, consumer, 1).map(|measured| measured.per_s));
    json!({
        "bellhop_per_s": rate(Consumer::Bellhop).median,
        "floor_per_s": rate(comparison.peer).median,
        "rate_ratio": comparison.rate.median,
        "p99_ratio": comparison.p99.median,
        "p99_excess_ms": comparison.p99_excess_ms.median,
        "rss_bytes": comparison.rss.max,
        "rate_ratios": ratios,
        "spreads": {
            "bellhop_per_s": rate(Consumer::Bellhop),
            "floor_per_s": rate(comparison.peer),
            "rate_ratio": comparison.rate,
            "p99_ratio": comparison.p99,
            "p99_excess_ms": comparison.p99_excess_ms,
            "rss_bytes": comparison.rss,
        },
        "aims": {
            "rate_is_met": comparison.is_rate_met(),
            "p99_is_met": comparison.is_p99_met(),
            "rss_is_met": comparison.is_rss_met(),
        },
        "conditions": { "chosen": conditions, "machine": machine, "floor": comparison.peer, "others_cores": comparison.others_cores },
        "measurements": series,
    })
}

/// Counts and sizes here are far below 2^53, up to which this is exact.
#[allow(clippy::cast_precision_loss, reason = "nothing here has petabytes")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
