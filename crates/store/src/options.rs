//! What a store needs to know before it opens anything.

use std::fmt;
use std::time::Duration;

use crate::limits::{QUERY_TIMEOUT_MAX, WEBHOOKS_PER_ORGANISATION_MAX};
use crate::{SealingKeys, StoreError};

/// Everything a [`crate::Store`] is opened with.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Where the truth lies.
    pub postgres: PostgresOptions,
    /// Where its cached copy and the claims lie.
    pub redis: RedisOptions,
    /// This process's own copy.
    pub memory: MemoryOptions,
    /// What secrets and cached copies are sealed with.
    pub sealing: SealingKeys,
    /// Most webhooks of one organisation in one mode. Default 25.
    pub webhooks_per_organisation_max: usize,
}

/// How PostgreSQL is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:5432/database`. With `?sslmode=require` the connection is encrypted and the
    /// certificate verified against the public roots; with any other mode it is plain.
    pub url: ServerUrl,
    /// Schema that holds every table; `[a-z_][a-z0-9_]*`. Default `bellhop`.
    pub schema: String,
    /// Most connections, at least 2; misses may use all but one. Default 8.
    ///
    /// Too low and a flushed cache fills slowly; too high and many workers exhaust the server's `max_connections`.
    pub connections_max: usize,
    /// Longest wait for a connection, new or from the pool. Default 2 s.
    pub connect_timeout: Duration,
    /// Longest wait for one operation, a whole transaction included; at most 15 s. Default 3 s; the server gives up then,
    /// too.
    pub query_timeout: Duration,
}

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://:password@host:6379/0`, or `rediss://…` for TLS verified against the public roots.
    pub url: ServerUrl,
    /// What every key and channel begins with; `[A-Za-z0-9_-]`. Default `bellhop`.
    pub key_prefix: String,
    /// Most connections, besides one that listens. Default 8.
    pub connections_max: usize,
    /// Longest wait for one operation, connecting included. Default 250 ms.
    ///
    /// Too low and a distant Redis is never reached; too high and a hanging one delays every miss by as much.
    pub timeout: Duration,
    /// How long a cached copy lives; each lives up to a fifth less, so that they do not end together. Default 10 min.
    ///
    /// It bounds what a copy can outlive: a Redis restored from an old snapshot, a PostgreSQL restored from a backup.
    pub ttl: Duration,
}

/// How this process's memory behaves.
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    /// A copy that was neither read nor looked after for this long is read again before it is used. Default 4 s, so that
    /// a change holds within 5 s.
    pub revalidate_after: Duration,
    /// A copy older than this is not used even when nothing else can be reached. Default 1 h.
    pub stale_max: Duration,
    /// Roughly how many bytes the copies of each mode may take. Default 64 MiB.
    pub bytes_max: u64,
}

/// The URL of a server, which usually carries a password: `Debug` is redacted and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl StoreOptions {
    /// Options with every default.
    #[must_use]
    pub fn new(postgres: ServerUrl, redis: ServerUrl, sealing: SealingKeys) -> Self {
        Self {
            postgres: PostgresOptions {
                url: postgres,
                schema: "bellhop".to_owned(),
                connections_max: 8,
                connect_timeout: Duration::from_secs(2),
                query_timeout: Duration::from_secs(3),
            },
            redis: RedisOptions {
                url: redis,
                key_prefix: "bellhop".to_owned(),
                connections_max: 8,
                timeout: Duration::from_millis(250),
                ttl: Duration::from_secs(10 * 60),
            },
            memory: MemoryOptions {
                revalidate_after: Duration::from_secs(4),
                stale_max: Duration::from_secs(60 * 60),
                bytes_max: 64 * 1024 * 1024,
            },
            sealing,
            webhooks_per_organisation_max: WEBHOOKS_PER_ORGANISATION_MAX,
        }
    }

    /// Refuses what could not work, all problems at once.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let Self { postgres, redis, memory, .. } = self;
        let durations = [
            ("postgres.connect_timeout", postgres.connect_timeout),
            ("postgres.query_timeout", postgres.query_timeout),
            ("redis.timeout", redis.timeout),
            ("redis.ttl", redis.ttl),
            ("memory.revalidate_after", memory.revalidate_after),
            ("memory.stale_max", memory.stale_max),
        ];
        let mut problems: Vec<String> = durations
            .iter()
            .filter(|(_, duration)| duration.as_millis() == 0)
            .map(|(name, _)| format!("`{name}` is zero"))
            .collect();
        let mut require = |is_right: bool, problem: &str| {
            if !is_right {
                problems.push(problem.to_owned());
            }
        };
        require(is_schema(&postgres.schema), "`postgres.schema` is not a word of `a-z`, `0-9` and `_`");
        require(is_key_prefix(&redis.key_prefix), "`redis.key_prefix` is not a word of `A-Za-z0-9_-`");
        require(postgres.query_timeout <= QUERY_TIMEOUT_MAX, "`postgres.query_timeout` is above 15 s");
        require(2 <= postgres.connections_max, "`postgres.connections_max` is below 2");
        require(1 <= redis.connections_max, "`redis.connections_max` is below 1");
        if problems.is_empty() { Ok(()) } else { Err(StoreError::Options(problems.join("; "))) }
    }
}

impl ServerUrl {
    /// Wraps a URL; it is parsed when the store opens.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL, password included.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerUrl(…)")
    }
}

/// The schema is written into SQL, so nothing that would need quoting may pass.
fn is_schema(text: &str) -> bool {
    let is_start = |b: u8| b.is_ascii_lowercase() || b == b'_';
    text.len() <= 63
        && text.bytes().next().is_some_and(is_start)
        && text.bytes().all(|b| is_start(b) || b.is_ascii_digit())
}

fn is_key_prefix(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> StoreOptions {
        let keys =
            SealingKeys::parse("k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("a key of zeros");
        StoreOptions::new(
            ServerUrl::new("postgres://u:hunter2@h/d"),
            ServerUrl::new("redis://:hunter2@h"),
            keys,
        )
    }

    #[test]
    fn defaults_are_accepted_and_their_debug_shows_no_password() {
        let options = options();
        options.check().expect("defaults are valid");
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn all_problems_are_reported_together() {
        let mut options = options();
        options.postgres.schema = "x; DROP".to_owned();
        options.redis.key_prefix = String::new();
        options.redis.ttl = Duration::ZERO;
        let text = options.check().expect_err("three problems").to_string();
        for name in ["postgres.schema", "redis.key_prefix", "redis.ttl"] {
            assert!(text.contains(name), "{text}");
        }
    }
}
