//! Bounds that belong to the store rather than to one process's configuration.

use std::time::Duration;

/// Most webhooks of one organisation in one mode, unless configured otherwise. Each event becomes at most as many
/// deliveries.
pub const WEBHOOKS_PER_ORGANISATION_MAX: usize = 25;

/// Most event types of one webhook. It bounds what a copy of it takes in memory.
pub const EVENT_TYPES_PER_WEBHOOK_MAX: usize = 64;

/// Most webhooks that one call lists.
pub const LIST_PAGE_MAX: usize = 500;

/// Most events that one call lists.
pub const EVENTS_PAGE_MAX: usize = 500;

/// Most points of a series of rates that one call tells.
pub const RATE_POINTS_MAX: usize = 1_000;

/// Most secrets that one webhook signs with at once: the current one and those that rotations keep alive.
pub(crate) const SECRETS_PER_WEBHOOK_MAX: usize = 3;

/// How long what was answered to a creation with an idempotency key is kept.
pub const IDEMPOTENT_ANSWERS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Most keys of one organisation in one mode that are neither revoked nor expired.
pub const KEYS_PER_ORGANISATION_MAX: usize = 100;

/// Most entries of the audit that one call lists.
pub const AUDIT_PAGE_MAX: usize = 500;

/// A key's last use is written when the one on record is older than this.
pub(crate) const LAST_USE_INTERVAL: Duration = Duration::from_secs(60);

/// Most sessions of one user or one key in the console; the oldest ends when another begins.
pub(crate) const SESSIONS_PER_HOLDER_MAX: i64 = 20;

/// Most rows that have run out which a writer of their kind removes on the way.
pub(crate) const SWEEP_ROWS_MAX: i64 = 100;

/// Most deliveries that one call lists.
pub const DELIVERIES_PAGE_MAX: usize = 500;

/// Most requests of one delivery that one call lists. A series has three, save for repeats.
pub const DELIVERY_ATTEMPTS_MAX: usize = 200;

/// How long an event that was published on request is remembered, so that the same request does not publish it again.
pub const PUBLISHED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an event may be on its way to the broker before another request may publish it. Longer than any wait for a
/// confirm; a process that was killed meanwhile leaves its events unpublished for as long.
pub const PUBLISHING_MAX: Duration = Duration::from_secs(60);

/// Most series of one delivery that one call lists.
pub const DELIVERY_SERIES_MAX: usize = 200;

/// Most recoveries that one call lists.
pub const RECOVERIES_PAGE_MAX: usize = 500;

/// Most deliveries that a recovery owes again a second. The due lane has a budget of its own, but what it takes from
/// endpoints, broker and tables it takes from everybody.
pub const RECOVERY_PACE_MAX: u32 = 1_000;

/// How many deliveries a recovery owes again a second unless told otherwise: some hundred thousand within the hour.
pub const RECOVERY_PACE_DEFAULT: u32 = 50;

/// Most series that are begun, or published, together. Each has a payload of up to 64 KiB in memory meanwhile.
pub const SERIES_PAGE_MAX: usize = 100;

/// How long a recorder has a series or a recovery to itself before another one takes it over. It renews the one of a
/// recovery with every page; longer than publishing a page may take.
pub(crate) const LEASE: Duration = Duration::from_secs(45);

/// How long counting what a recovery would owe again may take for somebody who has the time; who asks over HTTP has less.
pub const RECOVERY_COUNT_PATIENCE: Duration = Duration::from_secs(60);

/// How long the rest of beginning a recovery may take beside the counting.
pub(crate) const RECOVERY_BEGIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the truth is asked for recent changes. Two rounds fit into the promised 5 s.
pub(crate) const TRUTH_INTERVAL: Duration = Duration::from_secs(2);

/// After this a copy is read again although looks told of no change. It bounds what looks cannot tell: a change made by
/// hand without a version, and a version that a failover lost.
pub(crate) const REREAD_AFTER: Duration = Duration::from_secs(60);

/// By how much one look for changes overlaps the one before: longer than a write may take
/// from its stamp to its commit, which [`QUERY_TIMEOUT_MAX`] bounds.
pub(crate) const TRUTH_OVERLAP: Duration = Duration::from_secs(30);

/// Longest query timeout that may be configured.
pub(crate) const QUERY_TIMEOUT_MAX: Duration = Duration::from_secs(15);

/// Most changes fetched at once.
pub(crate) const CHANGES_PAGE_MAX: i64 = 500;

/// How long a stale copy is served before the servers are tried again.
pub(crate) const STALE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long Redis is left alone by reads after it failed one, so that a hanging Redis does not delay every miss.
pub(crate) const REDIS_PAUSE: Duration = Duration::from_millis(500);

/// How long a claim waits for a Redis that answered the one before: an attempt that cannot be claimed is made, and may be
/// made by two. After a failure the configured timeout applies until Redis answers again.
pub(crate) const CLAIM_PATIENCE: Duration = Duration::from_secs(2);

/// How often the listener makes sure that its connection is alive.
pub(crate) const LISTENER_PING_INTERVAL: Duration = Duration::from_secs(5);

/// How long the listener waits for an answer, connecting included.
pub(crate) const LISTENER_TIMEOUT: Duration = Duration::from_secs(2);

/// Shortest and longest wait before the listener connects again.
pub(crate) const RECONNECT_WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long a migration waits for another one to finish.
pub(crate) const MIGRATION_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// How long all migrations together may take.
pub(crate) const MIGRATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How often a value in Redis that cannot be opened is worth a line in the log.
pub(crate) const UNREADABLE_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// How many days ahead the log has partitions: a recorder may be away for as long before one is missing, and the clock of
/// a worker may be as far ahead before its records are refused.
pub(crate) const LOG_DAYS_AHEAD: i32 = 3;

/// How long upkeep of the log waits for a lock before it leaves the rest to the next round.
pub(crate) const LOG_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one statement of upkeep may take. Detaching a partition waits for every transaction that uses its table.
pub(crate) const LOG_STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one round of upkeep may take.
pub(crate) const LOG_UPKEEP_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Most webhooks that a look for failing ones takes at once.
pub(crate) const FAILING_PAGE_MAX: i64 = 100;

/// Most rows that upkeep removes by one statement.
pub(crate) const LOG_REMOVAL_ROWS_MAX: i64 = 5_000;

/// For how long after an event was expunged upkeep looks whether a late record brought an answer: the log may wait for as
/// long while PostgreSQL is away.
pub(crate) const LATE_ANSWER_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many expunged events one round of upkeep looks after.
pub(crate) const LATE_EXPUNGED_MAX: i64 = 1_000;
