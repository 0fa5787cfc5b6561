//! Keeping a result until the broker has it.
//!
//! Once a request's first byte is out, what came of it must not be forgotten: the result stays in memory and its
//! publish is tried again until it is stored, while no lane takes anything new.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bellhop_broker::{Outgoing, PublishError};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::ports::Ports;

/// Shortest and longest pause between two rounds of tries.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a queue that refuses is asked again before another one is: with doubling pauses, for three seconds. A queue
/// that has lost its leader refuses until it has another.
const ASKED_AGAIN_MAX: u32 = 6;

/// How long a queue that went on refusing counts as full, so that nobody waits for it in vain.
const FULL_FOR: Duration = Duration::from_secs(30);

/// Whether lanes may take; shut while a result is kept that the broker did not take at once.
#[derive(Debug, Clone)]
pub struct Gate {
    kept: watch::Sender<usize>,
    /// By exchange and routing key, until when a queue counts as full; no more entries than there are queues.
    full: Arc<Mutex<BTreeMap<Route, OffsetDateTime>>>,
}

/// Exchange and routing key: live and test have exchanges of their own, and the same keys.
type Route = (String, String);

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The broker has it.
    Stored,
    /// The session the message came from is gone. The broker offers the message again, and what comes of that counts.
    Lost,
}

/// Keeps the gate shut while it lives.
struct Shut<'a>(&'a Gate);

impl Default for Gate {
    fn default() -> Self {
        Self { kept: watch::Sender::new(0), full: Arc::default() }
    }
}

impl Gate {
    /// Waits until no result is kept.
    pub async fn open(&self) {
        if self.kept() == 0 {
            return;
        }
        let mut kept = self.kept.subscribe();
        // The sender is ours, so waiting cannot fail.
        let _ = kept.wait_for(|kept| *kept == 0).await;
    }

    /// How many results are kept now.
    #[must_use]
    pub fn kept(&self) -> usize {
        *self.kept.borrow()
    }

    fn is_full(&self, route: &Route, now: OffsetDateTime) -> bool {
        self.full().get(route).is_some_and(|until| now < *until)
    }

    fn note_full(&self, route: Route, now: OffsetDateTime) {
        self.full().insert(route, now + FULL_FOR);
    }

    fn full(&self) -> MutexGuard<'_, BTreeMap<Route, OffsetDateTime>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self) -> Shut<'_> {
        self.kept.send_modify(|kept| *kept += 1);
        Shut(self)
    }
}

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.kept.send_modify(|kept| *kept -= 1);
    }
}

/// What became of records that may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logged {
    /// The broker has them.
    Stored,
    /// The log takes nothing.
    Dropped,
}

/// Publishes records until the broker has them, or the log refuses: what happened is then told by metrics alone.
///
/// While the broker does not answer they are kept like any result, since it is the connection that failed.
pub(crate) async fn keep_unless_refused<P: Ports>(ports: &P, gate: &Gate, batch: &Outgoing) -> Logged {
    let mut shut = None;
    let mut pause = PAUSE_MIN;
    loop {
        let error = match ports.publish(batch.clone()).await {
            Ok(()) => return Logged::Stored,
            Err(
                error @ (PublishError::Refused
                | PublishError::Unroutable
                | PublishError::NoExchange
                | PublishError::Forbidden),
            ) => {
                tracing::warn!(%error, "the log refuses records; they are dropped");
                return Logged::Dropped;
            }
            Err(error) => error,
        };
        shut.get_or_insert_with(|| gate.shut());
        tracing::warn!(%error, "records are not stored yet; trying again");
        ports.pause(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Publishes until the broker has the message, see [`keep_one_of`].
pub(crate) async fn keep<P: Ports>(
    ports: &P,
    gate: &Gate,
    alternatives: &[Outgoing],
    is_lost: &(dyn Fn() -> bool + Sync),
) -> Kept {
    keep_one_of(ports, gate, alternatives, is_lost).await.map_or(Kept::Lost, |_| Kept::Stored)
}

/// Publishes until the broker has the message.
///
/// * `alternatives`: the message, then what to publish instead when no queue takes the one before; at least one. While
///   the broker does not answer, the same is tried again: it is the connection that failed, not the queue.
/// * `is_lost`: whether the broker will offer the original again, so that the result is void.
/// * returns which of the alternatives the broker has; `None` when the result is void.
pub(crate) async fn keep_one_of<P: Ports>(
    ports: &P,
    gate: &Gate,
    alternatives: &[Outgoing],
    is_lost: &(dyn Fn() -> bool + Sync),
) -> Option<usize> {
    let mut shut = None;
    let mut pause = PAUSE_MIN;
    let mut chosen = 0;
    let mut asked_again = 0;
    loop {
        let message = &alternatives[chosen];
        let Err(error) = ports.publish(message.clone()).await else { return Some(chosen) };
        shut.get_or_insert_with(|| gate.shut());
        let route = (message.exchange.clone(), message.routing_key.clone());
        let (exchange, key) = (&route.0, &route.1);
        tracing::warn!(%error, exchange, key, "a result is not stored yet; trying again");
        let is_refused = matches!(error, PublishError::Refused | PublishError::Unroutable);
        let is_full = is_refused && (asked_again == ASKED_AGAIN_MAX || gate.is_full(&route, ports.now()));
        if is_full {
            gate.note_full(route, ports.now());
            chosen = (chosen + 1) % alternatives.len();
            asked_again = 0;
            pause = if chosen == 0 { PAUSE_MAX } else { PAUSE_MIN };
        } else if is_refused {
            asked_again += 1;
        }
        // Another queue may take it at once. When none did, or the broker does not answer, it needs time.
        if chosen == 0 || !is_full {
            ports.pause(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if is_lost() {
            return None;
        }
    }
}
