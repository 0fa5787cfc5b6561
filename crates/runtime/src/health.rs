//! Whether this process can do its work: named conditions that its parts keep up to date.
//!
//! Readiness is the conjunction of the conditions. Liveness has none: a process that answers at all is alive,
//! and being restarted would not bring a broker back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// It does not hold.
    NotReady {
        /// Why, for an operator to read; never a secret nor a full URL.
        reason: String,
    },
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

    /// Tells whether the report is news; only news is logged, so a part may report as often as it likes.
    fn replace(&self, state: State) -> bool {
        let earlier = self.health.lock().insert(self.name, state.clone());
        earlier != Some(state)
    }
}

impl Readiness {
    /// Tells whether every condition holds; without conditions, that is so.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().all(|(_, state)| *state == State::Ready)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", if self.is_ready() { "ready" } else { "not ready" })?;
        for (name, state) in &self.conditions {
            match state {
                State::Ready => writeln!(formatter, "{name}: ready")?,
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
