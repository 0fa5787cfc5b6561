//! Waiting for the world: every wait has a deadline and says what it was waiting for.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Long enough for a debug build on a busy two-core machine; a case that needs it is broken, not slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks at something that cannot signal: a server's state, another process's port.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Looks again and again until `look` finds something.
///
/// * `what`: completes "waited … for", for the failure.
/// * `look`: finds, finds nothing yet, or fails; its last failure is told when the deadline passes.
///
/// # Errors
/// When nothing was found within [`PATIENCE`].
pub async fn eventually<T, F, L>(what: impl Display, mut look: L) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
    L: FnMut() -> F,
{
    let deadline = Instant::now() + PATIENCE;
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if deadline <= Instant::now() {
            match last {
                Some(error) => return Err(error.context(format!("waited {PATIENCE:?} for {what}"))),
                None => bail!("waited {PATIENCE:?} for {what}"),
            }
        }
    }
}

/// Awaits one future with a deadline.
///
/// * `what`: completes "waited … for", for the failure.
///
/// # Errors
/// When it was not there within [`PATIENCE`].
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> Result<T> {
    timeout(PATIENCE, future).await.with_context(|| format!("waited {PATIENCE:?} for {what}"))
}
