//! Tests of the report.

use serde_json::Value;

use super::*;
use crate::balance::Balance;
use crate::figures::Drain;
use crate::outcome::tests::{half, healthy, outcome, round, samples};
use crate::scenarios::SCENARIOS;

#[test]
fn the_ratios_of_a_scenario_are_the_medians_of_its_first_comparison() {
    let outcome = outcome("test-flood", vec![round([2, 4, 4, 4]), round([2, 4, 8, 4])]);
    let figures = figures(&outcome);
    assert_eq!((&figures["rate_ratio"], &figures["p99_ratio"]), (&json!(1.0), &json!(3.0)));
    assert_eq!(figures["comparisons"][3]["half"], json!("separated"));
    assert_eq!(figures["comparisons"][3]["p99_ratio"], json!({ "median": 1.0, "min": 1.0, "max": 1.0 }));
    assert_eq!(figures["rounds"][1].as_array().map(Vec::len), Some(4));
    let verdict = verdict(&outcome);
    assert!(verdict.contains("test-flood, with: rate 1.00 [1.00 to 1.00] of `without`"), "{verdict}");
    assert!(verdict.contains("p99 3.00 [2.00 to 4.00] times, 4.0 [2.0 to 6.0] ms more"), "{verdict}");
    assert!(verdict.contains("aim 1.25: MISSED") && verdict.contains("aim 1.25: met"), "{verdict}");
}

#[test]
fn a_drain_is_held_against_the_pace_of_the_endpoint() {
    let drain = |delivered| Some(Drain { events: 3_200, delivered, seconds: 12.0, arrivals: Vec::new() });
    let done = outcome("slow-drain", vec![vec![Half { drain: drain(3_200), ..half("drain") }]]);
    assert_eq!(figures(&done)["drain_ratio"], json!(1.2));
    assert!(verdict(&done).contains("ideal 10.0 s: 1.20 times, aim 1.3: met"));
    let undone = outcome("slow-drain", vec![vec![Half { drain: drain(3_199), ..half("drain") }]]);
    assert_eq!(figures(&undone)["drain_ratio"], Value::Null);
    assert!(verdict(&undone).contains("never times, aim 1.3: MISSED"));
}

#[test]
fn memory_is_told_at_each_mark() {
    let samples = samples(&[0, 10, 25, 50, 100]);
    let outcome = outcome("dead-memory", vec![vec![Half { samples, ..half("memory") }]]);
    assert_eq!(figures(&outcome)["rss_bytes"]["at_50"], json!(25_000_000));
    let verdict = verdict(&outcome);
    assert!(verdict.contains("start 20.0, 10 % 21.0") && verdict.contains("after 30.0"), "{verdict}");
    assert!(verdict.contains("at its end 1.33 of") && verdict.contains("MISSED"), "{verdict}");
}

#[test]
fn what_is_broken_is_told_and_nothing_is_kept_then() {
    let breaches = vec!["event 3 of run 1 is lost".to_owned()];
    let balance = Balance { lost: 1, breaches, ..Balance::default() };
    let broken = Half { balance, ..half("with") };
    assert!(line("mixed", 1, &broken).contains("BROKEN: event 3 of run 1 is lost"));
    assert!(!outcome("mixed", vec![vec![half("without"), broken]]).is_kept());
    assert!(outcome("mixed", vec![vec![half("without")]]).is_kept());
    let scenario = &SCENARIOS[0];
    assert!(!Outcome { scenario, rounds: Err("no port".to_owned()) }.is_kept());
}

#[test]
fn columns_stand_below_their_heads() {
    let line = line("mixed", 1, &Half { healthy: healthy(5), ..half("without") });
    assert_eq!(head().len(), line.len());
}
