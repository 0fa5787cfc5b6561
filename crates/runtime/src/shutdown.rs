//! How a process ends: it is asked to, finishes what is in flight within a time limit, and says what it left.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::config::{Key, Settings};

/// How long a process may take to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// Time to finish what is in flight; 25 s by default, which leaves 5 of Kubernetes' usual 30 s.
    pub drain_timeout: Duration,
}

impl ShutdownConfig {
    /// Reads section `[shutdown]`.
    pub fn read(settings: &mut Settings) -> Self {
        let mut shutdown = settings.section("shutdown", "How a process ends after SIGTERM or SIGINT.");
        let drain_timeout = shutdown.duration(
            Key {
                name: "drain_timeout",
                meaning: "How long to finish what is in flight. Too short abandons requests whose result \
                    then is not recorded, and they are sent again; longer than the orchestrator's patience \
                    (Kubernetes' terminationGracePeriodSeconds, 30 by default) it ends in SIGKILL, which \
                    does the same.",
            },
            Duration::from_secs(25),
            Duration::from_secs(1)..=Duration::from_secs(600),
        );
        let grace = shutdown.duration(
            Key {
                name: "grace",
                meaning: "What the orchestrator allows between SIGTERM and SIGKILL (Kubernetes' \
                    terminationGracePeriodSeconds); only compared with drain_timeout, which must be \
                    shorter.",
            },
            Duration::from_secs(30),
            Duration::from_secs(1)..=Duration::from_secs(3600),
        );
        if grace <= drain_timeout {
            shutdown.problem("drain_timeout", "is not shorter than grace: the drain would end in SIGKILL");
        }
        Self { drain_timeout }
    }
}

/// The request that this process end; clones share it.
///
/// The first request asks for a drain. A second one, from somebody who will not wait, asks for an immediate
/// end.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    immediate: CancellationToken,
    /// Listens as long as anybody holds the request.
    listener: Option<Arc<AbortOnDropHandle<()>>>,
}

/// How a drain ended. Its `Display` completes "the drain …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drain {
    /// Every task finished.
    Finished,
    /// Time ran out.
    TimedOut {
        /// How many tasks had not finished.
        remaining: usize,
    },
    /// A second request came meanwhile.
    Interrupted {
        /// How many tasks had not finished.
        remaining: usize,
    },
}

/// Why signals cannot be heard.
#[derive(Debug, thiserror::Error)]
#[error("listen for SIGTERM and SIGINT")]
pub struct SignalError(#[from] io::Error);

impl Shutdown {
    /// A request that only [`Shutdown::request`] makes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A request that SIGTERM or SIGINT makes: the first asks for a drain, the second for an immediate end.
    ///
    /// From here on neither signal ends the process by itself.
    ///
    /// # Errors
    /// [`SignalError`] when the system refuses a handler.
    ///
    /// # Panics
    /// Outside a tokio runtime that drives I/O.
    pub fn on_signals() -> Result<Self, SignalError> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let mut shutdown = Self::new();
        // The listener holds the tokens only, not the request: otherwise it would keep itself alive.
        let listening = listen(terminate, interrupt, shutdown.clone());
        shutdown.listener = Some(Arc::new(AbortOnDropHandle::new(tokio::spawn(listening))));
        Ok(shutdown)
    }

    /// Asks for a drain, or for an immediate end when a drain was asked for before.
    pub fn request(&self) {
        if self.drain.is_cancelled() {
            self.immediate.cancel();
        }
        self.drain.cancel();
    }

    /// Is cancelled when a drain is asked for: take no more work, finish what is in flight.
    #[must_use]
    pub fn drain_token(&self) -> CancellationToken {
        self.drain.child_token()
    }

    /// Is cancelled when an immediate end is asked for: drop everything.
    #[must_use]
    pub fn immediate_token(&self) -> CancellationToken {
        self.immediate.child_token()
    }

    /// Waits until every task of `tasks` has finished, at most `timeout`, or until an immediate end is asked
    /// for.
    ///
    /// Closes the tracker. Whoever spawns its tasks must have been told to stop, by
    /// [`Shutdown::drain_token`].
    pub async fn drain(&self, tasks: &TaskTracker, timeout: Duration) -> Drain {
        tasks.close();
        tokio::select! {
            biased;
            () = tasks.wait() => Drain::Finished,
            () = self.immediate.cancelled() => Drain::Interrupted { remaining: tasks.len() },
            () = tokio::time::sleep(timeout) => Drain::TimedOut { remaining: tasks.len() },
        }
    }
}

impl fmt::Display for Drain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => write!(formatter, "finished everything in flight"),
            Self::TimedOut { remaining } => {
                write!(formatter, "ran out of time with {remaining} tasks in flight")
            }
            Self::Interrupted { remaining } => {
                write!(formatter, "was cut short by a second signal with {remaining} tasks in flight")
            }
        }
    }
}

async fn listen(mut terminate: Signal, mut interrupt: Signal, shutdown: Shutdown) {
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        shutdown.request();
        if shutdown.immediate.is_cancelled() {
            tracing::warn!(signal = name, "got {name} again: ending now");
            return;
        }
        tracing::info!(signal = name, "got {name}: draining");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_request_is_immediate() {
        let shutdown = Shutdown::new();
        let (drain, immediate) = (shutdown.drain_token(), shutdown.immediate_token());
        assert!(!drain.is_cancelled());
        shutdown.clone().request();
        assert!(drain.is_cancelled() && !immediate.is_cancelled());
        shutdown.request();
        assert!(immediate.is_cancelled());
    }

    #[test]
    fn a_part_that_cancels_its_token_ends_nobody_else() {
        let shutdown = Shutdown::new();
        shutdown.drain_token().cancel();
        assert!(!shutdown.drain_token().is_cancelled());
    }

    #[tokio::test]
    async fn signals_make_the_request() {
        let shutdown = Shutdown::on_signals().unwrap();
        let drain = shutdown.drain_token();
        let immediate = shutdown.immediate_token();
        let raise = |name: &str| {
            let command = format!("kill -{name} {}", std::process::id());
            assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success());
        };
        raise("TERM");
        drain.cancelled().await;
        assert!(!immediate.is_cancelled());
        raise("INT");
        immediate.cancelled().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_every_task() {
        let (shutdown, tasks) = (Shutdown::new(), TaskTracker::new());
        let stop = shutdown.drain_token();
        tasks.spawn(async move { stop.cancelled().await });
        shutdown.request();
        assert_eq!(shutdown.drain(&tasks, Duration::from_secs(25)).await, Drain::Finished);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_gives_up_after_its_time() {
        let (shutdown, tasks) = (Shutdown::new(), TaskTracker::new());
        tasks.spawn(async {});
        tasks.spawn(std::future::pending::<()>());
        let start = tokio::time::Instant::now();
        let drain = shutdown.drain(&tasks, Duration::from_secs(25)).await;
        assert_eq!(drain, Drain::TimedOut { remaining: 1 });
        assert!(Duration::from_secs(25) <= start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_request_cuts_the_drain_short() {
        let (shutdown, tasks) = (Shutdown::new(), TaskTracker::new());
        tasks.spawn(std::future::pending::<()>());
        shutdown.request();
        shutdown.request();
        let drain = shutdown.drain(&tasks, Duration::from_secs(25)).await;
        assert_eq!(drain, Drain::Interrupted { remaining: 1 });
    }
}
