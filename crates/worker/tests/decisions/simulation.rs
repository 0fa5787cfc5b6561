//! The fleet at the mercy of chance: seeds choose what is published, how endpoints behave, and what goes wrong when.
//!
//! What runs is the production processor. Workers crash between any two of its steps, sessions end, acknowledgements and
//! confirms are lost, publishes refused, messages repeated and overtaken, views stale, servers away. Then everything
//! heals, the queues run empty, and the promises are checked. Each run is a function of its seed alone.

mod check;
mod run;
mod scenario;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::thread;

use bellhop_worker::WorkerMetrics;
use prometheus::Registry;

use run::{Run, simulate};

/// How many seeds are tried unless `SEEDS` says otherwise.
const SEEDS: u64 = 10_000;

/// `SEED=17` replays one seed and tells its story (with `--nocapture`); `SEEDS=100000` tries more than usual.
#[test]
fn whatever_chance_does_every_delivery_ends_and_none_is_attempted_too_often() {
    let metrics = metrics();
    if let Some(seed) = number("SEED") {
        let run = told(seed, &metrics);
        println!("{}", run.history.join("\n"));
        assert!(run.violations.is_empty(), "SEED={seed}: {}", run.violations.join("; "));
        return;
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let threads = thread::available_parallelism().map_or(1, |count| u64::try_from(count.get()).unwrap_or(1));
    let metrics = &metrics;
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || try_seeds(first, threads, seeds, metrics)))
            .collect();
        started.into_iter().map(|thread| thread.join().expect("threads catch what runs do")).collect()
    });
    if let Some(seed) = tallies.iter().filter_map(|tally| tally.failed).min() {
        let run = told(seed, metrics);
        println!("{}", run.history.join("\n"));
        panic!("SEED={seed} COMMIT={} breaks a promise: {}", commit(), run.violations.join("; "));
    }
    // A simulation in which nothing ever happens would hold every promise, too.
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let (calls, repeats, faults) = (sum(|t| t.calls), sum(|t| t.repeats), sum(|t| t.faults));
    let (busy, unavailable, diverted) = (sum(|t| t.busy), sum(|t| t.unavailable), sum(|t| t.diverted));
    println!(
        "{seeds} seeds: {calls} requests, {repeats} of them repeats, {faults} faults that struck a delivery, \
         {busy} deferrals of busy and {unavailable} of unavailable ones, {diverted} detours"
    );
    let is_eventful = |count: usize, share: u64| seeds < count as u64 * share;
    let enough = [(repeats, 10), (faults, 5), (busy, 5), (unavailable, 5), (diverted, 2)];
    assert!(
        seeds < 1000 || enough.into_iter().all(|(count, share)| is_eventful(count, share)),
        "too little went wrong"
    );
}

#[test]
fn a_seed_replays_to_the_letter() {
    let metrics = metrics();
    for seed in [1, 2, 3] {
        assert_eq!(told(seed, &metrics).history, told(seed, &metrics).history, "SEED={seed}");
    }
}

/// What came of some seeds.
#[derive(Default)]
struct Tally {
    failed: Option<u64>,
    calls: usize,
    repeats: usize,
    faults: usize,
    busy: usize,
    unavailable: usize,
    diverted: usize,
}

fn try_seeds(first: u64, step: u64, seeds: u64, metrics: &WorkerMetrics) -> Tally {
    let mut tally = Tally::default();
    for seed in (first..seeds).step_by(usize::try_from(step).expect("a few threads")) {
        let run = guarded(seed, metrics, false);
        if !run.violations.is_empty() {
            tally.failed = Some(seed);
            break;
        }
        tally.calls += run.calls;
        tally.repeats += run.repeats;
        tally.faults += run.faults;
        tally.busy += run.busy;
        tally.unavailable += run.unavailable;
        tally.diverted += run.diverted;
    }
    tally
}

fn told(seed: u64, metrics: &WorkerMetrics) -> Run {
    guarded(seed, metrics, true)
}

/// Runs a seed; a panic of the production code that it does not catch itself is a violation like any other.
fn guarded(seed: u64, metrics: &WorkerMetrics, is_told: bool) -> Run {
    catch_unwind(AssertUnwindSafe(|| simulate(seed, metrics, is_told))).unwrap_or_else(|_| Run {
        violations: vec!["a panic reached the caller".to_owned()],
        ..Run::default()
    })
}

fn metrics() -> WorkerMetrics {
    WorkerMetrics::register(&Registry::new()).expect("an empty registry")
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

fn commit() -> String {
    let head = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    head.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
