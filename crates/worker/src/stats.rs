//! Counters kept by the adapters, shown as metrics of the process.

use bellhop_broker::{Link, LinkState};
use bellhop_runtime::metrics::{Metrics, ShownLink};
use bellhop_store::{Store, StoreStats};

use crate::keep::Gate;

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
    let links = [("consuming", consuming), ("publishing", publishing)];
    let links = links.map(|(name, link)| ShownLink::new(name, link.counts(), link.label()));
    metrics.show_links(&LinkState::LABELS, links)?;
    let store = store.clone();
    metrics.show_counts(STORE, &["event"], move |show| {
        for (event, count) in store_events(&store.stats()) {
            show(&[event], count);
        }
    })?;
    metrics.show_number(KEPT, move || gate.kept())
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
