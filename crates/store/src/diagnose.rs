//! What an operator's examination wants to know of the servers. Nothing here writes.

use deadpool_postgres::Object;
use deadpool_redis::Connection;
use redis::InfoDict;
use time::OffsetDateTime;

use crate::{Store, StoreError};

const POSTGRES_FACTS: &str = "
    SELECT current_setting('server_version_num')::int4 AS version, clock_timestamp() AS clock,
           pg_is_in_recovery() AS is_standby";

/// How a PostgreSQL server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresFacts {
    /// Its version as a number: `150018` is 15.18.
    pub version: i32,
    /// Its clock.
    pub clock: OffsetDateTime,
    /// Whether it only follows another server and takes no writes.
    pub is_standby: bool,
}

/// How a Redis server is. What an old or foreign server does not say is empty or zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisFacts {
    /// Its version, such as `7.0.15`.
    pub version: String,
    /// `master` or `slave`, in the server's own words.
    pub role: String,
    /// Which keys it forgets when it is full, such as `noeviction`.
    pub eviction: String,
    /// At how many bytes it is full; 0 for never.
    pub memory_bytes_max: u64,
    /// Whether it writes each change to an append-only file.
    pub is_append_only: bool,
    /// Its clock.
    pub clock: OffsetDateTime,
}

impl Store {
    /// Asks PostgreSQL about itself.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn postgres_facts(&self) -> Result<PostgresFacts, StoreError> {
        let ask = async |client: &mut Object| {
            let row = client.query_one(POSTGRES_FACTS, &[]).await?;
            Ok(PostgresFacts {
                version: row.try_get("version")?,
                clock: row.try_get("clock")?,
                is_standby: row.try_get("is_standby")?,
            })
        };
        self.inner.postgres.run(ask).await
    }

    /// Asks Redis about itself.
    ///
    /// # Errors
    /// Why there was no answer, or that it cannot be understood.
    pub async fn redis_facts(&self) -> Result<RedisFacts, StoreError> {
        let ask = async |connection: &mut Connection| {
            let (info, clock): (InfoDict, (i64, i64)) =
                redis::pipe().cmd("INFO").cmd("TIME").query_async(connection).await?;
            Ok((info, clock))
        };
        let (info, (seconds, microseconds)) = self.inner.cached.redis().run(ask).await?;
        let nanoseconds = (i128::from(seconds) * 1_000_000 + i128::from(microseconds)) * 1000;
        let clock = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
            .map_err(|_| StoreError::Corrupt("the time that Redis tells".to_owned()))?;
        let text = |key| info.get::<String>(key).unwrap_or_default();
        Ok(RedisFacts {
            version: text("redis_version"),
            role: text("role"),
            eviction: text("maxmemory_policy"),
            memory_bytes_max: info.get("maxmemory").unwrap_or_default(),
            is_append_only: text("aof_enabled") == "1",
            clock,
        })
    }
}
