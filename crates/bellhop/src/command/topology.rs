//! `bellhop topology`: declares what must exist on the broker.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bellhop_broker::{Link, Topology};

use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Longest wait for all declarations.
const DECLARE_PATIENCE: Duration = Duration::from_secs(60);

/// Declares exchanges, queues and bindings.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Broker)?;
    let address = config.broker();
    let link = Link::open(address.clone(), "bellhop topology");
    link.connected().await.map_err(anyhow::Error::new)?;
    let topology = Topology::new(&config.worker.ladder);
    let declarer = link.declarer();
    let declaring = topology.declare(&declarer);
    let declared = tokio::time::timeout(DECLARE_PATIENCE, declaring)
        .await
        .with_context(|| {
            format!("the broker at {address} did not finish declaring within {DECLARE_PATIENCE:?}")
        })?
        .map_err(anyhow::Error::new)?;
    link.close().await;
    println!("{} exchanges and {} queues exist on {address}", declared.exchanges, declared.queues);
    Ok(())
}
