//! Recoveries: page after page at their pace, while the broker has room and nothing fresh waits.
//!
//! One task for each mode takes them in turns. A turn is a page or, at a high pace, the pages of a second; then the recovery
//! is given back until its next page is due, so that none waits for what another waits for.

use std::sync::Arc;
use std::time::Duration;

use bellhop_store::{LeaseHolder, Recovery, RecoveryPage, SERIES_PAGE_MAX};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::owing::Owing;
use crate::room::Room;

/// How often it is looked whether a recovery runs that nobody has.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon a recovery that could not get on is taken up again.
const INTERVAL_WHILE_HELD: Duration = Duration::from_secs(1);

/// How soon after PostgreSQL failed.
const INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Longest turn, but for the page with which it ends: how long others wait.
const TURN_MAX: Duration = Duration::from_secs(1);

/// How often the lanes are looked at while a recovery runs: at its fastest it adds half as many messages meanwhile as the due
/// lane may hold.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// A page is published over the time that its pace gives it, less one part in so many for its queries.
const SPREAD_PARTS: u32 = 10;

/// Shortest pause before it is looked again.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(10);

/// Works on the recoveries of one mode, in turns.
pub(crate) struct Recoveries {
    pub(crate) owing: Arc<Owing>,
    pub(crate) room: Room,
    pub(crate) holder: LeaseHolder,
    pub(crate) stopping: CancellationToken,
}

/// How a turn ends.
enum Turn {
    /// The recovery has ended, or is somebody else's.
    Over,
    /// Its next page is due after this time.
    Paced(Duration),
    /// It cannot get on, for the reason given.
    Held(String),
}

impl Recoveries {
    /// Takes recoveries until told to stop. A kill leaves them to others.
    pub(crate) async fn run(self) {
        // When the first of those that were given back is due.
        let mut due = None;
        loop {
            let pause = match self.owing.store.take_recovery(self.room.mode, &self.holder).await {
                Ok(Some(recovery)) => {
                    if let Some(after) = self.take_turn(&recovery).await {
                        let at = Instant::now() + after;
                        due = Some(due.map_or(at, |due: Instant| due.min(at)));
                    }
                    Duration::ZERO
                }
                Ok(None) => {
                    let until_due =
                        due.take().map(|due: Instant| due.saturating_duration_since(Instant::now()));
                    until_due.map_or(INTERVAL, |wait| wait.clamp(LOOK_PAUSE_MIN, INTERVAL))
                }
                Err(error) => {
                    tracing::warn!(%error, mode = %self.room.mode, "cannot look for recoveries; trying again");
                    INTERVAL_AFTER_FAILURE
                }
            };
            if self.pause(pause).await.is_none() {
                return;
            }
        }
    }

    /// Has a turn with a recovery and gives it back; returns when it is due again.
    async fn take_turn(&self, recovery: &Recovery) -> Option<Duration> {
        let Recovery { id, filter, pace, done, .. } = recovery;
        if *done == 0 && recovery.waits_for.is_none() {
            tracing::info!(recovery.id = %id, webhook.id = %filter.webhook, pace, "recovering");
        }
        let (after, waits_for) = match self.owe_pages(recovery).await {
            Turn::Over => return None,
            Turn::Paced(after) => (after, None),
            Turn::Held(reason) => {
                self.owing.metrics.recovery_holds.inc();
                if recovery.waits_for.as_ref() != Some(&reason) {
                    tracing::warn!(reason, recovery.id = %id, "a recovery waits");
                }
                (INTERVAL_WHILE_HELD, Some(reason))
            }
        };
        let given_back = (after, waits_for.as_deref());
        if let Err(error) = self.owing.store.give_back_recovery(id, &self.holder, given_back).await {
            tracing::warn!(%error, recovery.id = %id, "a recovery could not be given back; it is taken up later");
            self.pause(INTERVAL_AFTER_FAILURE).await;
        }
        Some(after)
    }

    async fn owe_pages(&self, recovery: &Recovery) -> Turn {
        let page_max = page_max(recovery.pace);
        let began = Instant::now();
        let mut looked_at = None;
        loop {
            if looked_at.is_none_or(|at: Instant| LOOK_INTERVAL <= at.elapsed()) {
                if let Some(reason) = self.hindrance().await {
                    return Turn::Held(reason);
                }
                looked_at = Some(Instant::now());
            }
            let started = Instant::now();
            let owed = match self.owing.store.owe_page(&recovery.id, &self.holder, page_max).await {
                Ok(RecoveryPage::Owed(owed)) => owed,
                Ok(RecoveryPage::Ended(state)) => {
                    tracing::info!(recovery.id = %recovery.id, %state, "a recovery has ended");
                    return Turn::Over;
                }
                Ok(RecoveryPage::Lost) => return Turn::Over,
                Err(error) => return Turn::Held(error.to_string()),
            };
            let count = u32::try_from(owed.len()).unwrap_or(u32::MAX);
            let page = Duration::from_secs(1) * count / recovery.pace;
            let spread = page.saturating_sub(started.elapsed()) / SPREAD_PARTS * (SPREAD_PARTS - 1);
            if let Err(hindrance) = self.owing.publish(owed, spread).await {
                return Turn::Held(hindrance.to_string());
            }
            let rest = page.saturating_sub(started.elapsed());
            let is_over = TURN_MAX <= began.elapsed() + rest;
            if is_over || self.stopping.is_cancelled() || self.pause(rest).await.is_none() {
                return Turn::Paced(rest);
            }
        }
    }

    /// Why nothing should be added now.
    async fn hindrance(&self) -> Option<String> {
        if !self.owing.publisher.is_ready() {
            return Some("the broker takes nothing at the moment".to_owned());
        }
        self.room.hindrance().await
    }

    async fn pause(&self, duration: Duration) -> Option<()> {
        self.stopping.run_until_cancelled(tokio::time::sleep(duration)).await
    }
}

/// So many deliveries that a page is about a second's worth, within what a page may have.
fn page_max(pace: u32) -> usize {
    usize::try_from(pace).unwrap_or(usize::MAX).clamp(1, SERIES_PAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_seconds_worth_within_its_bound() {
        assert_eq!([1, 50, 100, 1_000].map(page_max), [1, 50, SERIES_PAGE_MAX, SERIES_PAGE_MAX]);
    }
}
