//! Gathering messages until it is worth writing them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::intake::Taken;
use crate::writer::Writer;

/// Most transactions at once: while one waits for its commit the next is made.
const WRITES_MAX: usize = 2;

/// Hands messages to the writer, many at a time.
pub(crate) struct Gatherer {
    pub(crate) writer: Arc<Writer>,
    pub(crate) batch_rows_max: usize,
    pub(crate) linger: Duration,
}

impl Gatherer {
    /// Gathers until the intake is gone and everything is handed over.
    pub(crate) async fn run(self, mut taken: mpsc::UnboundedReceiver<Taken>, tasks: TaskTracker) {
        let writes = Arc::new(Semaphore::new(WRITES_MAX));
        loop {
            // The place comes first: what arrives meanwhile is gathered at once, into a larger batch.
            let Ok(write) = Arc::clone(&writes).acquire_owned().await else { return };
            let Some(batch) = self.gather(&mut taken).await else { return };
            let writer = Arc::clone(&self.writer);
            tasks.spawn(async move {
                writer.write(batch).await;
                drop(write);
            });
        }
    }

    /// The next messages: as many as make a batch, or as came in time. `None` when there will be no more.
    async fn gather(&self, taken: &mut mpsc::UnboundedReceiver<Taken>) -> Option<Vec<Taken>> {
        let first = taken.recv().await?;
        let deadline = Instant::now() + self.linger;
        let mut rows = first.batch.entries.len();
        let mut batch = vec![first];
        while rows < self.batch_rows_max {
            let Ok(Some(next)) = timeout_at(deadline, taken.recv()).await else { break };
            rows += next.batch.entries.len();
            batch.push(next);
        }
        Some(batch)
    }
}
