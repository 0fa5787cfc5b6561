//! Counters kept by the links to the broker, shown as metrics of the process.

use std::sync::Arc;

use bellhop_broker::{Link, LinkState};
use bellhop_runtime::metrics::Metrics;

/// Name and help of what happened on the links.
const EVENTS: (&str, &str) =
    ("bellhop_broker_events_total", "What happened between this process and the broker.");

/// Name and help of how the links are.
const STATES: (&str, &str) = (
    "bellhop_broker_link_state",
    "1 for the state in which a connection to the broker is: up, blocked (the broker takes no publishes) or down.",
);

/// Registers what happened on each link, and how it is.
pub(crate) fn register(
    metrics: &Metrics,
    consuming: &Link,
    publishing: &Link,
) -> Result<(), prometheus::Error> {
    let links =
        [("consuming", Arc::clone(consuming.stats())), ("publishing", Arc::clone(publishing.stats()))];
    metrics.show_counts(EVENTS, &["link", "event"], move |show| {
        for (link, stats) in &links {
            for (event, count) in stats.counts() {
                show(&[link, event], count);
            }
        }
    })?;
    let states = [("consuming", consuming.watch()), ("publishing", publishing.watch())];
    metrics.show_states(STATES, "link", &LinkState::LABELS, move |show| {
        for (link, state) in &states {
            show(link, state.borrow().label());
        }
    })
}
