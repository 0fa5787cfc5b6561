//! Keeping the tables in shape while the recorder runs.

use std::time::Duration;

use bellhop_runtime::health::Condition;
use bellhop_store::{LogRetention, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::metrics::RecorderMetrics;

/// How often. What is too old goes by the day, and partitions are made days ahead.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How soon after a failure.
const INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How soon it is looked again whether the tables are there.
const INTERVAL_BEFORE_START: Duration = Duration::from_secs(1);

/// Makes partitions ahead, removes what is too old, and disables webhooks that fail.
pub(crate) struct Upkeep {
    pub(crate) store: Store,
    pub(crate) retention: LogRetention,
    pub(crate) disable_failing_after: Option<Duration>,
    pub(crate) postgres: Condition,
    pub(crate) metrics: RecorderMetrics,
}

impl Upkeep {
    /// Waits until the tables are there; nothing is taken from the log before.
    pub(crate) async fn prepare(&self) {
        while let Err(error) = self.store.check_schema().await {
            self.postgres.set_not_ready(error.to_string());
            tokio::time::sleep(INTERVAL_BEFORE_START).await;
        }
        self.postgres.set_ready();
    }

    /// Keeps the tables in shape until told to end, beside whatever is written: a partition that is missing is made when
    /// it is needed, and one that cannot be dropped yet, because somebody reads it, holds up no record.
    pub(crate) async fn run(self, ended: CancellationToken) {
        while let Some(kept) = ended.run_until_cancelled(self.keep()).await {
            let interval = match kept {
                Ok(()) => INTERVAL,
                Err(error) => {
                    tracing::warn!(%error, "upkeep of the delivery log failed; the next round goes on with it");
                    INTERVAL_AFTER_FAILURE
                }
            };
            ended.run_until_cancelled(tokio::time::sleep(interval)).await;
        }
    }

    async fn keep(&self) -> Result<(), StoreError> {
        // None waits for another to succeed.
        let results =
            [self.disable_failing().await, self.keep_in_shape().await, self.sweep_idempotent_answers().await];
        results.into_iter().collect::<Result<(), _>>().inspect_err(|_| self.metrics.upkeep_failures.inc())
    }

    /// Disables webhooks to which nothing could be delivered for too long.
    async fn disable_failing(&self) -> Result<(), StoreError> {
        let Some(after) = self.disable_failing_after else { return Ok(()) };
        for failing in self.store.failing_webhooks(after).await? {
            if self.store.disable_failing_webhook(&failing).await? {
                self.metrics.webhooks_disabled.inc();
                tracing::warn!(
                    webhook.id = %failing.id,
                    organisation.id = %failing.organisation,
                    mode = %failing.mode,
                    "disabled a webhook: every delivery was exhausted for as long as `recorder.disable_failing_after` says"
                );
            }
        }
        Ok(())
    }

    /// They hold secrets, and where nobody registers webhooks nobody else would remove them.
    async fn sweep_idempotent_answers(&self) -> Result<(), StoreError> {
        self.store.sweep_idempotent_answers().await.map(drop)
    }

    async fn keep_in_shape(&self) -> Result<(), StoreError> {
        match self.store.keep_log(self.retention).await {
            Ok(Some(upkeep)) => {
                tracing::info!(
                    created = upkeep.created,
                    dropped = upkeep.dropped,
                    removed = upkeep.removed,
                    partitions = upkeep.partitions,
                    "kept the delivery log in shape"
                );
                self.metrics.kept(&upkeep);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
