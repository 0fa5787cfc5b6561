//! Resolving an organisation's subscriptions: memory, then Redis, then PostgreSQL; then a stale copy; never a guess.

use std::sync::Arc;

use bellhop_model::{Mode, OrganisationId};
use deadpool_postgres::Object;
use tokio::time::{Instant, timeout};

use crate::cached::Copy;
use crate::flight::Resolution;
use crate::memory::{Found, Reading, Source};
use crate::scope::Scope;
use crate::{Inner, Store, StoreError, Subscriptions, Unresolved, truth};

/// How often the truth is read anew when it changes while it is read.
const READS_MAX: u32 = 3;

impl Store {
    /// Finds the active subscriptions of an organisation.
    ///
    /// An organisation without webhooks has an empty list, which is cached like any other. What memory holds is used for
    /// [`crate::MemoryOptions::revalidate_after`] without asking anybody, longer while [`Store::watch`] sees every
    /// change; and up to [`crate::MemoryOptions::stale_max`] while nobody can be asked.
    ///
    /// # Errors
    /// [`Unresolved`] when nobody knows. It never means that there are none; the caller defers the delivery.
    pub async fn subscriptions(
        &self,
        mode: Mode,
        organisation: &OrganisationId,
    ) -> Result<Arc<Subscriptions>, Unresolved> {
        let counters = &self.inner.counters;
        match self.inner.memory.find(mode, organisation).await {
            Found::Fresh(subscriptions) => {
                counters.memory_hits.rise();
                Ok(subscriptions)
            }
            Found::Stale(subscriptions) => {
                counters.stale_served.rise();
                Ok(subscriptions)
            }
            Found::Unknown => {
                let scope = Scope::new(mode, organisation);
                let read = read(Arc::clone(&self.inner), scope.clone());
                Box::pin(self.inner.flights.join(&scope, read)).await
            }
        }
    }
}

async fn read(inner: Arc<Inner>, scope: Scope) -> Resolution {
    // Another flight may have landed between the look into memory and this one's departure.
    if let Found::Fresh(subscriptions) = inner.memory.find(scope.mode, &scope.organisation).await {
        inner.counters.memory_hits.rise();
        return Ok(subscriptions);
    }
    if let Some(subscriptions) = read_copy(&inner, &scope).await {
        return Ok(subscriptions);
    }
    match read_truth(&inner, &scope).await {
        Ok(subscriptions) => Ok(subscriptions),
        Err(error) => fall_back(&inner, scope, error).await,
    }
}

async fn read_copy(inner: &Inner, scope: &Scope) -> Option<Arc<Subscriptions>> {
    let counters = &inner.counters;
    let started_at = Instant::now();
    let subscriptions = match inner.cached.read(scope).await {
        Ok(Copy::Found(subscriptions)) => Arc::new(subscriptions),
        Ok(Copy::Missing) => {
            counters.redis_misses.rise();
            return None;
        }
        Ok(Copy::Unreadable) => {
            counters.redis_unreadable.rise();
            return None;
        }
        Err(error) => {
            tracing::debug!(%error, "Redis could not be asked for subscriptions");
            counters.redis_failures.rise();
            return None;
        }
    };
    let reading = Reading { subscriptions, started_at, source: Source::Copy };
    if inner.memory.offer(scope, &reading).await {
        counters.redis_hits.rise();
        return Some(reading.subscriptions);
    }
    counters.redis_outdated.rise();
    None
}

async fn read_truth(inner: &Inner, scope: &Scope) -> Result<Arc<Subscriptions>, StoreError> {
    let waited = inner.postgres_timeout;
    let place = timeout(waited, inner.miss_places.acquire()).await;
    let _place =
        place.map_err(|_| StoreError::Busy { waited })?.expect("the semaphore lives as long as the store");
    let mut reads = 0;
    loop {
        reads += 1;
        inner.counters.postgres_reads.rise();
        let started_at = Instant::now();
        let read =
            async |client: &mut Object| truth::read_subscriptions(&*client, &inner.sealing, scope).await;
        let subscriptions = Arc::new(inner.postgres.run(read).await?);
        let reading = Reading { subscriptions, started_at, source: Source::Truth };
        // Refused means that a newer version was heard of while this one was read; the next read sees it.
        if inner.memory.offer(scope, &reading).await || reads == READS_MAX {
            if let Err(error) = inner.cached.offer(scope, &reading.subscriptions).await {
                tracing::debug!(%error, "subscriptions were resolved but not cached in Redis");
            }
            return Ok(reading.subscriptions);
        }
    }
}

/// Uses a stale copy when the truth cannot be reached. When it was reached but cannot be used, because a key is missing,
/// a copy would hide that it changed.
async fn fall_back(inner: &Inner, scope: Scope, error: StoreError) -> Resolution {
    inner.counters.postgres_failures.rise();
    if !error.is_truth_unusable()
        && let Some(subscriptions) = inner.memory.fall_back(&scope).await
    {
        tracing::debug!(%error, "stale subscriptions are used");
        inner.counters.stale_served.rise();
        return Ok(subscriptions);
    }
    inner.counters.unresolved.rise();
    Err(Unresolved { mode: scope.mode, organisation: scope.organisation, reason: Arc::new(error) })
}
