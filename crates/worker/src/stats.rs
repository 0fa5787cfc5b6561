//! Counters kept by the adapters, shown as metrics of the process.

use std::sync::Arc;

use bellhop_broker::{BrokerStats, Counter, Link};
use bellhop_store::{Store, StoreStats};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::keep::Gate;

/// Reads one counter of a link.
type Read = fn(&BrokerStats) -> &Counter;

/// What a link counts, as label values.
const LINK_EVENTS: [(&str, Read); 9] = [
    ("session", |stats| &stats.sessions),
    ("connect_failure", |stats| &stats.connect_failures),
    ("confirmed", |stats| &stats.confirmed),
    ("returned", |stats| &stats.returned),
    ("refused", |stats| &stats.refused),
    ("interrupted", |stats| &stats.interrupted),
    ("acknowledged", |stats| &stats.acknowledged),
    ("requeued", |stats| &stats.requeued),
    ("settled_too_late", |stats| &stats.settled_too_late),
];

/// Registers what broker, store and gate count.
pub(crate) fn register(
    registry: &Registry,
    store: &Store,
    [consuming, publishing]: [&Link; 2],
    gate: Gate,
) -> Result<(), prometheus::Error> {
    let broker = IntCounterVec::new(
        Opts::new("bellhop_broker_events_total", "What happened between this process and the broker."),
        &["link", "event"],
    )?;
    let links =
        [("consuming", Arc::clone(consuming.stats())), ("publishing", Arc::clone(publishing.stats()))];
    registry.register(Box::new(Copied {
        shown: broker,
        read: move |shown: &IntCounterVec| {
            for (link, stats) in &links {
                for (event, counter) in LINK_EVENTS {
                    show(shown, &[link, event], counter(stats).get());
                }
            }
        },
    }))?;
    let cache = IntCounterVec::new(
        Opts::new(
            "bellhop_store_events_total",
            "What happened while resolving subscriptions and hearing of changes.",
        ),
        &["event"],
    )?;
    let store = store.clone();
    registry.register(Box::new(Copied {
        shown: cache,
        read: move |shown: &IntCounterVec| {
            for (event, count) in store_events(&store.stats()) {
                show(shown, &[event], count);
            }
        },
    }))?;
    let kept = IntGauge::new(
        "bellhop_results_kept",
        "Results that the broker has not taken yet; no lane takes anything while there are any.",
    )?;
    registry.register(Box::new(Copied {
        shown: kept,
        read: move |shown: &IntGauge| shown.set(i64::try_from(gate.kept()).unwrap_or(i64::MAX)),
    }))
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

/// A metric that is brought up to date when it is collected.
struct Copied<M, R> {
    shown: M,
    read: R,
}

impl<M: Collector, R: Fn(&M) + Send + Sync> Collector for Copied<M, R> {
    fn desc(&self) -> Vec<&Desc> {
        self.shown.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.read)(&self.shown);
        self.shown.collect()
    }
}

/// Brings a counter up to a count that only grows.
fn show(shown: &IntCounterVec, labels: &[&str], count: u64) {
    let counter = shown.with_label_values(labels);
    counter.inc_by(count.saturating_sub(counter.get()));
}
