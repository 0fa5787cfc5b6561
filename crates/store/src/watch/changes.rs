//! The look into the truth: finds every change that was not heard of, and removes older copies from Redis.
//!
//! One small query tells that everything in memory is still right, so warm copies cost Redis nothing, and Redis going
//! away does not send every worker to PostgreSQL for each organisation.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::limits::{CHANGES_PAGE_MAX, TRUTH_INTERVAL, TRUTH_OVERLAP};
use crate::truth::{self, Change};
use crate::{Inner, StoreError};

/// Looks for ever.
pub(super) async fn run(inner: &Inner) {
    let mut looks = interval(TRUTH_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // When the last look began that reached PostgreSQL and Redis. Until both were reached, it stays where it is:
    // a Redis that comes back may bring old copies along.
    let mut complete_at = None;
    let mut is_failing = false;
    loop {
        looks.tick().await;
        let began_at = Instant::now();
        match look(inner, began_at, reach_back(inner.redis_ttl, complete_at)).await {
            Ok(()) => {
                complete_at = Some(began_at);
                if is_failing {
                    tracing::info!("changes of webhooks are being looked for again");
                }
                is_failing = false;
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "changes of webhooks cannot be looked for; copies may be older than 5 s");
                }
                is_failing = true;
            }
        }
    }
}

/// How far to look back: to the last complete look, with an overlap; but never beyond what a copy can live.
fn reach_back(redis_ttl: Duration, complete_at: Option<Instant>) -> Duration {
    complete_at.map_or(redis_ttl, |at| at.elapsed().min(redis_ttl)) + TRUTH_OVERLAP
}

/// Goes through every change of late, oldest first.
///
/// * `within`: how far back; nothing older can still be held by a copy that was not read again since.
async fn look(inner: &Inner, began_at: Instant, within: Duration) -> Result<(), StoreError> {
    let mut healing = Ok(());
    let mut last: Option<Change> = None;
    loop {
        let after = last.as_ref();
        let read = async |client: &mut Object| truth::read_changes(&*client, within, after).await;
        let page = inner.postgres.run(read).await?;
        for change in &page {
            if inner.memory.raise(&change.scope, change.version).await {
                inner.counters.changes_found.rise();
            }
        }
        // Memory comes first and must not wait for a Redis that is away.
        if healing.is_ok() && !page.is_empty() {
            healing = heal(inner, &page).await;
        }
        let is_last = i64::try_from(page.len()).is_ok_and(|count| count < CHANGES_PAGE_MAX);
        last = page.into_iter().next_back();
        if is_last {
            inner.memory.note_look(began_at);
            inner.counters.looks.rise();
            return healing;
        }
    }
}

async fn heal(inner: &Inner, changes: &[Change]) -> Result<(), StoreError> {
    let healed = inner.cached.heal(changes).await?;
    for _ in 0..healed {
        inner.counters.redis_healed.rise();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_look_reaches_back_to_the_last_complete_one_and_no_further_than_a_copy_lives() {
        let ttl = Duration::from_secs(600);
        assert_eq!(reach_back(ttl, None), ttl + TRUTH_OVERLAP);
        let complete_at = Some(Instant::now());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(reach_back(ttl, complete_at), Duration::from_secs(2) + TRUTH_OVERLAP);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(reach_back(ttl, complete_at), ttl + TRUTH_OVERLAP);
    }
}
