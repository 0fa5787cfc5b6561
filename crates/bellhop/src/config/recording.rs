//! How a recorder works, and how long it keeps what it wrote.

use std::time::Duration;

use bellhop_broker::Shards;
use bellhop_recorder::RecorderOptions;
use bellhop_runtime::config::{Key, Section, Settings};
use bellhop_store::{LogRetention, ModeRetention};

/// Greatest size of a message of the log that workers make, but for one event with many webhooks.
const MESSAGE_BYTES_MAX: u64 = 512 * 1024;

/// How often a message's bytes lie in memory while it is in hand: as received, as read, sealed, on the way to PostgreSQL.
const COPIES_OF_A_MESSAGE: u64 = 4;

/// Shortest time that a webhook fails before it is disabled. The attempts of one delivery take minutes.
const FAILING_AFTER_MIN: Duration = Duration::from_secs(60 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads section `[recorder]`.
///
/// * `shards`: of section `[amqp]`.
pub(super) fn read_recorder(settings: &mut Settings, shards: Shards) -> RecorderOptions {
    let defaults = RecorderOptions::default();
    let mut recorder = settings.section(
        "recorder",
        "How what happened gets from the log into PostgreSQL, and how long it stays there.",
    );
    let prefetch = recorder.integer(
        Key { name: "prefetch", meaning: "Most messages in hand. Each has up to some sixty records. Too low leaves the recorder idle during commits; too high takes memory." },
        defaults.prefetch,
        1..=1000,
    );
    let batch_rows_max = recorder.integer(
        Key { name: "batch_rows_max", meaning: "How many records are written by one transaction, unless a single message has more. Too low and commits take most of the time; too high and one is long enough to run into postgres.query_timeout." },
        defaults.batch_rows_max,
        1..=5000,
    );
    let linger = recorder.duration(
        Key { name: "linger", meaning: "How long records wait for others. Too low makes small transactions; too high keeps the log behind what happens." },
        defaults.linger,
        Duration::ZERO..=Duration::from_secs(5),
    );
    let publish_timeout = recorder.duration(
        Key {
            name: "publish_timeout",
            meaning: "Longest wait for one confirm before what cannot be written is parked again.",
        },
        defaults.publish_timeout,
        Duration::from_secs(1)..=Duration::from_secs(120),
    );
    let memory_max = recorder.bytes::<u64>(
        Key { name: "memory_max", meaning: "Most memory that messages in hand may take. Start-up refuses a prefetch that, at 512 KiB a message and four copies of each, could exceed it." },
        256 * 1024 * 1024,
        16 * 1024 * 1024..=64 * 1024 * 1024 * 1024,
    );
    let needed = u64::from(prefetch) * MESSAGE_BYTES_MAX * COPIES_OF_A_MESSAGE;
    if memory_max < needed {
        let mebibytes = needed.div_ceil(1024 * 1024);
        recorder.problem(
            "memory_max",
            format!("is less than the prefetch could take ({mebibytes}MiB): raise it, or lower prefetch"),
        );
    }
    let LogRetention { live, test } = defaults.retention;
    let retention = LogRetention {
        live: read_retention(&mut recorder, ["live_payload_retention", "live_attempts_retention"], live),
        test: read_retention(&mut recorder, ["test_payload_retention", "test_attempts_retention"], test),
    };
    let disable_failing_after = read_failing(&mut recorder, retention);
    RecorderOptions {
        shards,
        prefetch,
        batch_rows_max,
        linger,
        publish_timeout,
        retention,
        disable_failing_after,
    }
}

/// * `retention`: how long deliveries are known.
fn read_failing(recorder: &mut Section<'_>, retention: LogRetention) -> Option<Duration> {
    const NAME: &str = "disable_failing_after";
    let after = recorder.duration(
        Key { name: NAME, meaning: "How long every delivery to a webhook may be exhausted, 5 of them at least, before it is disabled with the reason `failing`; `bellhop webhook enable` delivers again. `0s` disables none. Too short and an endpoint that is down over a weekend is not called again; too long and what nobody reads is sent and stored for as long." },
        RecorderOptions::default().disable_failing_after.unwrap_or_default(),
        Duration::ZERO..=365 * DAY,
    );
    if after.is_zero() {
        return None;
    }
    if after < FAILING_AFTER_MIN {
        recorder.problem(NAME, "is shorter than an hour: raise it, or write `0s` to disable none");
    }
    if retention.live.attempts.min(retention.test.attempts) < after {
        recorder.problem(
            NAME,
            "is longer than live_attempts_retention or test_attempts_retention, so it could not be told: shorten it, or write `0s` to disable none",
        );
    }
    Some(after)
}

/// * `names`: the keys of payloads, and of everything else.
fn read_retention(
    recorder: &mut Section<'_>,
    names: [&'static str; 2],
    defaults: ModeRetention,
) -> ModeRetention {
    let [payload_name, attempts_name] = names;
    let payload = recorder.duration(
        Key { name: payload_name, meaning: "How long payloads and what endpoints answered are kept, by whole days. They are health data; without them a delivery cannot be made again." },
        defaults.payload,
        DAY..=3650 * DAY,
    );
    let attempts = recorder.duration(
        Key { name: attempts_name, meaning: "How long everything else is kept: which events, deliveries and requests there were, and what came of them." },
        defaults.attempts,
        DAY..=3650 * DAY,
    );
    if attempts < payload {
        recorder.problem(
            attempts_name,
            format!("is shorter than {payload_name}: a payload that nothing refers to could not be found"),
        );
    }
    ModeRetention { payload, attempts }
}
