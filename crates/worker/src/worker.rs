//! The worker as a whole: connections, lanes, readiness, drain.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{BrokerAddress, DeclareError, Declared, Link, LinkState, Publisher, Topology};
use bellhop_runtime::health::Health;
use bellhop_runtime::metrics::Metrics;
use bellhop_sender::Sender;
use bellhop_store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::isolation::Isolation;
use crate::keep::Gate;
use crate::lane::Lane;
use crate::metrics::WorkerMetrics;
use crate::options::WorkerOptions;
use crate::ports::Services;
use crate::process::Processor;
use crate::stats;

/// A running worker. It holds no state that a successor would miss.
#[derive(Debug)]
pub struct Worker {
    lanes: TaskTracker,
    background: TaskTracker,
    consuming: Link,
    publishing: Link,
    stopping: CancellationToken,
    ended: CancellationToken,
}

/// The services around a worker.
#[derive(Debug)]
pub struct Surroundings {
    /// Where the broker is.
    pub broker: BrokerAddress,
    /// Subscriptions and claims.
    pub store: Store,
    /// Attempts.
    pub sender: Sender,
    /// Where readiness is told.
    pub health: Health,
    /// Where counts are told.
    pub metrics: Metrics,
}

impl Worker {
    /// Starts every lane; returns at once and waits out whatever is not up yet.
    ///
    /// # Errors
    /// When a metric's name is taken, which is our own mistake.
    pub fn start(options: WorkerOptions, around: Surroundings) -> Result<Self, prometheus::Error> {
        let Surroundings { broker, store, sender, health, metrics } = around;
        let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
        let (lanes, background) = (TaskTracker::new(), TaskTracker::new());
        let consuming = Link::open(broker.clone(), "bellhop worker, consuming");
        let publishing = Link::open(broker, "bellhop worker, publishing");
        let gate = Gate::default();
        stats::register(&metrics, &store, [&consuming, &publishing], gate.clone())?;
        // Ready is who can take messages.
        let broker = health.condition("broker");
        background.spawn(broker.follow(consuming.watch(), LinkState::problem, ended.clone()));
        background.spawn(declare(
            Topology::new(&options.ladder, options.shards),
            publishing.declarer(),
            ended.clone(),
        ));
        background.spawn({
            let (store, ended) = (store.clone(), ended.clone());
            async move { store.watch(ended).await }
        });
        let services = Services {
            store,
            sender,
            publisher: Publisher::new(&publishing, &background),
            log: Publisher::new(&publishing, &background),
            publish_timeout: options.publish_timeout,
        };
        let metrics = WorkerMetrics::register(metrics.registry())?;
        let isolation = Isolation::new(&options, &metrics, stopping.clone());
        let processor = Arc::new(Processor::new(services, options.ladder, metrics, gate, isolation));
        for &lane in &options.lanes {
            let processor = Arc::clone(&processor);
            Lane::new(processor, &consuming, lane, options.shards, stopping.clone()).run(&lanes);
        }
        Ok(Self { lanes, background, consuming, publishing, stopping, ended })
    }

    /// Stops taking. What is in hand goes on; what was handed out and not begun goes back.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.lanes.close();
    }

    /// The tasks that a drain waits for: lanes, and every message in hand.
    #[must_use]
    pub fn in_hand(&self) -> &TaskTracker {
        &self.lanes
    }

    /// Closes connections, after a drain.
    pub async fn close(self) {
        self.stop();
        self.ended.cancel();
        self.consuming.close().await;
        self.publishing.close().await;
        self.background.close();
        self.background.wait().await;
    }
}

/// Declares the topology where the user may; elsewhere somebody with the right has to. How events reach the queues is
/// left to `bellhop topology` everywhere.
async fn declare(topology: Topology, declarer: bellhop_broker::Declarer, ended: CancellationToken) {
    const AGAIN_AFTER: Duration = Duration::from_secs(5);
    let declaring = async {
        loop {
            match topology.declare(&declarer).await {
                Ok(Declared { exchanges, queues }) => {
                    tracing::info!(exchanges, queues, "the topology is declared");
                    return;
                }
                Err(error @ (DeclareError::Forbidden { .. } | DeclareError::Different { .. })) => {
                    tracing::info!(%error, "the topology is left as it is");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot declare the topology yet; trying again");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    };
    ended.run_until_cancelled(declaring).await;
}
