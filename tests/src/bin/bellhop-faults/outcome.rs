//! What a scenario's halves come to: round by round one held against another, and over the rounds a median.

use bellhop_tests::measuring::figure::Figure;
use serde::Serialize;

use crate::figures::{Drain, Ratio, as_f64};
use crate::half::Half;
use crate::scenarios::{Scenario, ideal_seconds, memory_at_marks};

/// What is aimed for: the rate unchanged but for what two runs differ by anyway, a 99th percentile that nobody notices,
/// a burst worked off at nearly the endpoint's own rate, and memory that does not grow once all is known of every endpoint.
pub(crate) const RATE_RATIO_AIM: f64 = 0.98;
pub(crate) const P99_RATIO_AIM: f64 = 1.25;
pub(crate) const DRAIN_RATIO_AIM: f64 = 1.3;
pub(crate) const MEMORY_RATIO_AIM: f64 = 1.25;

/// A scenario that was brought to its end, or why it was not.
pub(crate) struct Outcome {
    /// Which.
    pub(crate) scenario: &'static Scenario,
    /// Its halves, each time that they were performed.
    pub(crate) rounds: Result<Vec<Vec<Half>>, String>,
}

/// A half held against another, over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Compared {
    /// The half with what harms.
    pub(crate) half: &'static str,
    /// The half that it is held against.
    pub(crate) by: &'static str,
    /// Rate by rate; none when it could not be told in one of the rounds, as with those that follow.
    pub(crate) rate_ratio: Option<Figure>,
    /// 99th percentile by 99th percentile.
    pub(crate) p99_ratio: Option<Figure>,
    /// By how many milliseconds the 99th percentile is longer.
    pub(crate) p99_excess_ms: Option<Figure>,
}

/// How a burst's time compares with the endpoint's own pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paced {
    /// What the endpoint takes when it never idles.
    pub(crate) ideal_s: f64,
    /// The time that was taken by that; none when not all was delivered.
    pub(crate) ratio: Option<f64>,
}

/// Resident memory in bytes, from the start to the end; none for what was not reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory(pub(crate) [Option<u64>; 6]);

impl Outcome {
    /// Whether nothing was lost and no promise broken.
    pub(crate) fn is_kept(&self) -> bool {
        self.rounds.is_ok() && self.halves().all(|half| half.balance.is_kept())
    }

    /// All halves, round by round.
    pub(crate) fn halves(&self) -> impl Iterator<Item = &Half> {
        self.rounds.as_deref().unwrap_or_default().iter().flatten()
    }

    /// What the scenario compares, in its order: the first is what it is about.
    pub(crate) fn compared(&self) -> Vec<Compared> {
        let rounds = self.rounds.as_deref().unwrap_or_default();
        let compared = self.scenario.comparisons.iter().map(|(half, by)| {
            let ratios: Vec<Ratio> = rounds.iter().filter_map(|round| ratio(round, half, by)).collect();
            Compared::of(half, by, &ratios)
        });
        if rounds.is_empty() { Vec::new() } else { compared.collect() }
    }

    /// The drain of a scenario that has nothing else.
    pub(crate) fn paced(&self) -> Option<(&Half, &Drain, Paced)> {
        let half = self.only()?;
        let drain = half.drain.as_ref()?;
        Some((half, drain, drain.paced()))
    }

    /// Memory over time, of a scenario that has neither healthy nor burst.
    pub(crate) fn memory(&self) -> Option<Memory> {
        let half = self.only()?;
        let is_meant = half.healthy.is_none() && half.drain.is_none();
        is_meant.then(|| Memory(memory_at_marks(&half.samples, half.balance.published)))
    }

    /// The half of a scenario that compares nothing.
    fn only(&self) -> Option<&Half> {
        self.scenario.comparisons.is_empty().then(|| self.halves().next())?
    }
}

impl Compared {
    fn of(half: &'static str, by: &'static str, ratios: &[Ratio]) -> Self {
        let figure = |value: fn(&Ratio) -> Option<f64>| {
            let values: Option<Vec<f64>> = ratios.iter().map(value).collect();
            values.filter(|values| !values.is_empty()).map(Figure::of)
        };
        Self {
            half,
            by,
            rate_ratio: figure(|ratio| ratio.rate_ratio),
            p99_ratio: figure(|ratio| ratio.p99_ratio),
            p99_excess_ms: figure(|ratio| ratio.p99_excess_ms),
        }
    }

    /// Whether the rate is as it is without harm.
    pub(crate) fn is_rate_met(&self) -> bool {
        self.rate_ratio.is_some_and(|ratio| RATE_RATIO_AIM <= ratio.median)
    }

    /// Whether the 99th percentile is nearly as it is without harm.
    pub(crate) fn is_p99_met(&self) -> bool {
        self.p99_ratio.is_some_and(|ratio| ratio.median <= P99_RATIO_AIM)
    }
}

impl Drain {
    fn paced(&self) -> Paced {
        let ideal_s = ideal_seconds(self.events);
        let is_over = self.delivered == self.events && 0.0 < ideal_s;
        Paced { ideal_s, ratio: is_over.then(|| self.seconds / ideal_s) }
    }
}

impl Memory {
    /// Memory at the end by that at a quarter of the events.
    ///
    /// By the tenth every endpoint was merely met. What is known of one that is dead, breaker, rate and backlog with it,
    /// is there when its first attempts have failed, which takes their deadlines; from then on nothing may be added.
    pub(crate) fn growth(self) -> Option<f64> {
        let Self([_, _, known, .., after]) = self;
        Some(as_f64(after?) / as_f64(known?))
    }
}

/// One half of a round by another of it.
fn ratio(round: &[Half], half: &str, by: &str) -> Option<Ratio> {
    let healthy = |name| round.iter().find(|half| half.name == name)?.healthy.as_ref();
    Some(healthy(half)?.by(healthy(by)?))
}

#[cfg(test)]
pub(crate) mod tests;
