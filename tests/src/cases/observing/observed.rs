//! A fleet that a Prometheus watches.

use anyhow::Result;

use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::caller::{ApiProcess, Caller};
use crate::context::{Context, Site};
use crate::operator::Registration;
use crate::prometheus::{Prometheus, Targets};
use crate::receiver::{Answer, Receiver};
use crate::worker::Worker;

/// Events that are published whenever a case looks, so that there is a rate of everything.
const EVENTS: usize = 3;

/// A fleet with one process of each kind, somebody who calls the API, and in each mode a webhook that is well beside one that
/// fails once.
pub(super) struct Observed {
    pub(super) site: Site,
    worker: Worker,
    recorder: Worker,
    api: ApiProcess,
    pub(super) caller: Caller,
    _receiver: Receiver,
}

impl Observed {
    pub(super) async fn start(site: Site, receiver: Receiver) -> Result<Self> {
        for mode in ["live", "test"] {
            for (name, statuses) in [("well", vec![200]), ("unsteady", vec![500, 200])] {
                let answers = statuses.into_iter().map(Answer::status).collect();
                let endpoint = receiver.endpoint_in_turn(&format!("{mode}-{name}"), answers);
                let registration = Registration { mode, ..Registration::test(&endpoint.url) };
                site.operator.register(&registration).await?;
            }
        }
        let (worker, recorder) = tokio::try_join!(site.worker(), site.recorder())?;
        let api = ApiProcess::start(&site).await?;
        let caller = api.caller(&site, "test", "developer").await?;
        Ok(Self { site, worker, recorder, api, caller, _receiver: receiver })
    }

    /// Starts a Prometheus and waits until it has scraped everything.
    pub(super) async fn prometheus(&self, context: &Context) -> Result<Prometheus> {
        watch(context, &self.site, &[&self.worker, &self.recorder, self.api.process()]).await
    }

    /// Publishes in both modes and asks the API something.
    pub(super) async fn live_a_little(&self) -> Result<()> {
        for mode in ["live", "test"] {
            self.publish(mode, EVENTS).await?;
        }
        self.caller.get("/v1/webhooks").await?.of(200).map(drop)
    }

    /// Publishes events that happen now.
    pub(super) async fn publish(&self, mode: &str, count: usize) -> Result<()> {
        let lines = format!("{APPOINTMENT}\n").repeat(count);
        self.site.operator.publish(mode, SCHEDULED, lines.as_bytes()).await?.succeeded().map(drop)
    }

    /// Kills the only worker.
    pub(super) async fn kill_worker(self) -> Result<()> {
        self.worker.kill().await
    }
}

/// Starts a Prometheus over some processes of a site and its broker, and waits until it has scraped each of them.
pub(super) async fn watch(context: &Context, site: &Site, processes: &[&Worker]) -> Result<Prometheus> {
    context.tools().await?;
    let targets = Targets {
        processes: processes.iter().map(|process| process.probes_address()).collect(),
        rabbitmq: &site.place.addresses().metrics,
        virtual_host: site.place.virtual_host(),
    };
    let prometheus = Prometheus::start(&context.scratch_folder()?, &targets).await?;
    prometheus.await_scraped(processes.len()).await?;
    Ok(prometheus)
}
