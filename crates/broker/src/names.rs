//! Names of exchanges and queues, and the headers that are ours.

use bellhop_model::{Mode, Rung};

/// Where publishers send events (topic; routing key `<mode>.<event type>`).
pub const EVENTS_EXCHANGE: &str = "bellhop.events";

/// Where events go whose routing key names no mode: the alternate exchange and its queue.
pub const UNROUTABLE: &str = "bellhop.unroutable";

/// The log: an exchange of that name, and the queue behind it that the recorder reads.
pub const LOG: &str = "bellhop.log";

/// Where log messages go that were handed out too often without being taken.
pub const LOG_PARKED: &str = "bellhop.log.parked";

/// Header: why a message was parked, a sentence for the operator.
pub const REASON_HEADER: &str = "bellhop-reason";

/// Header: which queue a parked message came from.
pub const ORIGIN_HEADER: &str = "bellhop-origin";

/// Header: what the message was called before it was parked.
pub const ORIGINAL_ID_HEADER: &str = "bellhop-message-id";

/// Header: the routing key the message came with before it was parked.
pub const ORIGINAL_KEY_HEADER: &str = "bellhop-routing-key";

/// Header: when a message was parked, in milliseconds since the epoch.
pub const PARKED_AT_HEADER: &str = "bellhop-parked-at";

/// Header of what is due: the webhook it is owed to; absent when nobody could tell who wants the event.
pub const WEBHOOK_HEADER: &str = "bellhop-webhook";

/// Header of what is due: which series of attempts.
pub const SERIES_HEADER: &str = "bellhop-series";

/// Header of what is due: the attempt that is owed.
pub const ATTEMPT_HEADER: &str = "bellhop-attempt";

/// Header of what is due: which copy of the attempt the message is. Of two copies one is let through.
pub const COPY_HEADER: &str = "bellhop-copy";

/// Header of what is due: since when the series is owed, in milliseconds since the epoch.
pub const ACCEPTED_AT_HEADER: &str = "bellhop-accepted-at";

/// Header of the public contract: whose event it is.
pub const ORGANISATION_HEADER: &str = "organisation-id";

/// Header of the public contract: the trace the event belongs to, passed on unread.
pub const TRACE_HEADER: &str = "traceparent";

/// The exchange of one mode, through which everything of that mode but fresh events is routed (direct).
#[must_use]
pub fn mode_exchange(mode: Mode) -> String {
    format!("bellhop.{mode}")
}

/// The queue of fresh events.
///
/// * `shard`: from 0; with one shard there is only 0.
#[must_use]
pub fn events_queue(mode: Mode, shard: u16) -> String {
    format!("bellhop.{mode}.events.{shard}")
}

/// The exchange that spreads a mode's events over several shards, by organisation.
#[must_use]
pub fn shards_exchange(mode: Mode) -> String {
    format!("bellhop.{mode}.shards")
}

/// Where that exchange sends an event should it know no shard for it: to the first one.
#[must_use]
pub fn fallback_exchange(mode: Mode) -> String {
    format!("bellhop.{mode}.shards.fallback")
}

/// The queue of deliveries whose wait is over; also its routing key on the mode's exchange is [`DUE_KEY`].
#[must_use]
pub fn due_queue(mode: Mode) -> String {
    format!("bellhop.{mode}.due")
}

/// The queue of first attempts at webhooks that would hold up the fresh lane; also its routing key on the mode's exchange
/// is [`SLOW_KEY`].
#[must_use]
pub fn slow_queue(mode: Mode) -> String {
    format!("bellhop.{mode}.slow")
}

/// The queue of messages nobody here can process.
#[must_use]
pub fn parked_queue(mode: Mode) -> String {
    format!("bellhop.{mode}.parked")
}

/// The queue of one rung of the wait ladder.
#[must_use]
pub fn wait_queue(mode: Mode, rung: Rung) -> String {
    format!("bellhop.{mode}.{}", wait_key(rung))
}

/// Routing key, on a mode's exchange, of what is due.
pub const DUE_KEY: &str = "due";

/// Routing key, on a mode's exchange, of what goes by the slow lane.
pub const SLOW_KEY: &str = "slow";

/// Routing key, on a mode's exchange, of what is parked.
pub const PARKED_KEY: &str = "parked";

/// Routing key, on a mode's exchange, of what waits on a rung.
#[must_use]
pub fn wait_key(rung: Rung) -> String {
    format!("wait.{rung}")
}
