//! Series that somebody asked for one by one: published as soon as they are seen.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::owing::{Hindrance, Owing};

/// How often it is looked whether something is owed. Somebody may be waiting at a command line.
const INTERVAL: Duration = Duration::from_millis(500);

/// How soon after a failure.
const INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Publishes what is owed until told to stop. Several recorders share it.
pub(crate) async fn run(owing: Arc<Owing>, stopping: CancellationToken) {
    loop {
        if stopping.run_until_cancelled(owing.publisher.ready()).await.is_none() {
            return;
        }
        let pause = match publish(&owing).await {
            Ok(0) => INTERVAL,
            Ok(_) => Duration::ZERO,
            Err(hindrance) => {
                // What was taken comes again when its time with us is over.
                tracing::warn!(%hindrance, "redeliveries are not published yet; trying again");
                INTERVAL_AFTER_FAILURE
            }
        };
        if stopping.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// * returns how many were taken.
async fn publish(owing: &Owing) -> Result<usize, Hindrance> {
    let mut taken = owing.store.take_owed_series().await?;
    let count = taken.len();
    if count != 0 {
        taken.sort_by(|one, other| one.recovery.cmp(&other.recovery));
        for series in taken.chunk_by(|one, other| one.recovery == other.recovery) {
            owing.publish(series.to_vec(), Duration::ZERO).await?;
        }
        tracing::info!(count, "published what somebody asked to be delivered again");
    }
    Ok(count)
}
