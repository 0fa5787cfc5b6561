//! Recoveries: page after page at their pace, while broker and due lane have room.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{Declarer, names};
use bellhop_store::{LeaseHolder, Recovery, RecoveryPage, SERIES_PAGE_MAX, StoreError};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::owing::Owing;

/// How often it is looked whether a recovery runs that nobody has.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon after it could not get on.
const INTERVAL_WHILE_HELD: Duration = Duration::from_secs(1);

/// How soon after PostgreSQL failed.
const INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// How many messages may be ready in the due lane for a recovery to add more. Retries wait behind them: at 1,000, and the
/// few hundred a second that one worker makes, for seconds.
const DUE_READY_MAX: u32 = 1_000;

/// How often the due lane is looked at while a recovery runs: at its fastest it adds as many messages meanwhile.
const DUE_LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for the broker to tell how many they are.
const DUE_LOOK_PATIENCE: Duration = Duration::from_secs(5);

/// Works on recoveries, one at a time.
pub(crate) struct Recoveries {
    pub(crate) owing: Arc<Owing>,
    pub(crate) declarer: Declarer,
    pub(crate) holder: LeaseHolder,
    pub(crate) stopping: CancellationToken,
}

/// Why a recovery is left.
enum Left {
    /// It has ended, or is somebody else's.
    Over,
    /// This process stops; somebody else may go on.
    Stopping,
}

impl Recoveries {
    /// Takes recoveries until told to stop. A kill leaves them to others.
    pub(crate) async fn run(self) {
        loop {
            let pause = match self.owing.store.take_recovery(&self.holder).await {
                Ok(Some(recovery)) => {
                    self.work(&recovery).await;
                    Duration::ZERO
                }
                Ok(None) => INTERVAL,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for recoveries; trying again");
                    INTERVAL_AFTER_FAILURE
                }
            };
            if self.pause(pause).await.is_none() {
                return;
            }
        }
    }

    async fn work(&self, recovery: &Recovery) {
        let Recovery { id, filter, pace, .. } = recovery;
        tracing::info!(recovery.id = %id, webhook.id = %filter.webhook, pace, "recovering");
        if let Left::Stopping = self.owe_pages(recovery).await
            && let Err(error) = self.owing.store.release_recovery(id, &self.holder).await
        {
            tracing::warn!(%error, recovery.id = %id, "a recovery could not be handed over; it is taken up later");
        }
    }

    async fn owe_pages(&self, recovery: &Recovery) -> Left {
        let page_max = page_max(recovery.pace);
        let mut looked_at = None;
        loop {
            if self.stopping.is_cancelled() {
                return Left::Stopping;
            }
            if looked_at.is_none_or(|at: Instant| DUE_LOOK_INTERVAL <= at.elapsed()) {
                if let Some(reason) = self.hindrance(recovery).await {
                    if let Some(left) = self.hold(recovery, &reason).await {
                        return left;
                    }
                    continue;
                }
                looked_at = Some(Instant::now());
            }
            let started = Instant::now();
            let owed = match self.owing.store.owe_page(&recovery.id, &self.holder, page_max).await {
                Ok(RecoveryPage::Owed(owed)) => owed,
                Ok(RecoveryPage::Ended(state)) => {
                    tracing::info!(recovery.id = %recovery.id, %state, "a recovery has ended");
                    return Left::Over;
                }
                Ok(RecoveryPage::Lost) => return Left::Over,
                Err(error) => {
                    if let Some(left) = self.hold(recovery, &error.to_string()).await {
                        return left;
                    }
                    continue;
                }
            };
            let count = u32::try_from(owed.len()).unwrap_or(u32::MAX);
            if let Err(hindrance) = self.owing.publish(owed).await {
                if let Some(left) = self.hold(recovery, &hindrance.to_string()).await {
                    return left;
                }
                continue;
            }
            let due = Duration::from_secs(1) * count / recovery.pace;
            if self.pause(due.saturating_sub(started.elapsed())).await.is_none() {
                return Left::Stopping;
            }
        }
    }

    /// Why nothing should be added now.
    async fn hindrance(&self, recovery: &Recovery) -> Option<String> {
        if !self.owing.publisher.is_ready() {
            return Some("the broker takes nothing at the moment".to_owned());
        }
        let queue = names::due_queue(recovery.mode);
        match timeout(DUE_LOOK_PATIENCE, self.declarer.ready_messages(&queue)).await {
            Ok(Ok(Some(ready))) if DUE_READY_MAX < ready => {
                Some(format!("`{queue}` holds {ready} messages, more than {DUE_READY_MAX}"))
            }
            Ok(Ok(Some(_))) => None,
            Ok(Ok(None)) => Some(format!("`{queue}` does not exist: declare the topology")),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("the broker does not tell how much `{queue}` holds")),
        }
    }

    /// Keeps the recovery a while without getting on; says when it is to be left.
    async fn hold(&self, recovery: &Recovery, reason: &str) -> Option<Left> {
        tracing::warn!(reason, recovery.id = %recovery.id, "a recovery waits");
        self.owing.metrics.recovery_holds.inc();
        match self.owing.store.hold_recovery(&recovery.id, &self.holder, reason).await {
            Ok(true) => {}
            Ok(false) => return Some(Left::Over),
            Err(error) => log_failure(recovery, &error),
        }
        match self.pause(INTERVAL_WHILE_HELD).await {
            Some(()) => None,
            None => Some(Left::Stopping),
        }
    }

    async fn pause(&self, duration: Duration) -> Option<()> {
        self.stopping.run_until_cancelled(tokio::time::sleep(duration)).await
    }
}

/// So many deliveries that a page is about a second's worth, within what a page may have.
fn page_max(pace: u32) -> usize {
    usize::try_from(pace).unwrap_or(usize::MAX).clamp(1, SERIES_PAGE_MAX)
}

fn log_failure(recovery: &Recovery, error: &StoreError) {
    tracing::warn!(%error, recovery.id = %recovery.id, "a recovery could not be kept; another recorder may take it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_seconds_worth_within_its_bound() {
        assert_eq!([1, 50, 100, 1_000].map(page_max), [1, 50, SERIES_PAGE_MAX, SERIES_PAGE_MAX]);
    }
}
