//! What a half costs: CPU of everybody who takes part, and the workers' memory over time.

use std::time::Duration;

use anyhow::{Error, Result};
use bellhop_tests::measuring::role::{Pid, machine_cpu};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cast::Cast;
use crate::fleet::{Counts, Fleet};
use crate::stage::Stage;

/// How often the workers are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// CPU time that everybody had used at one moment.
pub(crate) struct Usage {
    at: Instant,
    workers: Duration,
    broker: Duration,
    sink: Duration,
    postgres: Duration,
    cast: Duration,
    conductor: Duration,
    machine: Duration,
}

/// What a half cost, in cores: seconds of CPU in a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Costs {
    /// The workers.
    pub(crate) workers_cores: f64,
    /// RabbitMQ.
    pub(crate) broker_cores: f64,
    /// Every endpoint.
    pub(crate) sink_cores: f64,
    /// Those who publish.
    pub(crate) publishers_cores: f64,
    /// PostgreSQL.
    pub(crate) postgres_cores: f64,
    /// Whoever else plays a part: a recorder, or a worker apart.
    pub(crate) cast_cores: f64,
    /// Everybody else on this machine.
    pub(crate) others_cores: f64,
    /// The most memory that workers ever had resident.
    pub(crate) rss_peak_bytes: u64,
}

/// The workers at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// Since streams began.
    pub(crate) seconds: f64,
    /// Resident memory.
    pub(crate) rss_bytes: u64,
    /// What they have counted by then, the warm-up included.
    pub(crate) counts: Counts,
}

impl Usage {
    pub(crate) fn now(stage: &Stage, cast: &Cast) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            workers: cast.fleet.cpu()?,
            broker: stage.broker.cpu()?,
            sink: stage.sink.pid()?.cpu()?,
            postgres: stage.postmaster.cpu()?,
            cast: cast.others_cpu()?,
            conductor: Pid(std::process::id()).cpu()?,
            machine: machine_cpu()?,
        })
    }
}

impl Costs {
    /// * `publishers`: CPU time of those who are gone by now.
    pub(crate) fn of(before: &Usage, after: &Usage, publishers: Duration, rss_peak_bytes: u64) -> Self {
        let seconds = (after.at - before.at).as_secs_f64().max(f64::EPSILON);
        let cores = |spent: Duration| spent.as_secs_f64() / seconds;
        let spent = |of: fn(&Usage) -> Duration| of(after).saturating_sub(of(before));
        let ours = [
            spent(|u| u.workers),
            spent(|u| u.broker),
            spent(|u| u.sink),
            spent(|u| u.postgres),
            spent(|u| u.cast),
            publishers,
            spent(|u| u.conductor),
        ];
        let others = spent(|u| u.machine).saturating_sub(ours.iter().sum());
        Self {
            workers_cores: cores(ours[0]),
            broker_cores: cores(ours[1]),
            sink_cores: cores(ours[2]),
            postgres_cores: cores(ours[3]),
            cast_cores: cores(ours[4]),
            publishers_cores: cores(ours[5]),
            others_cores: cores(others),
            rss_peak_bytes,
        }
    }
}

/// Looks at workers again and again.
///
/// * returns why that is no longer possible.
pub(crate) async fn sample(fleet: &mut Fleet, samples: &watch::Sender<Vec<Sample>>) -> Error {
    let began = Instant::now();
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let look = async {
            fleet.ensure_running()?;
            let (rss_bytes, counts) = (fleet.rss()?, fleet.counts().await?);
            anyhow::Ok(Sample { seconds: began.elapsed().as_secs_f64(), rss_bytes, counts })
        };
        match look.await {
            Ok(sample) => samples.send_modify(|samples| samples.push(sample)),
            Err(error) => return error,
        }
    }
}
