//! A `bellhop worker` process: started, asked whether it is ready, told to stop, or killed.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::http;
use crate::patience::{eventually, within};
use crate::program::Program;

/// The line by which a process tells where its probes are answered; the address is its field `address`.
const LISTENING: &str = "serving probes and metrics";

/// What a process has logged so far; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

/// A worker that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    logs: Logs,
    probes_url: String,
}

impl Logs {
    /// Every line so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line that holds `text`.
    ///
    /// # Errors
    /// With the end of the log when there is none in time.
    pub async fn await_line(&self, text: &str) -> Result<String> {
        self.await_line_after(0, text).await
    }

    /// Waits for a line that holds `text` and is none of the first lines.
    ///
    /// * `earlier`: how many lines do not count.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn await_line_after(&self, earlier: usize, text: &str) -> Result<String> {
        let mut count = self.count.subscribe();
        let found = async {
            loop {
                let mut lines = self.lines().into_iter().skip(earlier);
                if let Some(line) = lines.find(|line| line.contains(text)) {
                    return Ok(line);
                }
                count.changed().await?;
            }
        };
        within(format!("`{text}` in the log"), found).await.and_then(|line: Result<String>| line)
    }

    /// The last lines, for a failure.
    #[must_use]
    pub fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn add(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.count.send_modify(|count| *count += 1);
    }

    /// Reads lines until the stream ends.
    pub(crate) async fn follow(self, stream: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.add(line);
        }
    }
}

impl Worker {
    /// Starts a worker and waits until it is ready.
    ///
    /// * `logs`: where its log goes, kept by the caller so that it outlives a failure to start.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start(program: &Program, logs: Logs) -> Result<Self> {
        let worker = Self::launch(program, logs).await?;
        worker.await_ready().await?;
        Ok(worker)
    }

    /// Starts a worker and waits until it answers probes, ready or not.
    ///
    /// # Errors
    /// When it ends before that.
    pub async fn launch(program: &Program, logs: Logs) -> Result<Self> {
        Self::launch_command(program, "worker", logs).await
    }

    /// The same for another command that serves probes and drains.
    ///
    /// # Errors
    /// When it ends before that.
    pub async fn launch_command(program: &Program, command: &str, logs: Logs) -> Result<Self> {
        let mut child = program.command(&[command]).spawn().context("start a worker")?;
        let stdout = child.stdout.take().context("a worker has a standard output")?;
        let stderr = child.stderr.take().context("a worker has a standard error")?;
        tokio::spawn(logs.clone().follow(stdout));
        tokio::spawn(logs.clone().follow(stderr));
        let line = tokio::select! {
            line = logs.await_line(LISTENING) => line?,
            ended = child.wait() => bail!("the worker ended: {}", ended?),
        };
        let probes_url = probes_url(&line).context("the line names no address")?;
        Ok(Self { child, logs, probes_url })
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// With what it answers instead when the deadline passes.
    pub async fn await_ready(&self) -> Result<()> {
        let look = || async {
            let response = http::get(&format!("{}/readyz", self.probes_url)).await?;
            ensure!(response.status == 200, "{}", response.body);
            Ok(Some(()))
        };
        eventually("a worker to be ready", look).await
    }

    /// What `/metrics` answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn metrics(&self) -> Result<String> {
        let response = http::get(&format!("{}/metrics", self.probes_url)).await?;
        ensure!(response.status == 200, "/metrics answers {}", response.status);
        Ok(response.body)
    }

    /// One figure of `/metrics`.
    ///
    /// * `series`: name and labels as they are shown there, labels in alphabetical order.
    ///
    /// # Errors
    /// When there is no such series, or no answer.
    pub async fn figure(&self, series: &str) -> Result<u64> {
        let metrics = self.metrics().await?;
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("/metrics shows no `{series}`"))
    }

    /// Waits until a figure of `/metrics` has reached a bound.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn await_figure(&self, series: &str, at_least: u64) -> Result<u64> {
        let look = || async {
            let figure = self.figure(series).await?;
            ensure!(at_least <= figure, "`{series}` is {figure}");
            Ok(Some(figure))
        };
        eventually(format!("`{series}` to be {at_least}"), look).await
    }

    /// `host:port` of its probes and metrics.
    #[must_use]
    pub fn probes_address(&self) -> &str {
        self.probes_url.trim_start_matches("http://")
    }

    /// Its process; none when that has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has logged.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Asks it to stop, as Kubernetes does, and waits until it has drained.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn drain(self) -> Result<ExitStatus> {
        self.terminate().await?;
        self.ended().await
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn terminate(&self) -> Result<()> {
        let pid = self.pid().context("the worker has ended")?;
        let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        ensure!(status.success(), "the worker cannot be signalled");
        Ok(())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        Ok(within("a worker to end", self.child.wait()).await??)
    }

    /// Kills it as a crash would, between any two instructions.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill the worker")
    }
}

/// Where a process answers probes, if its log tells already.
#[must_use]
pub fn probes_url(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains(LISTENING))?;
    field(line, "address").map(|address| format!("http://{address}"))
}

/// A field of a JSON log line, wherever the format puts it.
pub(crate) fn field(line: &str, name: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let value = line.get(name).or_else(|| line.get("fields")?.get(name))?;
    value.as_str().map(ToOwned::to_owned)
}
