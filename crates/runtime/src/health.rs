//! Whether this process can do its work: named conditions that its parts keep up to date.
//!
//! Readiness is the conjunction of the conditions. Liveness has none: a process that answers at all is alive,
//! and being restarted would not bring a broker back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The conditions of a process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health {
    conditions: Arc<Mutex<BTreeMap<&'static str, State>>>,
}

/// The handle by which one part of a process reports one condition; clones report the same.
#[derive(Clone, Debug)]
pub struct Condition {
    name: &'static str,
    health: Health,
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Ready,
    /// It does not hold, and the process does most of its work without. That is told, and does not count.
    Impaired {
        /// Why, for an operator to read; never a secret nor a full URL.
        reason: String,
    },
    /// It does not hold.
    NotReady {
        /// Why, for an operator to read; never a secret nor a full URL.
        reason: String,
    },
}

impl State {
    /// What [`State::label`] may be.
    pub const LABELS: [&'static str; 3] = ["ready", "impaired", "not_ready"];

    /// The word used in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Impaired { .. } => "impaired",
            Self::NotReady { .. } => "not_ready",
        }
    }
}

/// All conditions at one instant. Its `Display` has one line per condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The conditions in the order of their names.
    pub conditions: Vec<(&'static str, State)>,
}

impl Health {
    /// A process without conditions, which is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, which does not hold until it is reported to.
    ///
    /// # Panics
    /// When there is a condition of that name: two reporters would overwrite each other.
    #[must_use]
    pub fn condition(&self, name: &'static str) -> Condition {
        let starting = State::NotReady { reason: "starting".to_owned() };
        let earlier = self.lock().insert(name, starting);
        assert!(earlier.is_none(), "condition `{name}` has one reporter");
        Condition { name, health: self.clone() }
    }

    /// Tells which conditions hold now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let conditions = self.lock().iter().map(|(name, state)| (*name, state.clone())).collect();
        Readiness { conditions }
    }

    /// The map is consistent after every statement, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// Reports that the condition holds.
    pub fn set_ready(&self) {
        if self.replace(State::Ready) {
            tracing::info!(condition = self.name, "condition `{}` is ready", self.name);
        }
    }

    /// Reports that the condition does not hold, and why.
    ///
    /// * `reason`: for an operator to read; never a secret nor a full URL.
    pub fn set_not_ready(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.replace(State::NotReady { reason: reason.clone() }) {
            tracing::warn!(condition = self.name, "condition `{}` is not ready: {reason}", self.name);
        }
    }

    /// Reports that the condition does not hold, and that the process does most of its work without.
    ///
    /// * `reason`: for an operator to read; never a secret nor a full URL.
    pub fn set_impaired(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.replace(State::Impaired { reason: reason.clone() }) {
            tracing::warn!(condition = self.name, "condition `{}` is impaired: {reason}", self.name);
        }
    }

    /// Reports what becomes of something that changes, until told to end or until it cannot change any more.
    ///
    /// * `problem`: why the condition does not hold, for an operator to read; `None` when it holds.
    pub async fn follow<T>(
        self,
        state: watch::Receiver<T>,
        problem: impl Fn(&T) -> Option<String>,
        ended: CancellationToken,
    ) {
        let report = |problem| match problem {
            None => self.set_ready(),
            Some(reason) => self.set_not_ready(reason),
        };
        follow(state, |state| report(problem(state)), ended).await;
    }

    /// As [`Condition::follow`], of something that the process does most of its work without.
    pub async fn follow_impairment<T>(
        self,
        state: watch::Receiver<T>,
        problem: impl Fn(&T) -> Option<String>,
        ended: CancellationToken,
    ) {
        let report = |problem| match problem {
            None => self.set_ready(),
            Some(reason) => self.set_impaired(reason),
        };
        follow(state, |state| report(problem(state)), ended).await;
    }

    /// Tells whether the report is news; only news is logged, so a part may report as often as it likes.
    fn replace(&self, state: State) -> bool {
        let earlier = self.health.lock().insert(self.name, state.clone());
        earlier != Some(state)
    }
}

/// Looks at something now and whenever it changes, until told to end or until it cannot change any more.
async fn follow<T>(mut state: watch::Receiver<T>, look: impl Fn(&T), ended: CancellationToken) {
    let following = async {
        loop {
            look(&state.borrow_and_update());
            if state.changed().await.is_err() {
                return;
            }
        }
    };
    ended.run_until_cancelled(following).await;
}

impl Readiness {
    /// Tells whether no condition that counts fails to hold; without conditions, that is so.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().all(|(_, state)| !matches!(state, State::NotReady { .. }))
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", if self.is_ready() { "ready" } else { "not ready" })?;
        for (name, state) in &self.conditions {
            match state {
                State::Ready => writeln!(formatter, "{name}: ready")?,
                State::Impaired { reason } => writeln!(formatter, "{name}: impaired: {reason}")?,
                State::NotReady { reason } => writeln!(formatter, "{name}: not ready: {reason}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_condition_holds() {
        let health = Health::new();
        assert!(health.readiness().is_ready());

        let (broker, store) = (health.condition("broker"), health.condition("store"));
        assert!(!health.readiness().is_ready());
        broker.set_ready();
        assert!(!health.readiness().is_ready());
        store.set_ready();
        assert!(health.readiness().is_ready());
        broker.set_not_ready("connection lost");
        assert!(!health.readiness().is_ready());
    }

    #[tokio::test]
    async fn a_condition_follows_what_changes_until_it_cannot_change() {
        let health = Health::new();
        let problems = watch::Sender::new(None);
        let condition = health.condition("broker");
        let state = problems.subscribe();
        let following = tokio::spawn(condition.follow(state, Option::clone, CancellationToken::new()));
        problems.send_replace(Some("connection lost".to_owned()));
        drop(problems);
        following.await.expect("it ends");
        assert_eq!(health.readiness().to_string(), "not ready\nbroker: not ready: connection lost\n");
    }

    #[test]
    fn the_report_names_each_condition_with_its_reason() {
        let health = Health::new();
        let (store, broker) = (health.condition("store"), health.condition("broker"));
        broker.set_not_ready("connection lost");
        store.set_ready();
        let report = health.readiness().to_string();
        assert_eq!(report, "not ready\nbroker: not ready: connection lost\nstore: ready\n");
    }

    #[test]
    fn what_a_process_does_without_is_told_and_does_not_count() {
        let health = Health::new();
        let (store, broker) = (health.condition("store"), health.condition("broker"));
        store.set_ready();
        assert!(!health.readiness().is_ready(), "nothing is known of the broker yet");
        broker.set_impaired("connection lost");
        assert_eq!(
            health.readiness().to_string(),
            "ready\nbroker: impaired: connection lost\nstore: ready\n"
        );
    }

    #[test]
    fn only_news_is_news() {
        let condition = Health::new().condition("broker");
        assert!(!condition.replace(State::NotReady { reason: "starting".to_owned() }));
        assert!(condition.replace(State::Ready));
        assert!(!condition.replace(State::Ready));
        assert!(condition.replace(State::NotReady { reason: "connection lost".to_owned() }));
    }

    #[test]
    #[should_panic(expected = "condition `broker` has one reporter")]
    fn a_condition_has_one_reporter() {
        let health = Health::new();
        let _first = health.condition("broker");
        let _second = health.condition("broker");
    }
}
