//! Bounds of this crate. Those of queues are in [`crate::topology`], beside the queues.

use std::time::Duration;

/// How long one try to connect and open a channel may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an orderly close may take before the socket is simply dropped.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Heartbeat, in seconds, unless the URL names another: a peer that is silent for twice as long is given up. The broker's
/// own default of 60 would let a silent link go unnoticed for two minutes.
pub(crate) const HEARTBEAT_SECONDS: u16 = 10;

/// Shortest and longest pause between two tries to connect; the pause is drawn at random up to a doubling bound.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// See [`BACKOFF_MIN`].
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long a broker may leave publishes unconfirmed before the session is given up. Not counted while the broker has
/// said that it blocks publishers.
pub(crate) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

/// How long confirms may be outstanding before the publisher no longer counts as ready: nothing whose result would have
/// to be stored is begun while the broker keeps silent.
pub(crate) const CONFIRM_LATE_AFTER: Duration = Duration::from_secs(2);

/// Channels that publish in parallel. While one waits for its batch's confirms the others fill theirs.
pub(crate) const PUBLISH_CHANNELS: usize = 4;

/// Most messages published on one channel before their confirms are awaited.
pub(crate) const PUBLISH_BATCH_MAX: usize = 128;

/// Most publishes that wait for a channel. A caller over this bound waits to be let in, within its own deadline.
pub(crate) const PUBLISH_QUEUE_MAX: usize = 1024;

/// Most settlements written to the socket together.
pub(crate) const SETTLE_BATCH_MAX: usize = 256;

/// How long a change of the number of shards waits for events that are being routed. A broker routes within
/// microseconds; this leaves room for one that is overloaded.
pub(crate) const SETTLE_PAUSE: Duration = Duration::from_millis(500);
