//! How much a recorder takes at a time, and how long it keeps what it wrote.

use std::time::Duration;

use bellhop_broker::Shards;
use bellhop_store::{LogRetention, ModeRetention};

/// How a recorder works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecorderOptions {
    /// Over how many queues the fresh events of each mode are spread; a recovery looks at all of them. Default 1.
    pub shards: Shards,
    /// Most messages in hand, from 1. Default 64.
    pub prefetch: u16,
    /// How many records are written together, unless a single message has more. Default 500.
    pub batch_rows_max: usize,
    /// How long records wait for others. Default 20 ms.
    pub linger: Duration,
    /// Longest wait for the broker to confirm what is parked, before it is tried again. Default 15 s.
    pub publish_timeout: Duration,
    /// How long what is kept. Default 30 days for payloads and answers, 90 for everything else.
    pub retention: LogRetention,
    /// How long every delivery to a webhook may be exhausted before it is disabled; `None` for ever. Default 5 days.
    pub disable_failing_after: Option<Duration>,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let retention = ModeRetention { payload: days(30), attempts: days(90) };
        Self {
            shards: Shards::ONE,
            prefetch: 64,
            batch_rows_max: 500,
            linger: Duration::from_millis(20),
            publish_timeout: Duration::from_secs(15),
            retention: LogRetention { live: retention, test: retention },
            disable_failing_after: Some(days(5)),
        }
    }
}
