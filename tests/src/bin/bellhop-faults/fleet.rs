//! The workers of one half, measured from outside.

use std::iter::Sum;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::http;
use bellhop_tests::measuring::role::Role;
use bellhop_tests::patience::eventually;
use bellhop_tests::place::Place;
use bellhop_tests::worker::probes_url;
use serde::Serialize;
use tokio::process::Command;

/// Workers at work. Dropping it kills them.
pub(crate) struct Fleet {
    workers: Vec<Member>,
}

struct Member {
    role: Role,
    probes_url: String,
}

/// What workers counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Counts {
    /// Fresh events whose every delivery was made or put off.
    pub(crate) fresh: u64,
    /// Messages that were taken from any lane: one for each way of a delivery through the broker.
    pub(crate) messages: u64,
    /// Deliveries put off because their webhook was busy.
    pub(crate) busy: u64,
    /// Because their webhook or its host was unavailable.
    pub(crate) unavailable: u64,
    /// Because nobody could tell who wants them.
    pub(crate) unknown: u64,
    /// Records that the log refused.
    pub(crate) records_dropped: u64,
    /// Attempts that were made.
    pub(crate) attempts: u64,
    /// How long all of them took together.
    pub(crate) attempts_s: f64,
}

impl Fleet {
    /// Starts workers and waits until they are ready.
    ///
    /// * `lanes`: which lanes each serves; none is all.
    /// * `logs`: the folder for their logs, which is made.
    pub(crate) async fn start(
        binary: &Path,
        place: &Place,
        lanes: &[Option<&str>],
        logs: &Path,
    ) -> Result<Self> {
        std::fs::create_dir_all(logs).with_context(|| logs.display().to_string())?;
        let mut workers = Vec::new();
        for (number, lanes) in lanes.iter().enumerate() {
            let mut command = Command::new(binary);
            command.arg("worker").envs(place.environment());
            command.envs(lanes.map(|lanes| ("BELLHOP_WORKER_LANES", lanes)));
            let log = logs.join(format!("worker-{number}.log"));
            let mut role = Role::start("bellhop worker", &command, &log)?;
            let told = async || Ok(probes_url(&std::fs::read_to_string(&log)?));
            let probes_url = eventually("a worker to tell where its probes are", told).await;
            role.ensure_running()?;
            workers.push(Member { role, probes_url: probes_url? });
        }
        let fleet = Self { workers };
        for worker in &fleet.workers {
            let ready = async || {
                let response = http::get(&format!("{}/readyz", worker.probes_url)).await?;
                ensure!(response.status == 200, "{}", response.body);
                Ok(Some(()))
            };
            eventually("a worker to be ready", ready).await?;
        }
        Ok(fleet)
    }

    /// Insists that all still run.
    pub(crate) fn ensure_running(&mut self) -> Result<()> {
        self.workers.iter_mut().try_for_each(|worker| worker.role.ensure_running())
    }

    /// What they counted, together.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        for worker in &self.workers {
            let response = http::get(&format!("{}/metrics", worker.probes_url)).await?;
            ensure!(response.status == 200, "/metrics answers {}", response.status);
            counts.add(&response.body);
        }
        Ok(counts)
    }

    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.workers.iter().map(|worker| worker.role.pid()?.cpu()).sum()
    }

    /// Memory that is resident now, in bytes.
    pub(crate) fn rss(&self) -> Result<u64> {
        self.workers.iter().map(|worker| worker.role.pid()?.rss()).sum()
    }

    /// The most memory that was ever resident, in bytes.
    pub(crate) fn rss_peak(&self) -> Result<u64> {
        self.workers.iter().map(|worker| worker.role.pid()?.rss_peak()).sum()
    }

    /// Tells them to stop, and waits until they have.
    pub(crate) async fn stop(self) -> Result<()> {
        for worker in self.workers {
            worker.role.stop().await.context("stop a worker")?;
        }
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, metrics: &str) {
        let deferred =
            |reason: &str| sum::<u64>(metrics, "bellhop_deferrals_total", &format!("reason=\"{reason}\""));
        self.fresh += sum::<u64>(metrics, "bellhop_events_total", "lane=\"fresh\"");
        self.messages += sum::<u64>(metrics, "bellhop_events_total", "");
        self.busy += deferred("busy");
        self.unavailable += deferred("unavailable");
        self.unknown += deferred("unknown");
        self.records_dropped += sum::<u64>(metrics, "bellhop_log_records_total", "result=\"dropped\"");
        self.attempts += sum::<u64>(metrics, "bellhop_attempt_duration_seconds_count", "");
        self.attempts_s += sum::<f64>(metrics, "bellhop_attempt_duration_seconds_sum", "");
    }
}

/// The sum of a metric's series that have a label.
///
/// * `label`: as it is shown, or nothing for all series.
fn sum<T: FromStr + Sum>(metrics: &str, name: &str, label: &str) -> T {
    let series = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let labelled =
        series.filter_map(|line| line.split_once("} ")).filter(|(labels, _)| labels.contains(label));
    labelled.filter_map(|(_, value)| value.parse::<T>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_over_the_series_meant() {
        let metrics = "# HELP bellhop_events_total x\n\
            bellhop_events_total{lane=\"fresh\",mode=\"live\",result=\"processed\"} 3\n\
            bellhop_events_total{lane=\"fresh\",mode=\"test\",result=\"parked\"} 4\n\
            bellhop_events_total{lane=\"due\",mode=\"test\",result=\"processed\"} 50\n\
            bellhop_deferrals_total{mode=\"test\",reason=\"busy\"} 600\n\
            bellhop_deferrals_total{mode=\"test\",reason=\"unavailable\"} 7000\n\
            bellhop_attempt_duration_seconds_sum{mode=\"test\"} 1.5\n\
            bellhop_attempt_duration_seconds_count{mode=\"test\"} 8\n";
        let mut counts = Counts::default();
        counts.add(metrics);
        counts.add(metrics);
        let expected = Counts {
            fresh: 14,
            messages: 114,
            busy: 1_200,
            unavailable: 14_000,
            attempts: 16,
            attempts_s: 3.0,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
    }
}
