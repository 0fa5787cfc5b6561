//! Counters kept by the adapters, shown as metrics of the process.

use std::sync::Arc;

use bellhop_broker::{Link, LinkState};
use bellhop_runtime::metrics::Metrics;
use bellhop_store::{Store, StoreStats};

use crate::keep::Gate;

/// Name and help of what happened on the links.
const EVENTS: (&str, &str) =
    ("bellhop_broker_events_total", "What happened between this process and the broker.");

/// Name and help of how the links are.
const STATES: (&str, &str) = (
    "bellhop_broker_link_state",
    "1 for the state in which a connection to the broker is: up, blocked (the broker takes no publishes) or down.",
);

/// Name and help of what the store does.
const STORE: (&str, &str) =
    ("bellhop_store_events_total", "What happened while resolving subscriptions and hearing of changes.");

/// Name and help of what the gate keeps.
const KEPT: (&str, &str) = (
    "bellhop_results_kept",
    "Results that the broker has not taken yet; no lane takes anything while there are any.",
);

/// Registers what broker, store and gate count.
pub(crate) fn register(
    metrics: &Metrics,
    store: &Store,
    [consuming, publishing]: [&Link; 2],
    gate: Gate,
) -> Result<(), prometheus::Error> {
    register_links(metrics, consuming, publishing)?;
    let store = store.clone();
    metrics.show_counts(STORE, &["event"], move |show| {
        for (event, count) in store_events(&store.stats()) {
            show(&[event], count);
        }
    })?;
    metrics.show_number(KEPT, move || gate.kept())
}

/// Shows what happened on each link, and how it is.
fn register_links(metrics: &Metrics, consuming: &Link, publishing: &Link) -> Result<(), prometheus::Error> {
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

/// What a store counts, as label values.
fn store_events(stats: &StoreStats) -> [(&'static str, u64); 15] {
    [
        ("memory_hit", stats.memory_hits),
        ("redis_hit", stats.redis_hits),
        ("redis_miss", stats.redis_misses),
        ("redis_outdated", stats.redis_outdated),
        ("redis_unreadable", stats.redis_unreadable),
        ("redis_failure", stats.redis_failures),
        ("postgres_read", stats.postgres_reads),
        ("postgres_failure", stats.postgres_failures),
        ("stale_served", stats.stale_served),
        ("unresolved", stats.unresolved),
        ("change_heard", stats.changes_heard),
        ("change_found", stats.changes_found),
        ("redis_healed", stats.redis_healed),
        ("subscribed", stats.subscribed),
        ("write_not_cached", stats.writes_not_cached),
    ]
}
