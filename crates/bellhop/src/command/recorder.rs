//! `bellhop recorder`: writes what happened into PostgreSQL until told to stop.

use std::path::Path;

use anyhow::Context as _;
use bellhop_recorder::{Recorder, Surroundings};

use crate::command::service::Service;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Runs the recorder.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Everything)?;
    let service = Service::prepare(&config, "recorder").await?;
    let store = service.open_store(&config).await?;
    let (health, metrics) = (service.health.clone(), service.metrics.clone());
    let serving = service.serve();
    let around = Surroundings { broker: config.broker(), store, health, metrics };
    let recorder = Recorder::start(config.recorder, around).context("failed to start the recorder")?;

    serving.until_told_to_stop().await;
    recorder.stop();
    serving.drain(recorder.in_hand(), "the broker offers their messages again").await;
    recorder.close().await;
    serving.close().await;
    Ok(())
}
