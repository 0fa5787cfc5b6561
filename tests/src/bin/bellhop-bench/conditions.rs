//! What is measured under: what can be chosen, and the machine it runs on.

use std::fmt;
use std::ops::RangeInclusive;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::stage::Stage;

/// What the bounds of the lanes, and with them the prefetch, are by default; the floor is given the same.
pub(crate) const WORKER_PREFETCH: u16 = 200;

/// With more in hand than a worker takes, the floor shows what prefetch costs.
pub(crate) const DEEP_PREFETCH: u16 = 500;

/// The subscribers per event that are measured; each event of an organisation goes to that many webhooks.
pub(crate) const FAN_OUTS: [usize; 3] = [1, 3, 10];

/// What can be chosen, through environment variables.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Conditions {
    /// How often fleet and floor take turns.
    pub(crate) pairs: usize,
    /// Servers, each with a port of its own; as many organisations.
    pub(crate) endpoints: usize,
    /// Deliveries of one drain.
    pub(crate) deliveries: usize,
    /// Events per second of the live publisher.
    pub(crate) rate: usize,
    /// How long it publishes.
    pub(crate) seconds: usize,
}

/// Where it ran.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    rustc: String,
    rabbitmq: String,
    /// Average load over the minute before: what else went on.
    load_before: String,
}

impl Conditions {
    /// Reads the environment.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self {
            pairs: number("PAIRS", 5, 1..=50)?,
            endpoints: number("ENDPOINTS", 64, 10..=1_000)?,
            deliveries: number("DELIVERIES", 30_000, 1_000..=500_000)?,
            rate: number("RATE", 3_000, 100..=20_000)?,
            seconds: number("SECONDS", 8, 1..=60)?,
        })
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, endpoints, deliveries, rate, seconds } = self;
        writeln!(
            f,
            "pairs {pairs} (PAIRS), endpoints {endpoints} (ENDPOINTS), production defaults, Test Mode"
        )?;
        writeln!(f, "drain {deliveries} deliveries (DELIVERIES), filled while no consumer runs")?;
        write!(f, "live  {rate}/s (RATE) for {seconds} s (SECONDS), publisher and consumer at once")
    }
}

impl Machine {
    /// Asks the system and the broker.
    pub(crate) async fn describe(stage: &Stage) -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
        let name = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: name.map_or("unknown", |(_, name)| name).to_owned(),
            kernel: first_line("/proc/sys/kernel/osrelease")?,
            rustc: told("rustc", &["--version"]).await?,
            rabbitmq: stage.broker_version().await?,
            load_before: first_line("/proc/loadavg")?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, kernel, rustc, rabbitmq, load_before } = self;
        writeln!(f, "{cores} cores, {processor}, Linux {kernel}, {rustc}, RabbitMQ {rabbitmq}")?;
        writeln!(f, "load before: {load_before}; everything runs on this machine and shares its cores")
    }
}

fn number(name: &str, default: usize, range: RangeInclusive<usize>) -> Result<usize> {
    let Some(text) = std::env::var_os(name) else { return Ok(default) };
    let text = text.to_string_lossy();
    let number: usize = text.parse().with_context(|| format!("{name} is `{text}`, which is no number"))?;
    ensure!(range.contains(&number), "{name} is {number}; it may be {} to {}", range.start(), range.end());
    Ok(number)
}

fn first_line(path: &str) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

async fn told(program: &str, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(program).args(arguments).output().await.context("run rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
