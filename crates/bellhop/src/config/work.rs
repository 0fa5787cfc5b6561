//! How a worker and a producer work, and whether the deadlines fit each other.

use std::time::Duration;

use bellhop_model::{Ladder, limits};
use bellhop_producer::ProducerOptions;
use bellhop_runtime::config::{Key, Settings};
use bellhop_runtime::shutdown::ShutdownConfig;
use bellhop_sender::SenderOptions;
use bellhop_worker::{LaneKind, LaneName, LaneOptions, WorkerOptions};

/// How often a message's bytes lie in memory while it is in hand: as received, as read, as rendered, as published.
const COPIES_OF_A_MESSAGE: u64 = 4;

/// Reads section `[retry]`.
pub(super) fn read_ladder(settings: &mut Settings) -> Ladder {
    let mut retry = settings.section(
        "retry",
        "When a failed attempt is made again. There are three attempts in all, whatever is written here.",
    );
    let waits = retry.durations(
        Key { name: "waits", meaning: "Waits before attempt 2 and attempt 3. Each is a queue on the broker, beside the default rungs 10s, 30s, 2m, 10m and 1h, that `bellhop topology` declares; run it after a change. Shorten them for a trial only: a receiver that restarts needs more than a few seconds." },
        &limits::RETRY_WAITS_DEFAULT,
        limits::RUNG_WAIT_MIN..=limits::RUNG_WAIT_MAX,
        2..=2,
    );
    Ladder::with_waits(&waits).unwrap_or_else(|error| {
        retry.problem("waits", error.to_string());
        Ladder::default()
    })
}

/// Reads section `[worker]`.
pub(super) fn read_worker(settings: &mut Settings, ladder: Ladder) -> WorkerOptions {
    let mut worker = settings.section("worker", "What a worker takes, and how much at a time.");
    let names = worker.list(
        Key { name: "lanes", meaning: "The lanes this worker serves. Separate deployments for live and test keep a flood of tests away from live." },
        "a lane: `live.fresh`, `live.due`, `test.fresh` or `test.due`",
        &LaneName::ALL,
    );
    if names.is_empty() {
        worker.problem("lanes", "names no lane: a worker without one does nothing");
    }
    if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
        worker.problem("lanes", "names a lane twice");
    }
    let fresh = worker.integer(
        Key { name: "fresh_in_flight_max", meaning: "Most events in hand per fresh lane; also its prefetch. Too low leaves the worker idle while endpoints answer; too high takes memory and makes a killed worker repeat more." },
        200,
        1..=2000,
    );
    let due = worker.integer(
        Key { name: "due_in_flight_max", meaning: "The same for each due lane: attempts 2 and 3." },
        100,
        1..=2000,
    );
    let webhook_in_flight_max = worker.integer(
        Key { name: "webhook_in_flight_max", meaning: "Most requests under way at one webhook, in all lanes of this worker together; what exceeds it waits its turn. Too low and a burst for a slow endpoint takes long; too high and one endpoint that hangs holds much of a lane, or a small one is overrun. At most the in-flight bound of each lane served." },
        20,
        1..=2000,
    );
    let budget = worker.bytes::<u64>(
        Key { name: "memory_max", meaning: "Most memory that messages in hand may take. Start-up refuses lanes whose in-flight bounds, at 64 KiB an event and four copies of each, could exceed it." },
        512 * 1024 * 1024,
        16 * 1024 * 1024..=64 * 1024 * 1024 * 1024,
    );
    let publish_timeout = worker.duration(
        Key {
            name: "publish_timeout",
            meaning: "Longest wait for a connection that takes a result before that is tried anew. What the broker was already given is waited for until it is confirmed or the connection ends, and is not given twice.",
        },
        Duration::from_secs(15),
        Duration::from_secs(1)..=Duration::from_secs(120),
    );
    let lanes: Vec<LaneOptions> = names
        .into_iter()
        .map(|LaneName(mode, kind)| {
            let in_flight_max = match kind {
                LaneKind::Fresh => fresh,
                LaneKind::Due => due,
            };
            LaneOptions { mode, kind, in_flight_max }
        })
        .collect();
    if lanes.iter().any(|lane| lane.in_flight_max < webhook_in_flight_max) {
        worker.problem("webhook_in_flight_max", "is more than a lane has in hand: one webhook that hangs could hold all of it. Lower it, or raise fresh_in_flight_max or due_in_flight_max");
    }
    let messages: u64 = lanes.iter().map(|lane| u64::from(lane.in_flight_max)).sum();
    let needed = messages * limits::EVENT_BYTES_MAX as u64 * COPIES_OF_A_MESSAGE;
    if budget < needed {
        let mebibytes = needed.div_ceil(1024 * 1024);
        worker.problem("memory_max", format!("is less than the lanes could take ({mebibytes}MiB): raise it, or lower fresh_in_flight_max or due_in_flight_max"));
    }
    WorkerOptions { lanes, ladder, webhook_in_flight_max, publish_timeout }
}

/// Reads section `[producer]`.
pub(super) fn read_producer(settings: &mut Settings) -> ProducerOptions {
    let defaults = ProducerOptions::default();
    let mut producer = settings.section("producer", "How patiently `bellhop publish` publishes.");
    let publish_timeout = producer.duration(
        Key { name: "publish_timeout", meaning: "Longest wait for one event's confirm, outages included." },
        defaults.publish_timeout,
        Duration::from_secs(1)..=Duration::from_secs(300),
    );
    ProducerOptions { publish_timeout }
}

/// Refuses deadlines that cannot be kept together: a request must end, and its result be stored, within the drain.
pub(super) fn check_deadlines(settings: &mut Settings, sender: &SenderOptions, shutdown: ShutdownConfig) {
    if shutdown.drain_timeout <= sender.request_timeout {
        settings.problem("shutdown", "drain_timeout", "is not longer than sender.request_timeout: a request begun before the drain could not end within it");
    }
}
