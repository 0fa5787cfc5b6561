//! Counters of this crate, for whoever exports them.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happened between us and the broker since the process started.
#[derive(Debug, Default)]
pub struct BrokerStats {
    /// Sessions built, the first included.
    pub sessions: Counter,
    /// Tries to build a session that failed.
    pub connect_failures: Counter,
    /// Publishes that the broker confirmed.
    pub confirmed: Counter,
    /// Publishes that no queue wanted.
    pub returned: Counter,
    /// Publishes that a queue refused.
    pub refused: Counter,
    /// Publishes whose fate a lost session hid.
    pub interrupted: Counter,
    /// Acknowledgements.
    pub acknowledged: Counter,
    /// Deliveries given back.
    pub requeued: Counter,
    /// Settlements that came too late: the session was gone, and the broker offers the message again.
    pub settled_too_late: Counter,
}

impl BrokerStats {
    /// How many counts there are.
    pub const KINDS: usize = 9;

    /// Every count so far, under the word used in metrics.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); Self::KINDS] {
        [
            ("session", self.sessions.get()),
            ("connect_failure", self.connect_failures.get()),
            ("confirmed", self.confirmed.get()),
            ("returned", self.returned.get()),
            ("refused", self.refused.get()),
            ("interrupted", self.interrupted.get()),
            ("acknowledged", self.acknowledged.get()),
            ("requeued", self.requeued.get()),
            ("settled_too_late", self.settled_too_late.get()),
        ]
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }
}
