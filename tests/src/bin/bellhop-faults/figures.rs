//! What the healthy got, in figures: how fast, how late, and how long nothing at all.

use std::time::Duration;

use serde::Serialize;

/// Seconds that are told one by one; what came later is told with the last.
const SECONDS_TOLD_MAX: usize = 3_600;

/// How the timed deliveries of one half went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Healthy {
    /// Events that were published.
    pub(crate) published: usize,
    /// Events that were delivered before nobody waited for them any longer.
    pub(crate) delivered: usize,
    /// Deliveries per second, of those that arrived while events were published.
    pub(crate) per_s: f64,
    /// Publish to arrival: the median, the 99th percentile and the longest; none when so many never came.
    pub(crate) latency_ms: [Option<f64>; 3],
    /// The longest time without an arrival while events were published.
    pub(crate) gap_ms: f64,
    /// Arrivals in each second since the first publish.
    pub(crate) arrivals: Vec<u32>,
    /// Publish to arrival at worst, of what was published in each second since the first publish.
    pub(crate) worst_ms: Vec<f64>,
}

/// How a burst was worked off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Drain {
    /// Events of the burst.
    pub(crate) events: usize,
    /// Those that were delivered in time.
    pub(crate) delivered: usize,
    /// From the first publish to the last arrival.
    pub(crate) seconds: f64,
    /// Arrivals in each second since the first publish.
    pub(crate) arrivals: Vec<u32>,
}

/// One half by another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// Rate by rate, each in parts of what was published.
    pub(crate) rate_ratio: Option<f64>,
    /// 99th percentile by 99th percentile.
    pub(crate) p99_ratio: Option<f64>,
    /// By how much the 99th percentile is longer.
    pub(crate) p99_excess_ms: Option<f64>,
}

impl Healthy {
    /// Sums up.
    ///
    /// * `times_ns`: when each was published and when it arrived.
    /// * `published`: how many should be there; what is missing counts as infinitely late.
    /// * `window`: how long events were to be published.
    pub(crate) fn of(times_ns: &[(u64, u64)], published: usize, window: Duration) -> Self {
        let began_ns = began(times_ns);
        let window_ns = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let ended_ns = began_ns.saturating_add(window_ns);
        let mut arrivals: Vec<u64> =
            times_ns.iter().map(|(_, arrived)| *arrived).filter(|arrived| *arrived <= ended_ns).collect();
        arrivals.sort_unstable();
        let edges = [began_ns].into_iter().chain(arrivals.iter().copied()).chain([ended_ns]);
        let edges: Vec<u64> = edges.collect();
        let gap_ns = edges.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        let mut latencies_ns: Vec<u64> =
            times_ns.iter().map(|(published, arrived)| arrived.saturating_sub(*published)).collect();
        latencies_ns.sort_unstable();
        let last = published.max(latencies_ns.len()).saturating_sub(1);
        let at = |percent: usize| latencies_ns.get(last * percent / 100).map(|ns| as_f64(*ns) / 1e6);
        Self {
            published,
            delivered: times_ns.len(),
            per_s: as_f64(arrivals.len() as u64) / window.as_secs_f64(),
            latency_ms: [at(50), at(99), at(100)],
            gap_ms: as_f64(gap_ns) / 1e6,
            arrivals: by_second(times_ns),
            worst_ms: worst_by_second(times_ns),
        }
    }

    /// How this compares with the same without any harm.
    pub(crate) fn by(&self, unharmed: &Self) -> Ratio {
        let ratio = |one: f64, other: f64| (0.0 < other).then(|| one / other);
        let p99s = self.latency_ms[1].zip(unharmed.latency_ms[1]);
        let share = |healthy: &Self| healthy.per_s / as_f64(healthy.published.max(1) as u64);
        Ratio {
            rate_ratio: ratio(share(self), share(unharmed)),
            p99_ratio: p99s.and_then(|(one, other)| ratio(one, other)),
            p99_excess_ms: p99s.map(|(one, other)| one - other),
        }
    }
}

impl Drain {
    /// Sums up.
    ///
    /// * `times_ns`: when each was published and when it arrived.
    /// * `events`: how many there should be.
    pub(crate) fn of(times_ns: &[(u64, u64)], events: usize) -> Self {
        let last = times_ns.iter().map(|(_, arrived)| *arrived).max().unwrap_or_default();
        let span = Duration::from_nanos(last.saturating_sub(began(times_ns)));
        Self { events, delivered: times_ns.len(), seconds: span.as_secs_f64(), arrivals: by_second(times_ns) }
    }
}

/// Arrivals a second from the first to the last; none of fewer than two.
///
/// * `times_ns`: when each was published and when it arrived.
pub(crate) fn pace(times_ns: &[(u64, u64)]) -> Option<f64> {
    let arrivals = || times_ns.iter().map(|(_, arrived)| *arrived);
    let span = Duration::from_nanos(arrivals().max()? - arrivals().min()?);
    (!span.is_zero()).then(|| as_f64(times_ns.len() as u64 - 1) / span.as_secs_f64())
}

/// How many arrived in each second since the first publish.
///
/// * `times_ns`: when each was published and when it arrived.
fn by_second(times_ns: &[(u64, u64)]) -> Vec<u32> {
    let began_ns = began(times_ns);
    let mut arrivals = Vec::new();
    for (_, arrived) in times_ns {
        *of_second(&mut arrivals, arrived.saturating_sub(began_ns)) += 1;
    }
    arrivals
}

/// How late at worst was what was published in each second since the first publish.
///
/// * `times_ns`: when each was published and when it arrived.
fn worst_by_second(times_ns: &[(u64, u64)]) -> Vec<f64> {
    let began_ns = began(times_ns);
    let mut worst_ms = Vec::new();
    for (published, arrived) in times_ns {
        let late_ms = as_f64(arrived.saturating_sub(*published)) / 1e6;
        let worst: &mut f64 = of_second(&mut worst_ms, published - began_ns);
        *worst = worst.max(late_ms);
    }
    worst_ms
}

/// The first publish.
fn began(times_ns: &[(u64, u64)]) -> u64 {
    times_ns.iter().map(|(published, _)| *published).min().unwrap_or_default()
}

/// What is told of the second that a time since the first publish lies in.
fn of_second<T: Clone + Default>(seconds: &mut Vec<T>, since_ns: u64) -> &mut T {
    let second = usize::try_from(since_ns / 1_000_000_000).unwrap_or(usize::MAX).min(SECONDS_TOLD_MAX - 1);
    if seconds.len() <= second {
        seconds.resize(second + 1, T::default());
    }
    &mut seconds[second]
}

/// Counts and times here are far below 2^53, up to which this is exact.
#[allow(clippy::cast_precision_loss, reason = "nothing here takes months or has petabytes")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// One event each 10 ms for a second, each `late_ms` on the way.
    fn steady(late_ms: impl Fn(u64) -> u64) -> Vec<(u64, u64)> {
        let at = |number: u64| (7 + number * 10) * MS;
        (0..100).map(|number| (at(number), at(number) + late_ms(number) * MS)).collect()
    }

    fn healthy(times_ns: &[(u64, u64)]) -> Healthy {
        Healthy::of(times_ns, 100, Duration::from_secs(1))
    }

    #[test]
    fn a_steady_stream_has_its_rate_its_latency_and_its_gap() {
        let healthy = healthy(&steady(|_| 5));
        assert_eq!((healthy.delivered, healthy.per_s, healthy.gap_ms), (100, 100.0, 10.0));
        assert_eq!(healthy.latency_ms, [Some(5.0); 3]);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted() {
        let healthy = healthy(&steady(|number| 100 - number));
        assert_eq!(healthy.latency_ms, [Some(50.0), Some(99.0), Some(100.0)]);
    }

    #[test]
    fn what_arrives_after_the_window_has_no_part_in_the_rate_but_in_the_latency() {
        let healthy = healthy(&steady(|number| if number < 50 { 5 } else { 2_000 }));
        assert_eq!(healthy.per_s, 50.0);
        assert_eq!(healthy.latency_ms[1], Some(2_000.0));
        assert_eq!(healthy.gap_ms, 505.0);
        assert_eq!(healthy.arrivals, [50, 0, 50]);
        assert_eq!(healthy.worst_ms, [2_000.0], "all were published in the first second");
    }

    #[test]
    fn a_burst_lasts_from_the_first_publish_to_the_last_arrival() {
        let drain = Drain::of(&steady(|number| if number == 3 { 3_000 } else { 5 }), 100);
        assert_eq!((drain.events, drain.delivered, drain.seconds), (100, 100, 3.03));
        assert_eq!(drain.arrivals, [99, 0, 0, 1]);
    }

    #[test]
    fn a_pace_is_told_by_arrivals_alone() {
        assert_eq!(pace(&steady(|_| 5)), Some(100.0));
        assert_eq!(pace(&steady(|number| 5_000 - number * 5)), Some(200.0), "the later the quicker");
        assert_eq!((pace(&[]), pace(&[(1, 2)])), (None, None));
    }

    #[test]
    fn what_never_came_counts_as_infinitely_late() {
        let healthy = healthy(&steady(|_| 5)[..98]);
        assert_eq!(healthy.latency_ms, [Some(5.0), None, None]);
        assert_eq!((healthy.published, healthy.delivered), (100, 98));
        assert_eq!(Healthy::of(&[], 100, Duration::from_secs(1)).latency_ms, [None; 3]);
    }

    #[test]
    fn ratios_are_of_the_harmed_by_the_unharmed() {
        let harmed = Healthy { per_s: 50.0, latency_ms: [None, Some(10.0), None], ..healthy(&[]) };
        let unharmed = Healthy { per_s: 100.0, latency_ms: [None, Some(4.0), None], ..healthy(&[]) };
        let ratio = harmed.by(&unharmed);
        assert_eq!(
            (ratio.rate_ratio, ratio.p99_ratio, ratio.p99_excess_ms),
            (Some(0.5), Some(2.5), Some(6.0))
        );
        let fewer = Healthy { published: 50, ..harmed.clone() };
        assert_eq!(fewer.by(&unharmed).rate_ratio, Some(1.0), "half as many, all of them in time");
        let nothing = Healthy { per_s: 0.0, ..healthy(&[]) };
        assert_eq!((harmed.by(&nothing).rate_ratio, nothing.by(&harmed).p99_ratio), (None, None));
    }
}
