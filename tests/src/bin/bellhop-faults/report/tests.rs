//! Tests of the report.

use std::time::Duration;

use super::*;
use crate::balance::Balance;
use crate::figures::Healthy;
use crate::fleet::Counts;
use crate::meter::{Costs, Sample};
use crate::scenarios::SCENARIOS;

fn half(name: &'static str) -> Half {
    Half {
        name,
        healthy: None,
        beside: None,
        drain: None,
        balance: Balance { published: 100, delivered: 100, ..Balance::default() },
        counts: Counts::default(),
        hops_per_delivery: 1.0,
        costs: Costs {
            workers_cores: 0.5,
            broker_cores: 0.5,
            sink_cores: 0.1,
            publishers_cores: 0.1,
            others_cores: 0.0,
            rss_peak_bytes: 50_000_000,
        },
        publisher_late_ms: 1.0,
        samples: Vec::new(),
    }
}

/// One delivery each 10 ms for a second, all as late as that.
fn healthy(late_ms: u64) -> Option<Healthy> {
    let at = |number: u64| number * 10_000_000;
    let times: Vec<(u64, u64)> =
        (0..100).map(|number| (at(number), at(number) + late_ms * 1_000_000)).collect();
    Some(Healthy::of(&times, 100, Duration::from_secs(1)))
}

fn outcome(name: &str, halves: Vec<Half>) -> Outcome {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a known name");
    Outcome { scenario, halves: Ok(halves) }
}

#[test]
fn the_ratios_of_a_scenario_are_those_of_its_first_comparison() {
    let halves = [("without", 2), ("with", 4), ("separated", 2)]
        .map(|(name, late_ms)| Half { healthy: healthy(late_ms), ..half(name) });
    let outcome = outcome("test-flood", halves.into());
    let figures = figures(&outcome);
    assert_eq!((&figures["rate_ratio"], &figures["p99_ratio"]), (&json!(1.0), &json!(2.0)));
    assert_eq!(figures["separated"]["p99_ratio"], json!(1.0));
    assert_eq!(figures["halves"].as_array().map(Vec::len), Some(3));
    let verdict = verdict(&outcome);
    assert!(
        verdict.contains("test-flood, with: rate 1.00") && verdict.contains("p99 2.00 times"),
        "{verdict}"
    );
    assert!(verdict.contains("aim 1.25: MISSED") && verdict.contains("aim 1.25: met"), "{verdict}");
}

#[test]
fn a_drain_is_held_against_the_pace_of_the_endpoint() {
    let drain = |delivered| Some(Drain { events: 3_200, delivered, seconds: 12.0, arrivals: Vec::new() });
    let done = outcome("slow-drain", vec![Half { drain: drain(3_200), ..half("drain") }]);
    assert_eq!(figures(&done)["drain_ratio"], json!(1.2));
    assert!(verdict(&done).contains("ideal 10.0 s: 1.20 times, aim 1.3: met"));
    let undone = outcome("slow-drain", vec![Half { drain: drain(3_199), ..half("drain") }]);
    assert_eq!(figures(&undone)["drain_ratio"], Value::Null);
    assert!(verdict(&undone).contains("never times, aim 1.3: MISSED"));
}

#[test]
fn memory_is_held_against_what_it_was_when_every_endpoint_was_met() {
    let sample = |fresh: u64| {
        let counts = Counts { fresh, ..Counts::default() };
        Sample { seconds: 0.0, rss_bytes: 20_000_000 + fresh * 100_000, counts }
    };
    let samples = [0, 10, 25, 50, 100].map(sample).into();
    let outcome = outcome("dead-memory", vec![Half { samples, ..half("memory") }]);
    assert_eq!(figures(&outcome)["rss_bytes"]["at_50"], json!(25_000_000));
    let verdict = verdict(&outcome);
    assert!(verdict.contains("start 20.0, 10 % 21.0") && verdict.contains("after 30.0"), "{verdict}");
    assert!(verdict.contains("at its end 1.43 of") && verdict.contains("MISSED"), "{verdict}");
}

#[test]
fn what_is_broken_is_told_and_nothing_is_kept_then() {
    let breaches = vec!["event 3 of run 1 is lost".to_owned()];
    let balance = Balance { lost: 1, breaches, ..Balance::default() };
    let broken = Half { balance, ..half("with") };
    assert!(line("mixed", &broken).contains("BROKEN: event 3 of run 1 is lost"));
    assert!(!outcome("mixed", vec![half("without"), broken]).is_kept());
    assert!(outcome("mixed", vec![half("without")]).is_kept());
    let scenario = &SCENARIOS[0];
    assert!(!Outcome { scenario, halves: Err("no port".to_owned()) }.is_kept());
}

#[test]
fn columns_stand_below_their_heads() {
    let line = line("mixed", &Half { healthy: healthy(5), ..half("without") });
    assert_eq!(head().len(), line.len());
}
