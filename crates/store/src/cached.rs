//! The cached copy in Redis: sealed whole, set only over an older one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_redis::Connection;
use redis::{AsyncCommands as _, Script};
use tokio::time::Instant;

use crate::limits::UNREADABLE_WARNING_INTERVAL;
use crate::redis::Redis;
use crate::scope::Scope;
use crate::seal::Place;
use crate::truth::Change;
use crate::{RedisOptions, SealingKeys, StoreError, Subscriptions, encoding, random};

/// Sets a copy unless a newer one is there. One of the same version is replaced: it may be one that nobody can open.
const SET_UNLESS_NEWER: &str = "
local held = redis.call('HGET', KEYS[1], 'version')
if held and tonumber(ARGV[1]) < tonumber(held) then
    return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'sealed', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1";

/// Removes a copy when it is older than the truth.
const REMOVE_IF_OLDER: &str = "
local held = redis.call('HGET', KEYS[1], 'version')
if held and tonumber(held) < tonumber(ARGV[1]) then
    return redis.call('DEL', KEYS[1])
end
return 0";

/// The copies of every organisation, and the channel that tells of changes.
pub(crate) struct Cached {
    redis: Redis,
    sealing: SealingKeys,
    key_prefix: String,
    ttl: Duration,
    set_unless_newer: Script,
    remove_if_older: Script,
    warnings: Warnings,
}

/// What Redis has for an organisation.
pub(crate) enum Copy {
    Found(Subscriptions),
    Missing,
    /// There, but it cannot be opened or understood; as good as missing, never as good as empty.
    Unreadable,
}

impl Cached {
    pub(crate) fn open(options: &RedisOptions, sealing: SealingKeys) -> Result<Self, StoreError> {
        Ok(Self {
            redis: Redis::open(options)?,
            sealing,
            key_prefix: options.key_prefix.clone(),
            ttl: options.ttl,
            set_unless_newer: Script::new(SET_UNLESS_NEWER),
            remove_if_older: Script::new(REMOVE_IF_OLDER),
            warnings: Warnings::default(),
        })
    }

    pub(crate) fn redis(&self) -> &Redis {
        &self.redis
    }

    pub(crate) fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// The channel that changes are published on. It names the database, because channels, unlike keys, are shared by
    /// all databases of a server.
    pub(crate) fn channel(&self) -> String {
        format!("{}:changed:{}", self.key_prefix, self.redis.database())
    }

    /// Reads the copy of an organisation's subscriptions.
    pub(crate) async fn read(&self, scope: &Scope) -> Result<Copy, StoreError> {
        let key = self.key(scope);
        let sealed: Option<Vec<u8>> =
            self.redis.read(async |connection: &mut Connection| connection.hget(key, "sealed").await).await?;
        let Some(sealed) = sealed else {
            return Ok(Copy::Missing);
        };
        let opened = self.sealing.open(Place::Subscriptions(scope), &sealed);
        match opened.and_then(|bytes| encoding::decode(&bytes, scope.mode)) {
            Ok(subscriptions) => Ok(Copy::Found(subscriptions)),
            Err(error) => {
                if self.warnings.is_due() {
                    tracing::warn!(%error, "a cached copy in Redis cannot be read; PostgreSQL is asked instead");
                }
                Ok(Copy::Unreadable)
            }
        }
    }

    /// Offers a copy that was just read from the truth; a newer one stays.
    pub(crate) async fn offer(&self, scope: &Scope, subscriptions: &Subscriptions) -> Result<(), StoreError> {
        let invocation = self.set(scope, subscriptions);
        self.redis
            .read(async |connection: &mut Connection| invocation.invoke_async::<()>(connection).await)
            .await
    }

    /// Sets the copy that a write made, and tells every worker.
    pub(crate) async fn announce(
        &self,
        scope: &Scope,
        subscriptions: &Subscriptions,
    ) -> Result<(), StoreError> {
        let invocation = self.set(scope, subscriptions);
        let news = news(scope, subscriptions.version);
        self.redis
            .run(async |connection: &mut Connection| {
                invocation.invoke_async::<()>(connection).await?;
                connection.publish::<_, _, ()>(self.channel(), news).await
            })
            .await
    }

    /// Removes the copies that are older than the truth.
    ///
    /// * returns how many there were.
    pub(crate) async fn heal(&self, changes: &[Change]) -> Result<u64, StoreError> {
        let mut asked = redis::pipe();
        for change in changes {
            asked.hget(self.key(&change.scope), "version");
        }
        let held: Vec<Option<i64>> =
            self.redis.run(async |connection: &mut Connection| asked.query_async(connection).await).await?;
        let mut healed = 0;
        for (change, held) in changes.iter().zip(held) {
            if held.is_some_and(|held| held < change.version) {
                let mut invocation = self.remove_if_older.key(self.key(&change.scope));
                invocation.arg(change.version);
                healed += self
                    .redis
                    .run(async |connection: &mut Connection| invocation.invoke_async::<u64>(connection).await)
                    .await?;
            }
        }
        Ok(healed)
    }

    fn set(&self, scope: &Scope, subscriptions: &Subscriptions) -> redis::ScriptInvocation<'_> {
        let sealed = self.sealing.seal(Place::Subscriptions(scope), &encoding::encode(subscriptions));
        let ttl = random::between(self.ttl.mul_f64(0.8), self.ttl);
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut invocation = self.set_unless_newer.key(self.key(scope));
        invocation.arg(subscriptions.version).arg(sealed).arg(ttl_ms);
        invocation
    }

    fn key(&self, scope: &Scope) -> String {
        format!("{}:subs:{scope}", self.key_prefix)
    }
}

/// Renders the news that an organisation's subscriptions have reached a version.
fn news(scope: &Scope, version: i64) -> String {
    format!("{scope}:{version}")
}

/// Reads what [`news`] rendered; `None` when it is something else.
pub(crate) fn parse_news(text: &str) -> Option<(Scope, i64)> {
    let mut parts = text.splitn(3, ':');
    let mode = parts.next()?.parse().ok()?;
    let organisation = parts.next()?.parse().ok()?;
    let version = parts.next()?.parse().ok()?;
    Some((Scope { mode, organisation }, version))
}

/// Lets one warning through per interval.
struct Warnings {
    since: Instant,
    /// Seconds since `since` from which the next one may pass.
    next_seconds: AtomicU64,
}

impl Warnings {
    fn is_due(&self) -> bool {
        let now = self.since.elapsed().as_secs();
        let next = self.next_seconds.load(Ordering::Relaxed);
        let then = now + UNREADABLE_WARNING_INTERVAL.as_secs();
        next <= now
            && self.next_seconds.compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Default for Warnings {
    fn default() -> Self {
        Self { since: Instant::now(), next_seconds: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::Mode;

    use super::*;

    #[test]
    fn news_is_read_as_it_was_written_and_nothing_else_is() {
        let scope = Scope::new(Mode::Test, &"org_a-b_c".parse().expect("valid"));
        assert_eq!(parse_news(&news(&scope, 17)), Some((scope, 17)));
        for text in ["", "live", "live:org_a", "live:org_a:x", "both:org_a:1", "live:a:1", "live:org_a:1:2"] {
            assert_eq!(parse_news(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_warning_passes_per_interval() {
        let warnings = Warnings::default();
        assert_eq!([warnings.is_due(), warnings.is_due()], [true, false]);
        tokio::time::advance(UNREADABLE_WARNING_INTERVAL).await;
        assert_eq!([warnings.is_due(), warnings.is_due()], [true, false]);
    }
}
