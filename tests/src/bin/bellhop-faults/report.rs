//! What the halves say: a table for people, line by line as they end, and figures for programs.

use std::path::Path;

use anyhow::{Context as _, Result};
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::figure::Figure;
use serde_json::{Map, Value, json};

use crate::conditions::Conditions;
use crate::figures::as_f64;
use crate::half::Half;
use crate::outcome::{
    Compared, DRAIN_RATIO_AIM, MEMORY_RATIO_AIM, Memory, Outcome, P99_RATIO_AIM, Paced, RATE_RATIO_AIM,
};

/// When others use more of the machine than this, the figures say more about them.
const OTHERS_CORES_MAX: f64 = 0.2;

/// What stands above the columns.
pub(crate) fn head() -> String {
    format!(
        "{:<11} {:<9} {:>5} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8} {:>5} {:>8} {:>4} {:>5} {:>6} {:>6}",
        "scenario",
        "half",
        "round",
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
///
/// * `round`: the first is 1.
pub(crate) fn line(scenario: &str, round: usize, half: &Half) -> String {
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
        "{scenario:<11} {:<9} {round:>5} {per_s:>9} {p50:>8} {p99:>8} {max:>8} {gap:>8} {:>8} {:>9} {:>9} {:>8} {:>5} {:>8} {:>4} {:>5.2} {:>6.2} {:>6.1}",
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
    if let Err(error) = &outcome.rounds {
        return format!("{name}: could not be brought to its end: {error}\n");
    }
    let compared = outcome.compared();
    let lines = compared.iter().map(comparison).chain(outcome.halves().flat_map(remarks));
    let lines = lines.chain(drain(outcome)).chain(outcome.memory().into_iter().flat_map(memory));
    lines.map(|line| format!("{name}{line}\n")).collect()
}

fn comparison(compared: &Compared) -> String {
    let Compared { half, by, rate_ratio, p99_ratio, p99_excess_ms } = compared;
    format!(
        ", {half}: rate {} of `{by}`, aim {RATE_RATIO_AIM}: {}; p99 {} times, {} ms more, aim {P99_RATIO_AIM}: {}",
        told_range(*rate_ratio, 2),
        met(compared.is_rate_met()),
        told_range(*p99_ratio, 2),
        told_range(*p99_excess_ms, 1),
        met(compared.is_p99_met()),
    )
}

/// What is to be said of one half alone.
fn remarks(half: &Half) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(beside) = &half.beside {
        let [p50, p99, _] = beside.latency_ms.map(|ms| told(ms, 1));
        remarks.push(format!(
            ", {}: on the shard of the burst: {} of {} delivered, p50 {p50} ms, p99 {p99} ms, gap {:.0} ms",
            half.name, beside.delivered, beside.published, beside.gap_ms
        ));
    }
    if let (Some(drain), Some(_)) = (&half.drain, &half.healthy) {
        remarks.push(format!(
            ", {}: the burst: {} of {} delivered, the last {:.1} s after the first was published",
            half.name, drain.delivered, drain.events, drain.seconds
        ));
    }
    if let Some(per_s) = half.recovered_per_s {
        remarks.push(format!(", {}: the recovery: {per_s:.0} deliveries/s", half.name));
    }
    if OTHERS_CORES_MAX < half.costs.others_cores {
        remarks.push(format!(
            ", {}: NOT QUIET: others used {:.2} cores; do not quote these",
            half.name, half.costs.others_cores
        ));
    }
    remarks
}

fn drain(outcome: &Outcome) -> Option<String> {
    let (half, drain, Paced { ideal_s, ratio }) = outcome.paced()?;
    Some(format!(
        ": {} of {} in {:.1} s, ideal {ideal_s:.1} s: {} times, aim {DRAIN_RATIO_AIM}: {}; {:.2} hops a delivery",
        drain.delivered,
        drain.events,
        drain.seconds,
        told(ratio, 2),
        met(ratio.is_some_and(|ratio| ratio <= DRAIN_RATIO_AIM)),
        half.hops_per_delivery,
    ))
}

fn memory(memory: Memory) -> [String; 2] {
    let Memory(marks) = memory;
    let words = ["start", "10 %", "25 %", "50 %", "100 %", "after"];
    let told_each =
        words.iter().zip(marks).map(|(word, rss)| format!("{word} {}", told(rss.map(megabytes), 1)));
    let marks: Vec<String> = told_each.collect();
    let growth = memory.growth();
    [
        format!(": RSS in MB: {}", marks.join(", ")),
        format!(
            ": at its end {} of what it was at 25 %, aim {MEMORY_RATIO_AIM}: {}",
            told(growth, 2),
            met(growth.is_some_and(|growth| growth <= MEMORY_RATIO_AIM)),
        ),
    ]
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
ratios     round by round, one half by another of it: median [least to greatest]
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

/// The ratios of the first comparison are the scenario's; all are in `comparisons`, with their ranges.
fn figures(outcome: &Outcome) -> Value {
    let mut told = Map::new();
    let compared = outcome.compared();
    if let Some(first) = compared.first() {
        let median = |figure: Option<Figure>| json!(figure.map(|figure| figure.median));
        told.insert("rate_ratio".to_owned(), median(first.rate_ratio));
        told.insert("p99_ratio".to_owned(), median(first.p99_ratio));
        told.insert("p99_excess_ms".to_owned(), median(first.p99_excess_ms));
        told.insert("comparisons".to_owned(), json!(compared));
    }
    if let Some((_, _, Paced { ideal_s, ratio })) = outcome.paced() {
        told.insert("drain_ratio".to_owned(), json!(ratio));
        told.insert("ideal_s".to_owned(), json!(ideal_s));
    }
    if let Some(memory) = outcome.memory() {
        let Memory([start, tenth, quarter, half, all, after]) = memory;
        let marks = json!({
            "start": start, "at_10": tenth, "at_25": quarter, "at_50": half, "at_100": all, "after": after,
        });
        told.insert("rss_bytes".to_owned(), marks);
        told.insert("memory_ratio".to_owned(), json!(memory.growth()));
    }
    told.insert("is_kept".to_owned(), json!(outcome.is_kept()));
    told.insert("words".to_owned(), json!(outcome.scenario.words));
    told.insert("error".to_owned(), json!(outcome.rounds.as_ref().err()));
    told.insert("rounds".to_owned(), json!(outcome.rounds.as_deref().unwrap_or_default()));
    Value::Object(told)
}

fn megabytes(bytes: u64) -> f64 {
    as_f64(bytes) / 1e6
}

fn told(value: Option<f64>, digits: usize) -> String {
    value.map_or("never".to_owned(), |value| format!("{value:.digits$}"))
}

fn told_range(figure: Option<Figure>, digits: usize) -> String {
    figure.map_or("never".to_owned(), |figure| format!("{figure:.digits$}"))
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

#[cfg(test)]
mod tests;
