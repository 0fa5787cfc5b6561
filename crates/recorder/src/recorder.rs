//! The recorder as a whole: connections, readiness, drain.

use std::sync::Arc;

use bellhop_broker::{BrokerAddress, Consumer, Link, LinkState, Publisher, names};
use bellhop_model::Mode;
use bellhop_runtime::health::Health;
use bellhop_runtime::metrics::{Metrics, ShownLink};
use bellhop_store::{LeaseHolder, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gather::Gatherer;
use crate::intake::Intake;
use crate::metrics::RecorderMetrics;
use crate::options::RecorderOptions;
use crate::owing::Owing;
use crate::recovery::Recoveries;
use crate::redelivery;
use crate::room::Room;
use crate::upkeep::Upkeep;
use crate::writer::Writer;

/// A running recorder. It holds no state that a successor would miss.
#[derive(Debug)]
pub struct Recorder {
    in_hand: TaskTracker,
    background: TaskTracker,
    consuming: Link,
    publishing: Link,
    stopping: CancellationToken,
    ended: CancellationToken,
}

/// The services around a recorder.
#[derive(Debug)]
pub struct Surroundings {
    /// Where the broker is.
    pub broker: BrokerAddress,
    /// Where records go.
    pub store: Store,
    /// Where readiness is told.
    pub health: Health,
    /// Where counts are told.
    pub metrics: Metrics,
}

impl Recorder {
    /// Starts to work as soon as the broker and the tables are there.
    ///
    /// # Errors
    /// When a metric is registered already.
    pub fn start(options: RecorderOptions, around: Surroundings) -> Result<Self, prometheus::Error> {
        let Surroundings { broker, store, health, metrics } = around;
        let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
        let (in_hand, background) = (TaskTracker::new(), TaskTracker::new());
        let consuming = Link::open(broker.clone(), "bellhop recorder, consuming");
        let publishing = Link::open(broker, "bellhop recorder, publishing");
        // Ready is who can take messages.
        let broker = health.condition("broker");
        background.spawn(broker.follow(consuming.watch(), LinkState::problem, ended.clone()));
        let links = [("consuming", &consuming), ("publishing", &publishing)];
        let links = links.map(|(name, link)| ShownLink::new(name, link.counts(), link.label()));
        metrics.show_links(&LinkState::LABELS, links)?;
        let metrics = RecorderMetrics::register(metrics.registry())?;
        let postgres = health.condition("postgres");
        let RecorderOptions { prefetch, batch_rows_max, linger, publish_timeout, .. } = options;
        let RecorderOptions { shards, retention, disable_failing_after, .. } = options;
        let intake = Intake {
            consumer: Consumer::new(&consuming, names::LOG, prefetch, stopping.clone()),
            prefetch,
            stopping: stopping.clone(),
            version: health.condition("version"),
            metrics: metrics.clone(),
        };
        let publisher = Publisher::new(&publishing, &background);
        let owing = Arc::new(Owing {
            store: store.clone(),
            publisher: publisher.clone(),
            publish_timeout,
            metrics: metrics.clone(),
        });
        let holder = LeaseHolder::draw();
        let recoveries = Mode::ALL.map(|mode| Recoveries {
            owing: Arc::clone(&owing),
            room: Room { mode, shards, declarer: publishing.declarer() },
            holder: holder.clone(),
            stopping: stopping.clone(),
        });
        let writer = Writer {
            store: store.clone(),
            retention,
            publisher,
            publish_timeout,
            stopping: stopping.clone(),
            postgres: postgres.clone(),
            metrics: metrics.clone(),
        };
        let gatherer = Gatherer { writer: Arc::new(writer), batch_rows_max, linger };
        let upkeep = Upkeep { store, retention, disable_failing_after, postgres, metrics };
        let work = Work {
            intake,
            gatherer,
            upkeep,
            owing,
            recoveries,
            in_hand: in_hand.clone(),
            background: background.clone(),
        };
        in_hand.spawn(work.begin(stopping.clone(), ended.clone()));
        Ok(Self { in_hand, background, consuming, publishing, stopping, ended })
    }

    /// Stops taking. What is in hand goes on; what was handed out and not begun goes back.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.in_hand.close();
    }

    /// The tasks that a drain waits for: every message in hand.
    #[must_use]
    pub fn in_hand(&self) -> &TaskTracker {
        &self.in_hand
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

/// What is to be begun when the tables are there.
struct Work {
    intake: Intake,
    gatherer: Gatherer,
    upkeep: Upkeep,
    owing: Arc<Owing>,
    recoveries: [Recoveries; 2],
    in_hand: TaskTracker,
    background: TaskTracker,
}

impl Work {
    async fn begin(self, stopping: CancellationToken, ended: CancellationToken) {
        let Self { intake, gatherer, upkeep, owing, recoveries, in_hand, background } = self;
        if stopping.run_until_cancelled(upkeep.prepare()).await.is_none() {
            return;
        }
        background.spawn(upkeep.run(ended));
        // All stop with the intake, and finish the page in hand.
        in_hand.spawn(redelivery::run(owing, stopping));
        for recoveries in recoveries {
            in_hand.spawn(recoveries.run());
        }
        // Bounded by the permits that the intake hands out.
        let (taken, gathered) = mpsc::unbounded_channel();
        in_hand.spawn(gatherer.run(gathered, in_hand.clone()));
        intake.run(taken, in_hand).await;
    }
}
