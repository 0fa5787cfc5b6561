//! How a worker and a producer work, and whether the deadlines fit each other.

use std::time::Duration;

use bellhop_broker::Shards;
use bellhop_model::{Ladder, limits};
use bellhop_producer::ProducerOptions;
use bellhop_runtime::config::{Key, Section, Settings};
use bellhop_runtime::shutdown::ShutdownConfig;
use bellhop_sender::SenderOptions;
use bellhop_worker::{Division, LaneKind, LaneName, LaneOptions, WorkerOptions};

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
pub(super) fn read_worker(settings: &mut Settings, ladder: Ladder, shards: Shards) -> WorkerOptions {
    let mut worker = settings.section("worker", "What a worker takes, and how much at a time.");
    let names = worker.list(
        Key { name: "lanes", meaning: "The lanes this worker serves. Separate deployments for live and test keep a flood of tests away from live. Whoever serves a fresh lane hands deliveries that would hold it up to the mode's slow lane, so some worker must serve that." },
        "a lane: `live` or `test`, and behind it `.fresh`, `.slow` or `.due`",
        &LaneName::ALL,
    );
    if names.is_empty() {
        worker.problem("lanes", "names no lane: a worker without one does nothing");
    }
    if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
        worker.problem("lanes", "names a lane twice");
    }
    let fresh = worker.integer(
        Key { name: "fresh_in_flight_max", meaning: "Most events in hand per fresh lane. With several shards half of them are divided among these, the rest goes to whichever has more; what the broker may hand out of one shard is the sum. Too low leaves the worker idle while endpoints answer; too high takes memory and makes a killed worker repeat more." },
        200,
        1..=2000,
    );
    let slow = worker.integer(
        Key { name: "slow_in_flight_max", meaning: "The same for each slow lane: first attempts at webhooks that are slow, hang or cannot be reached. Too low and they wait longer for each other; nobody else does." },
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
    let sockets_max = worker.integer(
        Key { name: "sockets_max", meaning: "Most requests under way at once, shared out among the lanes in proportion to what they have in hand; at least one for each message in hand, and never more than two are used. Too low, and events for many webhooks wait for each other; too high, and it is the process's limit of open files that refuses, see sender.kept_connections_max." },
        2048,
        1..=65_535,
    );
    let budget = worker.bytes::<u64>(
        Key { name: "memory_max", meaning: "Most memory that messages in hand may take. Start-up refuses lanes whose in-flight bounds, at 64 KiB an event and four copies of each, and what else their shards are handed out, could exceed it." },
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
    let in_flight_max = |kind| match kind {
        LaneKind::Fresh => fresh,
        LaneKind::Slow => slow,
        LaneKind::Due => due,
    };
    let lane = |LaneName(mode, kind)| LaneOptions { mode, kind, in_flight_max: in_flight_max(kind) };
    let lanes = names.into_iter().map(lane).collect();
    let options =
        WorkerOptions { lanes, shards, ladder, webhook_in_flight_max, sockets_max, publish_timeout };
    check_bounds(&mut worker, &options, budget);
    options
}

/// Refuses bounds that cannot be kept together.
///
/// * `budget`: bytes of memory for messages in hand.
fn check_bounds(worker: &mut Section<'_>, options: &WorkerOptions, budget: u64) {
    let WorkerOptions { lanes, shards, webhook_in_flight_max, sockets_max, .. } = options;
    if lanes.iter().any(|lane| lane.in_flight_max < shards.get() && lane.kind == LaneKind::Fresh) {
        worker.problem(
            "fresh_in_flight_max",
            "is less than [amqp] shards: each shard needs a place of its own",
        );
    }
    let divisions: Vec<_> = lanes.iter().map(|lane| (lane.in_flight_max, lane.division(*shards))).collect();
    if divisions.iter().any(|(_, division)| division.of_one_queue() < *webhook_in_flight_max) {
        worker.problem("webhook_in_flight_max", "is more than a lane has in hand, or than one shard may have: a webhook that hangs could hold all of it. Lower it, or raise fresh_in_flight_max, slow_in_flight_max or due_in_flight_max");
    }
    let messages = options.in_hand_max();
    if *sockets_max < messages {
        worker.problem("sockets_max", format!("is less than the {messages} messages that the lanes may have in hand: raise it, or lower fresh_in_flight_max, slow_in_flight_max or due_in_flight_max"));
    }
    let copies: u64 =
        divisions.iter().map(|(in_flight_max, division)| copies(*in_flight_max, *division)).sum();
    let needed = copies * limits::EVENT_BYTES_MAX as u64;
    if budget < needed {
        let mebibytes = needed.div_ceil(1024 * 1024);
        worker.problem("memory_max", format!("is less than the lanes could take ({mebibytes}MiB): raise it, or lower fresh_in_flight_max, slow_in_flight_max, due_in_flight_max or [amqp] shards"));
    }
}

/// How many times the size of an event one lane's messages may take: those in hand, and what was handed out and waits.
fn copies(in_flight_max: u16, division: Division) -> u64 {
    let in_hand = u64::from(in_flight_max);
    in_hand * COPIES_OF_A_MESSAGE + (division.handed_out_max() - in_hand)
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
