//! `bellhop api`: serves the REST API and the console until told to stop.

use std::path::Path;
use std::sync::Arc;

use bellhop_api::{ApiServer, Surroundings};
use bellhop_producer::{Producer, ProducerOptions};

use crate::command::service::{Service, warn_of_allowed};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Runs the API.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Everything)?;
    let service = Service::prepare(&config, "api").await?;
    let store = service.open_store(&config).await?;
    warn_of_allowed(&config.sender.allowed);
    let patience = ProducerOptions { publish_timeout: config.api.publish_timeout };
    let producer = Arc::new(Producer::open(config.broker(), patience));
    let (health, metrics) = (service.health.clone(), service.metrics.clone());
    let around = Surroundings { store, producer: Arc::clone(&producer), health, metrics };
    let server = ApiServer::bind(config.api.clone(), around).await.map_err(anyhow::Error::new)?;
    tracing::info!(address = %server.address(), "serving the API");
    let serving = service.serve();
    let in_hand = server.in_hand();
    in_hand.spawn(server.serve(serving.drain_token()));

    serving.until_told_to_stop().await;
    serving.drain(&in_hand, "their callers get no answer").await;
    // Whoever still holds it is a caller that the drain gave up.
    if let Some(producer) = Arc::into_inner(producer) {
        producer.close().await;
    }
    serving.close().await;
    Ok(())
}
