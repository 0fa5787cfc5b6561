//! The machine that figures come from.

use std::fmt;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::stack::Stack;

/// What somebody must know to compare figures.
#[derive(Debug, Serialize)]
pub struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    rustc: String,
    rabbitmq: String,
    /// Average load over the minute before: what else went on.
    load_before: String,
}

impl Machine {
    /// Asks the system and the broker.
    ///
    /// # Errors
    /// When one of them does not tell.
    pub async fn describe(stack: &Stack) -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
        let name = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: name.map_or("unknown", |(_, name)| name).to_owned(),
            kernel: first_line("/proc/sys/kernel/osrelease")?,
            rustc: told("rustc", &["--version"]).await?,
            rabbitmq: stack.ctl(&["version"]).await?.trim().to_owned(),
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

fn first_line(path: &str) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

async fn told(program: &str, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(program).args(arguments).output().await.context("run rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
