//! How far an attempt came, and when.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// When an attempt reached each of its phases, measured from the call; the last phase is the exchange's duration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Until a connection of its own was had: resolved, connected and, with `https`, encrypted. `None` when there never
    /// was one, or when the request rode on a connection that was there already.
    pub connected: Option<Duration>,
    /// Until the head of the final answer was read.
    pub head: Option<Duration>,
}

tokio::task_local! {
    // The HTTP client hands its connector a URL and nothing else, but asks it from within the request's own future. A
    // connection that is finished in the background, for whoever comes next, belongs to no request and is not noted.
    static CONNECTED_AT: Cell<Option<Instant>>;
}

/// Runs an attempt and tells what [`note_connected`] noted last within it.
pub(crate) async fn observe_connecting<T>(attempt: impl Future<Output = T>) -> (T, Option<Instant>) {
    let observed = async {
        let result = attempt.await;
        (result, CONNECTED_AT.with(Cell::get))
    };
    CONNECTED_AT.scope(Cell::new(None), observed).await
}

/// Whether the attempt that asks had a connection of its own.
pub(crate) fn has_connected() -> bool {
    CONNECTED_AT.try_with(|at| at.get().is_some()).unwrap_or(false)
}

/// Notes that the attempt that asks has its connection.
pub(crate) fn note_connected() {
    // Nobody asks when the connection is finished in the background.
    let _ = CONNECTED_AT.try_with(|at| at.set(Some(Instant::now())));
}
