//! `bellhop recorder`: writes what happened into PostgreSQL until told to stop.

use std::path::Path;

use anyhow::Context as _;
use bellhop_recorder::{Recorder, Surroundings};
use bellhop_runtime::health::Health;
use bellhop_runtime::metrics::{Build, Metrics};
use bellhop_runtime::probes::ProbeServer;
use bellhop_runtime::shutdown::Shutdown;
use bellhop_runtime::{logs, shutdown::Drain};
use bellhop_store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::command::worker::check_key;
use crate::commit::COMMIT;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Runs the recorder.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Everything)?;
    logs::install(&config.logs).map_err(anyhow::Error::new)?;
    let shutdown = Shutdown::on_signals().map_err(anyhow::Error::new)?;
    let metrics =
        Metrics::new(Build { process: "recorder", version: env!("CARGO_PKG_VERSION"), commit: COMMIT });
    let health = Health::new();
    let probes = ProbeServer::bind(config.probes).await.map_err(anyhow::Error::new)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    check_key(&store).await?;

    let accepting = health.condition("accepting");
    let (probing, probes_ended) = (TaskTracker::new(), CancellationToken::new());
    tracing::info!(address = %probes.address(), "serving probes and metrics");
    probing.spawn(probes.serve(health.clone(), metrics.clone(), probes_ended.clone()));
    let around = Surroundings { broker: config.broker(), store, health, metrics };
    let recorder = Recorder::start(config.recorder, around).context("failed to start the recorder")?;
    accepting.set_ready();

    shutdown.drain_token().cancelled().await;
    accepting.set_not_ready("draining");
    tracing::info!("draining");
    recorder.stop();
    let drain = shutdown.drain(recorder.in_hand(), config.shutdown.drain_timeout).await;
    match drain {
        Drain::Finished => tracing::info!("the drain {drain}"),
        Drain::TimedOut { .. } | Drain::Interrupted { .. } => {
            tracing::warn!("the drain {drain}; the broker offers their messages again");
        }
    }
    recorder.close().await;
    probes_ended.cancel();
    probing.close();
    probing.wait().await;
    Ok(())
}
