//! What commands that run until told to stop have in common: logs, signals, metrics, probes, drain.

use std::time::Duration;

use bellhop_runtime::health::{Condition, Health};
use bellhop_runtime::logs;
use bellhop_runtime::metrics::{Build, Metrics};
use bellhop_runtime::probes::ProbeServer;
use bellhop_runtime::shutdown::{Drain, Shutdown};
use bellhop_sender::address::AllowList;
use bellhop_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commit::COMMIT;
use crate::config::Config;
use crate::failure::Failure;

/// A process that serves until told to stop.
pub(super) struct Service {
    /// Where its parts tell whether they are ready.
    pub(super) health: Health,
    /// Where its parts tell what they count.
    pub(super) metrics: Metrics,
    accepting: Condition,
    shutdown: Shutdown,
    drain_timeout: Duration,
    probes: ProbeServer,
}

/// A service whose probes are answered.
pub(super) struct Serving {
    accepting: Condition,
    shutdown: Shutdown,
    drain_timeout: Duration,
    probing: TaskTracker,
    probes_ended: CancellationToken,
}

impl Service {
    /// Installs logs and signals and takes the probes' port, which nobody answers yet.
    ///
    /// * `process`: the command's name, as metrics tell it.
    pub(super) async fn prepare(config: &Config, process: &'static str) -> Result<Self, Failure> {
        logs::install(&config.logs).map_err(anyhow::Error::new)?;
        let shutdown = Shutdown::on_signals().map_err(anyhow::Error::new)?;
        let metrics = Metrics::new(Build { process, version: env!("CARGO_PKG_VERSION"), commit: COMMIT });
        let health = Health::new();
        metrics.show(&health);
        let accepting = health.condition("accepting");
        let probes = ProbeServer::bind(config.probes).await.map_err(anyhow::Error::new)?;
        let drain_timeout = config.shutdown.drain_timeout;
        Ok(Self { health, metrics, accepting, shutdown, drain_timeout, probes })
    }

    /// Opens the store, and refuses a wrong sealing key: every signature would be wrong, and nobody could open what is
    /// sealed with it.
    ///
    /// A database that is away is no reason not to start; the key is then judged by each value it opens.
    pub(super) async fn open_store(&self, config: &Config) -> Result<Store, Failure> {
        let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
        match store.verify_sealing_keys().await {
            Err(error @ (StoreError::SealingKeyUnknown { .. } | StoreError::SealingKeyWrong { .. })) => {
                return Err(anyhow::Error::new(error).into());
            }
            Err(error) => tracing::warn!(%error, "cannot check the sealing key now"),
            Ok(()) => {}
        }
        Ok(store)
    }

    /// Answers probes from here on: not ready before [`Serving::until_told_to_stop`].
    pub(super) fn serve(self) -> Serving {
        let Self { health, metrics, accepting, shutdown, drain_timeout, probes } = self;
        let (probing, probes_ended) = (TaskTracker::new(), CancellationToken::new());
        tracing::info!(address = %probes.address(), "serving probes and metrics");
        probing.spawn(probes.serve(health, metrics, probes_ended.clone()));
        Serving { accepting, shutdown, drain_timeout, probing, probes_ended }
    }
}

impl Serving {
    /// Is cancelled when the process is told to stop.
    pub(super) fn drain_token(&self) -> CancellationToken {
        self.shutdown.drain_token()
    }

    /// Is ready for as long as nobody asks it to stop.
    pub(super) async fn until_told_to_stop(&self) {
        self.accepting.set_ready();
        self.shutdown.drain_token().cancelled().await;
        self.accepting.set_not_ready("draining");
        tracing::info!("draining");
    }

    /// Waits until what is in hand is finished, as far as the configured time allows.
    ///
    /// * `consequence`: what becomes of what is not finished, for the log.
    pub(super) async fn drain(&self, in_hand: &TaskTracker, consequence: &str) {
        let drain = self.shutdown.drain(in_hand, self.drain_timeout).await;
        match drain {
            Drain::Finished => tracing::info!("the drain {drain}"),
            Drain::TimedOut { .. } | Drain::Interrupted { .. } => {
                tracing::warn!("the drain {drain}; {consequence}");
            }
        }
    }

    /// Stops answering probes, last of all.
    pub(super) async fn close(self) {
        self.probes_ended.cancel();
        self.probing.close();
        self.probing.wait().await;
    }
}

/// Says loudly what is meant for trials only, in every process that calls webhooks or takes their URLs.
pub(super) fn warn_of_allowed(allowed: &AllowList) {
    if !allowed.is_empty() {
        tracing::warn!(
            networks = %allowed,
            "`[sender] allow_cidrs` lets webhooks reach networks that are otherwise forbidden: whoever may register a webhook can reach what lies there"
        );
    }
}
