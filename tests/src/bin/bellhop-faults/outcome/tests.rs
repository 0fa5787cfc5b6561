//! Tests of what halves come to.

use std::time::Duration;

use super::*;
use crate::balance::Balance;
use crate::figures::Healthy;
use crate::fleet::Counts;
use crate::meter::{Costs, Sample};
use crate::scenarios::SCENARIOS;

/// A half in which nothing was lost, and nothing else happened.
pub(crate) fn half(name: &'static str) -> Half {
    Half {
        name,
        healthy: None,
        beside: None,
        drain: None,
        recovered_per_s: None,
        balance: Balance { published: 100, delivered: 100, ..Balance::default() },
        counts: Counts::default(),
        hops_per_delivery: 1.0,
        costs: Costs {
            workers_cores: 0.5,
            broker_cores: 0.5,
            sink_cores: 0.1,
            publishers_cores: 0.1,
            postgres_cores: 0.0,
            cast_cores: 0.0,
            others_cores: 0.0,
            rss_peak_bytes: 50_000_000,
        },
        publisher_late_ms: 1.0,
        samples: Vec::new(),
    }
}

/// One delivery each 10 ms for a second, all as late as that.
pub(crate) fn healthy(late_ms: u64) -> Option<Healthy> {
    let at = |number: u64| number * 10_000_000;
    let times: Vec<(u64, u64)> =
        (0..100).map(|number| (at(number), at(number) + late_ms * 1_000_000)).collect();
    Some(Healthy::of(&times, 100, Duration::from_secs(1)))
}

/// A round of a flood in Test Mode, each half as late as that, in milliseconds.
pub(crate) fn round(late_ms: [u64; 4]) -> Vec<Half> {
    let names = ["without", "apart", "with", "separated"];
    let halves = names.into_iter().zip(late_ms);
    halves.map(|(name, late_ms)| Half { healthy: healthy(late_ms), ..half(name) }).collect()
}

/// Memory of 20 MB, and 0.1 MB more for each event.
pub(crate) fn samples(fresh: &[u64]) -> Vec<Sample> {
    let sample = |fresh: &u64| {
        let counts = Counts { fresh: *fresh, ..Counts::default() };
        Sample { seconds: 0.0, rss_bytes: 20_000_000 + fresh * 100_000, counts }
    };
    fresh.iter().map(sample).collect()
}

/// A scenario by its name.
pub(crate) fn outcome(name: &str, rounds: Vec<Vec<Half>>) -> Outcome {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a known name");
    Outcome { scenario, rounds: Ok(rounds) }
}

#[test]
fn halves_are_compared_round_by_round_whatever_their_order() {
    let mut second = round([2, 4, 8, 4]);
    second.reverse();
    let flood = outcome("test-flood", vec![round([2, 4, 4, 4]), second, round([4, 4, 12, 8])]);
    let compared = flood.compared();
    let told: Vec<_> = compared.iter().map(|compared| (compared.half, compared.by)).collect();
    let meant = [("with", "without"), ("with", "apart"), ("apart", "without"), ("separated", "apart")];
    assert_eq!(told, meant);
    assert_eq!(compared[0].p99_ratio, Some(Figure { median: 3.0, min: 2.0, max: 4.0 }));
    assert_eq!(compared[1].p99_ratio, Some(Figure { median: 2.0, min: 1.0, max: 3.0 }));
    assert_eq!(compared[0].p99_excess_ms.map(|ms| ms.median), Some(6.0));
    assert!(compared[0].is_rate_met() && !compared[0].is_p99_met());
    assert!(compared[3].is_p99_met(), "1, 1 and 2 times: {:?}", compared[3]);
}

#[test]
fn what_never_came_in_one_round_spoils_the_figure() {
    let spoilt = |harmed: &mut Half| harmed.healthy = Some(Healthy::of(&[], 100, Duration::from_secs(1)));
    let mut rounds = vec![round([2, 2, 2, 2]), round([2, 2, 2, 2])];
    spoilt(&mut rounds[1][2]);
    let compared = outcome("test-flood", rounds).compared();
    assert_eq!(compared[0].p99_ratio, None);
    assert!(!compared[0].is_p99_met() && compared[2].is_p99_met());
}

#[test]
fn memory_is_held_against_what_it_was_at_a_quarter() {
    let samples = samples(&[0, 10, 25, 50, 100]);
    let dead = outcome("dead-memory", vec![vec![Half { samples, ..half("memory") }]]);
    let memory = dead.memory().expect("a scenario of memory");
    assert_eq!(memory.growth().map(|growth| format!("{growth:.2}")), Some("1.33".to_owned()));
    assert_eq!(outcome("mixed", vec![vec![half("without"), half("with")]]).memory(), None);
}
