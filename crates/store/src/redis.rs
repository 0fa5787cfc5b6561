//! Connections to Redis: few, checked, and never waited for longer than a miss may take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, Timeouts};
use redis::aio::PubSub;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind};
use tokio::time::{Instant, timeout};

use crate::error::chain;
use crate::limits::{LISTENER_TIMEOUT, REDIS_PAUSE};
use crate::{RedisOptions, StoreError};

/// The pool, and how to speak of it in errors.
pub(crate) struct Redis {
    pool: Pool,
    client: Client,
    address: String,
    timeout: Duration,
    opened_at: Instant,
    /// Until when reads leave Redis alone, in milliseconds since `opened_at`.
    paused_until_ms: AtomicU64,
}

impl Redis {
    /// Prepares connections; none is opened yet.
    pub(crate) fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let wrong = |reason: String| StoreError::Options(format!("the Redis URL cannot be used: {reason}"));
        let client = Client::open(options.url.expose())
            .map_err(|_| wrong("expected `redis://:password@host:6379/0` or `rediss://…`".to_owned()))?;
        let wait = Some(options.timeout);
        let config = AsyncConnectionConfig::new().set_connection_timeout(wait).set_response_timeout(wait);
        let manager = Manager::new_with_config(options.url.expose(), config)
            .map_err(|error| wrong(error.category().to_owned()))?;
        let pool = Pool::builder(manager)
            .max_size(options.connections_max)
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Options(error.to_string()))?;
        let address = client.get_connection_info().addr().to_string();
        let paused_until_ms = AtomicU64::new(0);
        Ok(Self {
            pool,
            client,
            address,
            timeout: options.timeout,
            opened_at: Instant::now(),
            paused_until_ms,
        })
    }

    /// Runs commands on a connection of their own, within the timeout, connecting included.
    pub(crate) async fn run<T>(
        &self,
        commands: impl AsyncFnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        let run = async {
            let mut connection = self.pool.get().await.map_err(|error| self.no_connection(error))?;
            commands(&mut connection).await.map_err(|error| self.judge(&error))
        };
        let late = || self.away(format!("no answer within {:?}", self.timeout));
        timeout(self.timeout, run).await.unwrap_or_else(|_| Err(late()))
    }

    /// As [`Redis::run`], but after a failure Redis is left alone for a moment: a miss can ask PostgreSQL instead.
    pub(crate) async fn read<T>(
        &self,
        commands: impl AsyncFnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        let now_ms = self.now_ms();
        if now_ms < self.paused_until_ms.load(Ordering::Relaxed) {
            return Err(self.away("it failed a moment ago".to_owned()));
        }
        let result = self.run(commands).await;
        if result.is_err() {
            let pause_ms = u64::try_from(REDIS_PAUSE.as_millis()).unwrap_or(u64::MAX);
            self.paused_until_ms.store(self.now_ms().saturating_add(pause_ms), Ordering::Relaxed);
        }
        result
    }

    /// The number of the database that keys lie in.
    pub(crate) fn database(&self) -> i64 {
        self.client.get_connection_info().redis_settings().db()
    }

    /// Opens a connection of its own for listening.
    pub(crate) async fn listen(&self) -> Result<PubSub, StoreError> {
        match timeout(LISTENER_TIMEOUT, self.client.get_async_pubsub()).await {
            Ok(result) => result.map_err(|error| self.judge(&error)),
            Err(_) => Err(self.away(format!("no answer within {LISTENER_TIMEOUT:?}"))),
        }
    }

    /// Decides what kind of failure it is by its kind, never by its text.
    pub(crate) fn judge(&self, error: &RedisError) -> StoreError {
        let address = self.address.clone();
        let is_refusal = error.kind() == ErrorKind::AuthenticationFailed
            || error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
            || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
        if is_refusal {
            return StoreError::RedisRefused { address, reason: chain(error) };
        }
        if error.kind() == ErrorKind::Io || error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading) {
            return self.away(chain(error));
        }
        StoreError::RedisFailed(chain(error))
    }

    pub(crate) fn away(&self, reason: String) -> StoreError {
        StoreError::RedisAway { address: self.address.clone(), reason }
    }

    fn no_connection(&self, error: PoolError) -> StoreError {
        match error {
            PoolError::Backend(error) => self.judge(&error),
            PoolError::Timeout(_) => self.away("no connection in time".to_owned()),
            other => self.away(other.to_string()),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
