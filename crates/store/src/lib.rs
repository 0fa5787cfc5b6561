//! The only crate that speaks PostgreSQL and Redis: the truth about webhooks and its cached copy, and the delivery log.
//!
//! Both are here so that a write and its invalidation are one function. PostgreSQL is the truth; Redis holds a sealed
//! copy per organisation and mode; each process holds another in memory. Every write raises a version in its own
//! transaction, and nothing older ever replaces something newer.
//!
//! A process that connects to Redis by `rediss://` installs rustls' `ring` provider first; PostgreSQL needs no such care.

mod limits;
pub use limits::{
    AUDIT_PAGE_MAX, DELIVERIES_PAGE_MAX, DELIVERY_ATTEMPTS_MAX, DELIVERY_SERIES_MAX,
    EVENT_TYPES_PER_WEBHOOK_MAX, EVENTS_PAGE_MAX, IDEMPOTENT_ANSWERS_KEPT, KEYS_PER_ORGANISATION_MAX,
    LIST_PAGE_MAX, PUBLISHED_KEPT, PUBLISHING_MAX, RATE_POINTS_MAX, RECOVERIES_PAGE_MAX,
    RECOVERY_COUNT_PATIENCE, RECOVERY_PACE_DEFAULT, RECOVERY_PACE_MAX, SERIES_PAGE_MAX,
    WEBHOOKS_PER_ORGANISATION_MAX,
};

mod options;
pub use options::{MemoryOptions, PostgresOptions, RedisOptions, ServerUrl, StoreOptions};

mod error;
pub use error::{StoreError, Unresolved};

mod seal;
pub use seal::{SealingKeys, SealingKeysError};

mod check;
mod migrations;

mod diagnose;
pub use diagnose::{PostgresFacts, RedisFacts};

mod webhooks;
pub use webhooks::{CacheReach, NewWebhook, Registered, WebhookFilter, Written};

mod organisation;
pub use organisation::{Creation, Idempotency, Organisation, RevealedRequest, WebhookChange};

mod access;
pub use access::{
    Authentication, KeyHolder, MintedSignIn, NewKey, NewSession, NewSignIn, RegisteredKey, Session,
    SessionHolder, SessionKey, SessionToken, SignIn, StoredKey,
};

mod audit;
pub use audit::{Act, Action, Actor, AuditCursor, AuditCursorError, AuditEntry, AuditFilter, Author};

mod subscriptions;
pub use subscriptions::{ActiveSubscription, Subscriptions};

mod resolve;
mod watch;

mod log;
pub use log::{
    DeliveryCursor, DeliveryCursorError, DeliveryFilter, EventCursor, EventCursorError, EventFilter,
    Expunged, FailingWebhook, LogEntry, LogRetention, LogUpkeep, LogWritten, LoggedAttempt, LoggedDelivery,
    LoggedEvent, ModeRetention, RATE_SLOT, RatePoint, RateSpan, StatusFilter, StatusFilterError,
    UnusableRecord, WebhookOverview,
};

mod owing;
pub use owing::{
    LeaseHolder, LoggedSeries, NewRecovery, Overlap, OwedSeries, Recovery, RecoveryCount, RecoveryFailure,
    RecoveryFilter, RecoveryPage, RecoveryState, RecoveryStateError, Refusal, SeriesProgress,
};

mod claim;
pub use claim::{Claim, ClaimedAttempt};

mod published;
pub use published::{AskedEvent, Publishing};

mod stats;
pub use stats::StoreStats;

mod cached;
mod encoding;
mod flight;
mod memory;
mod postgres;
mod random;
mod redis;
mod scope;
mod truth;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::cached::Cached;
use crate::claim::Claims;
use crate::flight::Flights;
use crate::memory::Memory;
use crate::postgres::Postgres;
use crate::stats::Counters;

/// The truth about webhooks and its copies. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    postgres: Postgres,
    postgres_timeout: Duration,
    schema: String,
    cached: Cached,
    claims: Claims,
    redis_ttl: Duration,
    memory: Memory,
    sealing: SealingKeys,
    webhooks_per_organisation_max: usize,
    flights: Flights,
    /// How many resolutions may read PostgreSQL at once; one connection stays free for writes and for looking out.
    miss_places: Semaphore,
    counters: Counters,
}

impl Store {
    /// Prepares a store. Nothing is connected yet, so neither server needs to be up.
    ///
    /// # Errors
    /// [`StoreError::Options`] when an option or a URL cannot work.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        options.check()?;
        let StoreOptions { postgres, redis, memory, sealing, webhooks_per_organisation_max } = options;
        let inner = Inner {
            postgres: Postgres::open(postgres)?,
            postgres_timeout: postgres.query_timeout,
            schema: postgres.schema.clone(),
            cached: Cached::open(redis, sealing.clone())?,
            claims: Claims::open(redis)?,
            redis_ttl: redis.ttl,
            memory: Memory::new(*memory),
            sealing: sealing.clone(),
            webhooks_per_organisation_max: *webhooks_per_organisation_max,
            flights: Flights::default(),
            miss_places: Semaphore::new(postgres.connections_max - 1),
            counters: Counters::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How often each thing happened since the store was opened.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.inner.counters.snapshot()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}
