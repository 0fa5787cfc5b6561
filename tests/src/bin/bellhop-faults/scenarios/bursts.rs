//! More at once than can be delivered at once: whom it holds up, and how long it takes itself.

use std::time::Duration;

use crate::conditions::Conditions;
use crate::figures::as_f64;
use crate::plan::{Part, Plan, SHARDS, Until};
use crate::scenarios::{apart, at_once, live, plan, quick, steady};
use crate::sink::{HANDLING, HANDS};
use crate::webhook::{Conduct, Webhook};

/// Organisations that trickle.
const TRICKLING: usize = 50;

/// How long they do before a burst comes.
const BURST_AFTER: Duration = Duration::from_secs(2);

/// A worker for the lanes of each mode.
const SEPARATED: &[Option<&str>] =
    &[Some("live.fresh,live.slow,live.due"), Some("test.fresh,test.slow,test.due")];

/// Over how many queues the events are spread of which a burst is to hold up one.
const SPREAD: &[(&str, &str)] = &[(SHARDS, "8")];

/// One organisation's burst.
pub(crate) fn burst(conditions: &Conditions) -> Vec<Plan> {
    let trickle = || steady(0..TRICKLING, conditions.trickle(), conditions, Part::Healthy);
    let burst = || at_once(TRICKLING..TRICKLING + 1, conditions.events, BURST_AFTER);
    let webhooks = || quick(TRICKLING + 1).collect();
    let spread = |plan| Plan { settings: SPREAD, ..plan };
    vec![
        spread(plan("without", webhooks(), vec![trickle()])),
        spread(plan("apart", webhooks(), vec![trickle(), apart(burst())])),
        spread(plan("with", webhooks(), vec![trickle(), burst()])),
        plan("one shard", webhooks(), vec![trickle(), burst()]),
    ]
}

/// A flood of test events.
pub(crate) fn flood(conditions: &Conditions) -> Vec<Plan> {
    let trickle = || steady(0..TRICKLING, conditions.trickle(), conditions, Part::Healthy);
    let flood = || at_once(TRICKLING..2 * TRICKLING, conditions.events, BURST_AFTER);
    let webhooks = || live(TRICKLING).chain(quick(TRICKLING)).collect();
    vec![
        plan("without", webhooks(), vec![trickle()]),
        plan("apart", webhooks(), vec![trickle(), apart(flood())]),
        plan("with", webhooks(), vec![trickle(), flood()]),
        Plan { lanes: SEPARATED, ..plan("separated", webhooks(), vec![trickle(), flood()]) },
    ]
}

/// A burst for an endpoint with few hands.
pub(crate) fn drain(conditions: &Conditions) -> Vec<Plan> {
    let webhooks = vec![Webhook::test(Conduct::FewHands)];
    let ideal = Duration::from_secs_f64(ideal_seconds(conditions.events));
    let until = Until::Taken { at_most: ideal * 2 + Duration::from_secs(60) };
    let streams = vec![at_once(0..1, conditions.events, Duration::ZERO)];
    vec![Plan { until, ..plan("drain", webhooks, streams) }]
}

/// How long the endpoint with few hands takes for so many when it never idles.
pub(crate) fn ideal_seconds(events: usize) -> f64 {
    as_f64(events as u64) * HANDLING.as_secs_f64() / f64::from(HANDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_hands_serve_three_hundred_and_twenty_in_a_second() {
        assert_eq!(ideal_seconds(320), 1.0);
        assert_eq!(ideal_seconds(100_000), 312.5);
    }
}
