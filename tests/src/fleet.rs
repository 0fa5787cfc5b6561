//! What all cases of one run share, each part made when the first case asks for it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::cases::{CASES, Case};
use crate::context::Context;
use crate::ground::Ground;
use crate::stack::{Addresses, Service, Stack};
use crate::{program, tree};

/// Cases that run at once, unless `--test-threads` says otherwise: they mostly wait, but each has processes of its own.
const CASES_AT_ONCE: usize = 4;

/// Clusters that run at once: three nodes are as much as two cores can carry beside the other cases.
const CLUSTERS_AT_ONCE: usize = 1;

/// The shared servers, the program under test, and the folder everything lies in.
///
/// Nothing is made before a case runs, so that listing cases, or running none, starts no server.
#[derive(Debug)]
pub struct Fleet {
    clusters: Arc<Semaphore>,
    stack: OnceCell<Stack>,
    binary: OnceCell<PathBuf>,
    tools: OnceCell<PathBuf>,
    // Last, because the folder goes when everything in it has ended.
    ground: OnceLock<Ground>,
}

/// Runs the cases that the command line asks for, then removes whatever was made for them.
///
/// # Errors
/// When the runtime cannot start.
pub fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    let runtime = Arc::new(Runtime::new().context("start the runtime")?);
    let fleet = Arc::new(Fleet::new());
    runtime.spawn(end_on_signal(Arc::clone(&fleet)));
    let trials = CASES.iter().map(|case| trial(case, &runtime, &fleet)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    fleet.end();
    Ok(conclusion.exit_code())
}

impl Fleet {
    fn new() -> Self {
        Self {
            clusters: Arc::new(Semaphore::new(CLUSTERS_AT_ONCE)),
            stack: OnceCell::new(),
            binary: OnceCell::new(),
            tools: OnceCell::new(),
            ground: OnceLock::new(),
        }
    }

    /// Waits until a cluster may be started; it may run for as long as the permit is held.
    pub(crate) async fn cluster_permit(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.clusters).acquire_owned().await.expect("nobody closes it")
    }

    /// Where the shared servers are; the first caller starts them.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn addresses(&self) -> Result<Addresses> {
        let start = || async { Stack::start(self.ground()?, &Service::ALL).await };
        Ok(self.stack.get_or_try_init(start).await.context("start the servers")?.addresses().clone())
    }

    /// The program under test; the first caller builds it.
    ///
    /// # Errors
    /// When it does not build.
    pub async fn binary(&self) -> Result<PathBuf> {
        self.binary.get_or_try_init(program::build).await.cloned()
    }

    /// Interpreters and libraries for the reference receivers; the first caller installs them.
    ///
    /// # Errors
    /// With the installer's own words.
    pub async fn tools(&self) -> Result<PathBuf> {
        self.tools.get_or_try_init(install_tools).await.cloned()
    }

    /// The folder that everything lies in; the first caller makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn ground(&self) -> Result<&Ground> {
        if let Some(ground) = self.ground.get() {
            return Ok(ground);
        }
        static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _making = MAKING.lock();
        if self.ground.get().is_none() {
            let _ = self.ground.set(Ground::prepare()?);
        }
        self.ground.get().context("the folder was made just now")
    }

    /// Ends the servers and removes the folder, even while a case still holds the fleet.
    fn end(&self) {
        if let Some(ground) = self.ground.get() {
            ground.remove();
        }
    }
}

fn trial(case: &'static Case, runtime: &Arc<Runtime>, fleet: &Arc<Fleet>) -> Trial {
    let (runtime, fleet) = (Arc::clone(runtime), Arc::clone(fleet));
    Trial::test(case.name, move || runtime.block_on(run(case, fleet)))
}

/// Runs one case in a task, so that a panic in it still lets its places be cleared.
async fn run(case: &Case, fleet: Arc<Fleet>) -> Result<(), Failed> {
    let context = Context::new(fleet);
    let ended = tokio::spawn((case.run)(context.clone())).await;
    context.clear().await;
    let failure = match ended {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => format!("{panic}"),
    };
    Err(format!("{failure}\n{}", context.tails()).into())
}

/// Ctrl-C and SIGTERM end a run as its own end does. SIGKILL cannot be caught: then the stack's guard stops the servers,
/// and the next run removes the folder.
async fn end_on_signal(fleet: Arc<Fleet>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let code = tokio::select! {
        _ = terminate.recv() => 128 + 15,
        _ = interrupt.recv() => 128 + 2,
    };
    tokio::task::spawn_blocking(move || fleet.end()).await?;
    std::process::exit(code)
}

async fn install_tools() -> Result<PathBuf> {
    let output =
        Command::new(tree::tests("tools/install")).output().await.context("run tests/tools/install")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(tree::repository().join("target/tools"))
}
