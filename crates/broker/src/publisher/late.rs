//! How long confirms may take: late ones stop new work, and silence gives the session up.

use tokio::sync::watch;

use crate::limits::{CONFIRM_LATE_AFTER, CONFIRM_TIMEOUT};
use crate::link::Session;

/// How many channels have waited too long for their confirms.
#[derive(Debug, Clone, Default)]
pub(super) struct Late(watch::Sender<usize>);

impl Late {
    pub(super) fn is_none(&self) -> bool {
        *self.0.borrow() == 0
    }

    pub(super) async fn none(&self) {
        // The sender is ours, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|late| *late == 0).await;
    }

    fn begin(&self) -> LateGuard<'_> {
        self.0.send_modify(|late| *late += 1);
        LateGuard(self)
    }
}

/// One channel that waits too long, for as long as it does.
struct LateGuard<'a>(&'a Late);

impl Drop for LateGuard<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|late| *late -= 1);
    }
}

/// Waits for a batch's confirms; `None` when the session ended or the broker kept silent too long. Silence does not
/// count while the broker has said that it blocks.
pub(super) async fn confirmed_in_time<T>(
    session: &Session,
    late: &Late,
    confirming: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(confirming);
    let mut is_late = None;
    let mut patience = CONFIRM_LATE_AFTER;
    loop {
        tokio::select! {
            biased;
            confirmations = &mut confirming => return Some(confirmations),
            () = session.ended.cancelled() => return None,
            () = tokio::time::sleep(patience) => {}
        }
        if is_late.is_none() {
            is_late = Some(late.begin());
            patience = CONFIRM_TIMEOUT - CONFIRM_LATE_AFTER;
        } else if session.connection.status().blocked() {
            patience = CONFIRM_TIMEOUT;
        } else {
            tracing::warn!(
                "the broker left publishes unconfirmed for {CONFIRM_TIMEOUT:?}; giving the session up"
            );
            return None;
        }
    }
}
