//! Programs in other languages: receivers that print what they received, and commands that are run to their end.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::patience::within;
use crate::worker::Logs;

/// What a receiver prints before its port, in whatever words.
const LISTENING: &str = "http://127.0.0.1:";

/// A receiver that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Foreign {
    _child: Child,
    printed: Logs,
    address: SocketAddr,
}

/// What a receiver says about one request.
#[derive(Debug, Deserialize)]
pub struct ForeignRequest {
    /// Whether the published library accepted it.
    pub verified: bool,
    /// The body.
    pub body_base64: String,
}

impl Foreign {
    /// Starts a receiver and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(mut command: Command) -> Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("start the program")?;
        let stdout = child.stdout.take().context("the program has a standard output")?;
        let stderr = child.stderr.take().context("the program has a standard error")?;
        let printed = Logs::default();
        tokio::spawn(printed.clone().follow(stdout));
        tokio::spawn(printed.clone().follow(stderr));
        let line = printed.await_line(LISTENING).await?;
        let (_, after) = line.split_once(LISTENING).context("the line was found by it")?;
        let digits = after.find(|c: char| !c.is_ascii_digit()).map_or(after, |end| &after[..end]);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, digits.parse().context("a port")?));
        Ok(Self { _child: child, printed, address })
    }

    /// Runs a program to its end, with text on its standard input.
    ///
    /// # Errors
    /// When it fails, with what it complained about.
    pub async fn run(mut command: Command, input: &str) -> Result<()> {
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("start the program")?;
        let mut stdin = child.stdin.take().context("the program has a standard input")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = within("the program to end", child.wait_with_output()).await??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it prints, complaints included.
    #[must_use]
    pub fn printed(&self) -> &Logs {
        &self.printed
    }

    /// Waits for a request.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn await_received(&self) -> Result<ForeignRequest> {
        let line = self.printed.await_line("\"verified\"").await?;
        serde_json::from_str(&line).context("the receiver prints JSON")
    }
}

impl ForeignRequest {
    /// The body's bytes.
    ///
    /// # Errors
    /// When they are not in base64.
    pub fn body(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.body_base64).context("the body in base64")
    }
}
