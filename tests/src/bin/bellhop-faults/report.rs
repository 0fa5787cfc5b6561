//! What the halves say: a table for people, line by line as they end, and figures for programs.

use std::path::Path;

use anyhow::{Context as _, Result};
use bellhop_tests::machine::Machine;
use serde_json::{Map, Value, json};

use crate::conditions::Conditions;
use crate::figures::{Drain, Ratio, as_f64};
use crate::half::Half;
use crate::scenarios::{Scenario, ideal_seconds, memory_at_marks};

/// What is aimed for: the rate unchanged but for what two runs differ by anyway, a 99th percentile that nobody notices,
/// a burst worked off at nearly the endpoint's own rate, and memory that does not grow once every endpoint was met.
const RATE_RATIO_AIM: f64 = 0.98;
const P99_RATIO_AIM: f64 = 1.25;
const DRAIN_RATIO_AIM: f64 = 1.3;
const MEMORY_RATIO_AIM: f64 = 1.25;

/// When others use more of the machine than this, the figures say more about them.
const OTHERS_CORES_MAX: f64 = 0.2;

/// A scenario that was brought to its end, or why it was not.
pub(crate) struct Outcome {
    /// Which.
    pub(crate) scenario: &'static Scenario,
    /// Its halves.
    pub(crate) halves: Result<Vec<Half>, String>,
}

/// One half held against that without harm.
struct Compared {
    name: &'static str,
    ratio: Ratio,
}

/// How a burst's time compares with the endpoint's own pace.
struct Paced {
    ideal_s: f64,
    ratio: Option<f64>,
}

impl Outcome {
    /// Whether nothing was lost and no promise broken.
    pub(crate) fn is_kept(&self) -> bool {
        self.halves.as_ref().is_ok_and(|halves| halves.iter().all(|half| half.balance.is_kept()))
    }

    fn halves(&self) -> &[Half] {
        self.halves.as_deref().unwrap_or_default()
    }

    /// Every half but the first by the first.
    fn compared(&self) -> Vec<Compared> {
        let Some((first, others)) = self.halves().split_first() else { return Vec::new() };
        let pairs =
            others.iter().filter_map(|half| Some((half, half.healthy.as_ref()?, first.healthy.as_ref()?)));
        pairs
            .map(|(half, harmed, unharmed)| Compared { name: half.name, ratio: harmed.by(unharmed) })
            .collect()
    }

    /// The drain of a scenario that has nothing else.
    fn paced(&self) -> Option<Paced> {
        let [half] = self.halves() else { return None };
        Some(half.drain.as_ref()?.paced())
    }

    /// Memory at the marks of a scenario that has neither healthy nor burst.
    fn memory(&self) -> Option<[Option<u64>; 6]> {
        let [half] = self.halves() else { return None };
        let is_meant = half.healthy.is_none() && half.drain.is_none();
        is_meant.then(|| memory_at_marks(&half.samples, half.balance.published))
    }
}

impl Drain {
    fn paced(&self) -> Paced {
        let ideal_s = ideal_seconds(self.events);
        let is_over = self.delivered == self.events && 0.0 < ideal_s;
        Paced { ideal_s, ratio: is_over.then(|| self.seconds / ideal_s) }
    }
}

/// What stands above the columns.
pub(crate) fn head() -> String {
    format!(
        "{:<11} {:<9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8} {:>5} {:>8} {:>4} {:>5} {:>6} {:>6}",
        "scenario",
        "half",
        "healthy/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "gap ms",
        "events",
        "delivered",
        "exhausted",
        "waiting",
        "lost",
        "requests",
        "most",
        "hops",
        "cores",
        "RSS MB"
    )
}

/// One half.
pub(crate) fn line(scenario: &str, half: &Half) -> String {
    let (per_s, latency, gap) = match &half.healthy {
        Some(healthy) => (
            format!("{:.0}", healthy.per_s),
            healthy.latency_ms.map(|ms| told(ms, 1)),
            format!("{:.0}", healthy.gap_ms),
        ),
        None => ("-".to_owned(), ["-", "-", "-"].map(str::to_owned), "-".to_owned()),
    };
    let [p50, p99, max] = latency;
    let balance = &half.balance;
    let mut line = format!(
        "{scenario:<11} {:<9} {per_s:>9} {p50:>8} {p99:>8} {max:>8} {gap:>8} {:>8} {:>9} {:>9} {:>8} {:>5} {:>8} {:>4} {:>5.2} {:>6.2} {:>6.1}",
        half.name,
        balance.published,
        balance.delivered,
        balance.exhausted,
        balance.waiting,
        balance.lost,
        balance.requests,
        balance.requests_max,
        half.hops_per_delivery,
        half.costs.workers_cores,
        as_f64(half.costs.rss_peak_bytes) / 1e6,
    );
    for breach in &balance.breaches {
        line.push_str(&format!("\n    BROKEN: {breach}"));
    }
    line
}

/// What the halves of a scenario come to.
pub(crate) fn verdict(outcome: &Outcome) -> String {
    let name = outcome.scenario.name;
    if let Err(error) = &outcome.halves {
        return format!("{name}: could not be brought to its end: {error}\n");
    }
    let mut lines = Vec::new();
    for Compared { name: half, ratio } in outcome.compared() {
        lines.push(format!(
            "{name}, {half}: rate {} of that without, aim {RATE_RATIO_AIM}: {}; p99 {} times, {} ms more, aim {P99_RATIO_AIM}: {}",
            told(ratio.rate_ratio, 2),
            met(ratio.rate_ratio.map(|ratio| RATE_RATIO_AIM <= ratio)),
            told(ratio.p99_ratio, 2),
            told(ratio.p99_excess_ms, 1),
            met(ratio.p99_ratio.map(|ratio| ratio <= P99_RATIO_AIM)),
        ));
    }
    for half in outcome.halves() {
        if let Some(beside) = &half.beside {
            let [p50, p99, _] = beside.latency_ms.map(|ms| told(ms, 1));
            lines.push(format!(
                "{name}, {}: on the shard of the burst: {} of {} delivered, p50 {p50} ms, p99 {p99} ms, gap {:.0} ms",
                half.name, beside.delivered, beside.published, beside.gap_ms
            ));
        }
        if let (Some(drain), Some(_)) = (&half.drain, &half.healthy) {
            lines.push(format!(
                "{name}, {}: the burst: {} of {} delivered, the last {:.1} s after the first was published",
                half.name, drain.delivered, drain.events, drain.seconds
            ));
        }
        if OTHERS_CORES_MAX < half.costs.others_cores {
            lines.push(format!(
                "{name}, {}: NOT QUIET: others used {:.2} cores; do not quote these",
                half.name, half.costs.others_cores
            ));
        }
    }
    if let (Some(Paced { ideal_s, ratio }), [half]) = (outcome.paced(), outcome.halves())
        && let Some(drain) = &half.drain
    {
        lines.push(format!(
            "{name}: {} of {} in {:.1} s, ideal {ideal_s:.1} s: {} times, aim {DRAIN_RATIO_AIM}: {}; {:.2} hops a delivery",
            drain.delivered,
            drain.events,
            drain.seconds,
            told(ratio, 2),
            met(ratio.map(|ratio| ratio <= DRAIN_RATIO_AIM)),
            half.hops_per_delivery,
        ));
    }
    if let Some(marks) = outcome.memory() {
        let words = ["start", "10 %", "25 %", "50 %", "100 %", "after"];
        let told: Vec<String> = words
            .iter()
            .zip(marks)
            .map(|(word, rss)| format!("{word} {}", told(rss.map(megabytes), 1)))
            .collect();
        let growth = growth(marks);
        lines.push(format!("{name}: RSS in MB: {}", told.join(", ")));
        lines.push(format!(
            "{name}: at its end {} of what it was when every endpoint had been met, aim {MEMORY_RATIO_AIM}: {}",
            self::told(growth, 2),
            met(growth.map(|growth| growth <= MEMORY_RATIO_AIM)),
        ));
    }
    lines.join("\n") + "\n"
}

/// What the columns mean.
pub(crate) fn foot(outcomes: &[Outcome]) -> String {
    let scenarios: Vec<String> = outcomes
        .iter()
        .map(|outcome| format!("{:<11} {}", outcome.scenario.name, outcome.scenario.words))
        .collect();
    format!(
        "healthy/s  deliveries to the healthy that arrived while events were published, by that time; from the first on
p50, p99   publish to arrival at the endpoint; what never came is infinitely late (never); gap: longest without arrival
events     published, a warm-up included, each owed to one webhook; delivered, exhausted, or waiting in a queue when the
           worker had stopped; lost: none of these; most: requests of one delivery; hops: messages workers took for each
cores      CPU of the workers; RSS: their greatest
{}",
        scenarios.join("\n")
    )
}

/// Writes the figures.
pub(crate) fn write(
    path: &Path,
    outcomes: &[Outcome],
    conditions: &Conditions,
    machine: &Machine,
) -> Result<()> {
    let scenarios: Map<String, Value> =
        outcomes.iter().map(|outcome| (outcome.scenario.name.to_owned(), figures(outcome))).collect();
    let figures = json!({
        "is_kept": outcomes.iter().all(Outcome::is_kept),
        "scenarios": scenarios,
        "aims": {
            "rate_ratio": RATE_RATIO_AIM,
            "p99_ratio": P99_RATIO_AIM,
            "drain_ratio": DRAIN_RATIO_AIM,
            "memory_ratio": MEMORY_RATIO_AIM,
        },
        "conditions": { "chosen": conditions, "machine": machine },
    });
    std::fs::write(path, format!("{figures:#}\n")).with_context(|| path.display().to_string())?;
    println!("figures: {}", path.display());
    Ok(())
}

/// The first comparison's ratios are the scenario's; those of others, if any, are below their names.
fn figures(outcome: &Outcome) -> Value {
    let mut told = Map::new();
    for (number, Compared { name, ratio }) in outcome.compared().into_iter().enumerate() {
        let ratio = json!(ratio);
        match ratio {
            Value::Object(ratio) if number == 0 => told.extend(ratio),
            ratio => drop(told.insert(name.to_owned(), ratio)),
        }
    }
    if let Some(Paced { ideal_s, ratio }) = outcome.paced() {
        told.insert("drain_ratio".to_owned(), json!(ratio));
        told.insert("ideal_s".to_owned(), json!(ideal_s));
    }
    if let Some(marks) = outcome.memory() {
        let [start, tenth, quarter, half, all, after] = marks;
        let marks = json!({
            "start": start, "at_10": tenth, "at_25": quarter, "at_50": half, "at_100": all, "after": after,
        });
        told.insert("rss_bytes".to_owned(), marks);
        told.insert("memory_ratio".to_owned(), json!(growth([start, tenth, quarter, half, all, after])));
    }
    told.insert("is_kept".to_owned(), json!(outcome.is_kept()));
    told.insert("words".to_owned(), json!(outcome.scenario.words));
    told.insert("error".to_owned(), json!(outcome.halves.as_ref().err()));
    told.insert("halves".to_owned(), json!(outcome.halves()));
    Value::Object(told)
}

/// Memory at the end by that when every endpoint had been met.
fn growth([_, met, .., after]: [Option<u64>; 6]) -> Option<f64> {
    Some(as_f64(after?) / as_f64(met?))
}

fn megabytes(bytes: u64) -> f64 {
    as_f64(bytes) / 1e6
}

fn told(value: Option<f64>, digits: usize) -> String {
    value.map_or("never".to_owned(), |value| format!("{value:.digits$}"))
}

/// Of what never was, no aim is met.
fn met(is_met: Option<bool>) -> &'static str {
    if is_met == Some(true) { "met" } else { "MISSED" }
}

#[cfg(test)]
mod tests;
