//! The program under test: built once, then run with an environment that is given whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::tree;

/// How long a command that is no worker may take, in a debug build on a busy machine.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// A `bellhop` command line waiting to be run, with the environment it will have.
#[derive(Debug, Clone)]
pub struct Program {
    binary: PathBuf,
    environment: BTreeMap<String, String>,
}

/// A command that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about, and its log.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// Builds the program, so that what is tested is what lies in the tree.
///
/// * returns where it is.
///
/// # Errors
/// With the compiler's own words.
pub async fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for name in of_this_package() {
        command.env_remove(name);
    }
    let output = command
        // All targets of all packages, as `cargo test --workspace` builds them: any other selection has other features,
        // and would build every dependency once more.
        .args(["build", "--quiet", "--workspace", "--all-targets", "--message-format=json"])
        .current_dir(tree::repository())
        .stdin(Stdio::null())
        .output()
        .await
        .context("run cargo")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo build: {}", told.trim());
    let printed = String::from_utf8_lossy(&output.stdout);
    executable(&printed).context("cargo names no executable")
}

/// The variables by which cargo tells a test about its own package.
///
/// Some dependencies' build scripts depend on variables of these names. If they saw them here and not in the shell that
/// tests are started from, each build would think the other's stale, and build those dependencies, and all that use them,
/// once more.
fn of_this_package() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    })
}

impl Program {
    /// A program that has this environment and no other.
    #[must_use]
    pub fn new(binary: &Path, environment: BTreeMap<String, String>) -> Self {
        Self { binary: binary.to_owned(), environment }
    }

    /// The same with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable of the environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// The same without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it does not end in time; any exit code is an end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.run_with_input(arguments, b"").await
    }

    /// Runs a command to its end, with something on its standard input.
    ///
    /// # Errors
    /// When it does not end in time; any exit code is an end.
    pub async fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Result<Finished> {
        let started = Instant::now();
        let mut child = self.spawn(arguments)?;
        let mut stdin = child.stdin.take().context("bellhop has a standard input")?;
        let feed = async {
            // A program that ends without reading closes the pipe; how it ended is what counts.
            let _ = stdin.write_all(input).await;
            drop(stdin);
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(RUN_TIMEOUT, both)
            .await
            .with_context(|| format!("bellhop {} does not end within {RUN_TIMEOUT:?}", arguments.join(" ")))?
            .context("await bellhop")?;
        Ok(Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: started.elapsed(),
        })
    }

    /// Starts a command whose input, output and end are the caller's business. Dropping it kills it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Child> {
        self.command(arguments).stdin(Stdio::piped()).spawn().context("start bellhop")
    }

    /// The command, with output captured; it dies with the thread that starts it, should the tests be killed.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = if cfg!(target_os = "linux") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(&self.binary);
            command
        } else {
            Command::new(&self.binary)
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).env_clear().env("PATH", path).envs(&self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

impl Finished {
    /// Insists that it went well.
    ///
    /// # Errors
    /// With what it complained about.
    pub fn succeeded(self) -> Result<Self> {
        self.ended_with(0)
    }

    /// Insists on an exit code.
    ///
    /// # Errors
    /// With what it printed and complained about.
    pub fn ended_with(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == Some(code),
            "expected exit code {code}, not {:?}\nstdout: {}\nstderr: {}",
            self.code,
            self.stdout,
            self.stderr
        );
        Ok(self)
    }

    /// Insists that the complaint says something.
    ///
    /// # Errors
    /// With what it says instead.
    pub fn complains_of(self, words: &[&str]) -> Result<Self> {
        for word in words {
            ensure!(self.stderr.contains(word), "the complaint lacks `{word}`:\n{}", self.stderr);
        }
        Ok(self)
    }
}

/// The executable that cargo's messages name, one JSON object per line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "bellhop" && message["profile"]["test"] == false)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}
