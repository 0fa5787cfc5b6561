//! What the store counts about itself, for whoever exports metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often each thing happened since the store was opened; a snapshot.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct StoreStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The living counters behind [`StoreStats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> StoreStats {
                StoreStats { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Resolved from this process's memory.
    memory_hits,
    /// Resolved from Redis.
    redis_hits,
    /// Redis had no copy.
    redis_misses,
    /// Redis had a copy that is known to be older than the truth.
    redis_outdated,
    /// Redis had a copy that could not be opened or understood.
    redis_unreadable,
    /// Redis could not be asked, or was left alone because it failed a moment ago.
    redis_failures,
    /// Reads of PostgreSQL for a resolution.
    postgres_reads,
    /// Those that failed.
    postgres_failures,
    /// Resolved from memory beyond the time of revalidation, because nothing could be reached.
    stale_served,
    /// Not resolved.
    unresolved,
    /// Changes heard of by publish.
    changes_heard,
    /// Changes found in PostgreSQL that neither a publish nor a read had told of before.
    changes_found,
    /// Looks into PostgreSQL that told of every change.
    looks,
    /// Copies removed from Redis because PostgreSQL has a newer version.
    redis_healed,
    /// Times the listener subscribed.
    subscribed,
    /// Writes that reached PostgreSQL but not Redis.
    writes_not_cached,
}

/// One number that only rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
