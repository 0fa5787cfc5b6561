//! Each alert fires when what it warns of really happens, as far as it can be made to happen.
//!
//! One file for each file of rules. Waits are cut out of the rules (see [`Prometheus::start`]); that each alert waits long
//! enough to be meant, and is silent on a healthy day, is what the unit tests of the rules say.

pub mod broker;
pub mod flow;
pub mod processes;
pub mod stores;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Site;
use crate::patience::eventually;
use crate::prometheus::Prometheus;

/// Waits until these alerts fire.
async fn await_alerts(prometheus: &Prometheus, expected: &[&str]) -> Result<()> {
    await_alerts_while(prometheus, expected, || async { Ok(()) }).await
}

/// The same, while something happens again before each look: of what is counted for the first time Prometheus sees no
/// increase.
async fn await_alerts_while<F>(
    prometheus: &Prometheus,
    expected: &[&str],
    happen: impl Fn() -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let look = || async {
        happen().await?;
        let told = told(prometheus).await?;
        ensure!(expected.iter().all(|name| told.contains(*name)), "expected {expected:?}, told of {told:?}");
        Ok(Some(()))
    };
    eventually(format!("{expected:?} to fire"), look).await
}

/// Waits until no alert fires.
async fn await_silence(prometheus: &Prometheus) -> Result<()> {
    let look = || async {
        let told = told(prometheus).await?;
        ensure!(told.is_empty(), "told of {told:?}");
        Ok(Some(()))
    };
    eventually("no alert to fire", look).await
}

/// The alerts whose condition holds.
async fn told(prometheus: &Prometheus) -> Result<BTreeSet<String>> {
    let rules = prometheus.rules().await?;
    Ok(rules.into_iter().filter(|rule| rule.is_told()).map(|rule| rule.name).collect())
}

/// Publishes events that happened years ago.
async fn publish(site: &Site, mode: &str, count: usize) -> Result<()> {
    let event = |_| Message::event(mode, SCHEDULED, &format!("evt-{:x}", rand::random::<u64>()), APPOINTMENT);
    site.amqp().await?.publish_all(&(0..count).map(event).collect::<Vec<_>>()).await
}
