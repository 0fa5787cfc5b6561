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

/// The queue of deliveries whose wait is over; also its routing key on the mode's exchange is [`DUE_KEY`].
#[must_use]
pub fn due_queue(mode: Mode) -> String {
    format!("bellhop.{mode}.due")
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

/// Routing key, on a mode's exchange, of what is parked.
pub const PARKED_KEY: &str = "parked";

/// Routing key, on a mode's exchange, of what waits on a rung.
#[must_use]
pub fn wait_key(rung: Rung) -> String {
    format!("wait.{rung}")
}
