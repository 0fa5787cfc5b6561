//! `bellhop worker`: delivers until told to stop.

use std::path::Path;

use anyhow::Context as _;
use bellhop_broker::names;
use bellhop_sender::Sender;
use bellhop_worker::{Surroundings, Worker};

use crate::command::service::{Service, warn_of_allowed};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Runs the worker.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Everything)?;
    let service = Service::prepare(&config, "worker").await?;
    for mode in config.worker.modes_relying_on_others() {
        let queue = names::slow_queue(mode);
        tracing::warn!(%queue, "slow deliveries go to a lane that this worker does not serve; another one must");
    }
    let sender = Sender::new(config.sender.clone()).context("failed to prepare the sender")?;
    let store = service.open_store(&config).await?;
    warn_of_allowed(&config.sender.allowed);
    let (health, metrics) = (service.health.clone(), service.metrics.clone());
    let serving = service.serve();
    let around = Surroundings { broker: config.broker(), store, sender, health, metrics };
    let worker = Worker::start(config.worker.clone(), around).context("failed to start the worker")?;

    serving.until_told_to_stop().await;
    worker.stop();
    serving.drain(worker.in_hand(), "the broker offers their events again").await;
    worker.close().await;
    serving.close().await;
    Ok(())
}
