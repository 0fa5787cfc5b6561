//! `bellhop worker`: delivers until told to stop.

use std::path::Path;

use anyhow::Context as _;
use bellhop_runtime::health::Health;
use bellhop_runtime::metrics::{Build, Metrics};
use bellhop_runtime::probes::ProbeServer;
use bellhop_runtime::shutdown::Shutdown;
use bellhop_runtime::{logs, shutdown::Drain};
use bellhop_sender::Sender;
use bellhop_store::{Store, StoreError};
use bellhop_worker::{Surroundings, Worker};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commit::COMMIT;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Runs the worker.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Everything)?;
    logs::install(&config.logs).map_err(anyhow::Error::new)?;
    let shutdown = Shutdown::on_signals().map_err(anyhow::Error::new)?;
    let metrics =
        Metrics::new(Build { process: "worker", version: env!("CARGO_PKG_VERSION"), commit: COMMIT });
    let health = Health::new();
    let probes = ProbeServer::bind(config.probes).await.map_err(anyhow::Error::new)?;
    let sender = Sender::new(config.sender.clone()).context("failed to prepare the sender")?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    check_key(&store).await?;

    let accepting = health.condition("accepting");
    let (probing, probes_ended) = (TaskTracker::new(), CancellationToken::new());
    tracing::info!(address = %probes.address(), "serving probes and metrics");
    probing.spawn(probes.serve(health.clone(), metrics.clone(), probes_ended.clone()));
    let around = Surroundings { broker: config.broker(), store, sender, health, metrics };
    let worker = Worker::start(config.worker.clone(), around).context("failed to start the worker")?;
    accepting.set_ready();

    shutdown.drain_token().cancelled().await;
    accepting.set_not_ready("draining");
    tracing::info!("draining");
    worker.stop();
    let drain = shutdown.drain(worker.in_hand(), config.shutdown.drain_timeout).await;
    match drain {
        Drain::Finished => tracing::info!("the drain {drain}"),
        Drain::TimedOut { .. } | Drain::Interrupted { .. } => {
            tracing::warn!("the drain {drain}; the broker offers their events again");
        }
    }
    worker.close().await;
    probes_ended.cancel();
    probing.close();
    probing.wait().await;
    Ok(())
}

/// Refuses to start with a wrong sealing key: every signature would be wrong, and nobody could open what is sealed with it. A database that is away is no reason not
/// to start; the key is then judged by each value it opens.
pub(super) async fn check_key(store: &Store) -> Result<(), Failure> {
    match store.verify_sealing_keys().await {
        Err(error @ (StoreError::SealingKeyUnknown { .. } | StoreError::SealingKeyWrong { .. })) => {
            Err(anyhow::Error::new(error).into())
        }
        Err(error) => {
            tracing::warn!(%error, "cannot check the sealing key now");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
