//! The metrics of this process, in one registry.

mod copied;

mod links;
pub use links::ShownLink;

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use self::copied::Copied;
use crate::health::{Health, State};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// What this process is, for `bellhop_build_info`.
#[derive(Clone, Copy, Debug)]
pub struct Build<'b> {
    /// The command it runs: `worker`, `recorder`, `api`.
    pub process: &'b str,
    /// The version of the package.
    pub version: &'b str,
    /// The commit it was built from, or `unknown`.
    pub commit: &'b str,
}

/// The registry of a process; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    process: Box<str>,
}

impl Metrics {
    /// Creates a registry with `bellhop_build_info`, and with processor time, memory, descriptors and threads
    /// of this process where the system tells them (Linux).
    #[must_use]
    pub fn new(build: Build<'_>) -> Self {
        let registry = Registry::new();
        let options = Opts::new("bellhop_build_info", "Which process of which version runs here; always 1.")
            .const_label("process", build.process)
            .const_label("version", build.version)
            .const_label("commit", build.commit);
        let build_info = IntGauge::with_opts(options).expect("the name and labels of the build are legal");
        build_info.set(1);
        registry.register(Box::new(build_info)).expect("a new registry has no such name");
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("a new registry has no such name");
        Self { registry, process: build.process.into() }
    }

    /// Shows what `/readyz` tells: `bellhop_ready`, and for each condition in which of the states it is.
    ///
    /// Conditions that are added later are shown, too.
    ///
    /// # Panics
    /// When the conditions of a process are shown already.
    pub fn show(&self, health: &Health) {
        let of_this_process =
            |name: &str, help: &str| Opts::new(name, help).const_label("process", &*self.process);
        let ready =
            of_this_process("bellhop_ready", "1 when every condition that counts holds, as /readyz tells.");
        let ready = IntGauge::with_opts(ready).expect("the name is legal");
        let asked = health.clone();
        let read = move |shown: &IntGauge| shown.set(i64::from(asked.readiness().is_ready()));
        self.register(ready, read).expect("the conditions are shown once");

        let help = "1 for the state in which a condition of this process is: ready, impaired or not_ready.";
        let conditions =
            IntGaugeVec::new(of_this_process("bellhop_condition", help), &["condition", "state"]);
        let asked = health.clone();
        let read = move |shown: &IntGaugeVec| {
            for (condition, state) in asked.readiness().conditions {
                show_state(shown, condition, &State::LABELS, state.label());
            }
        };
        self.register(conditions.expect("the names are legal"), read).expect("the conditions are shown once");
    }

    /// Shows counts that another part of the process keeps: read whenever somebody asks for the metrics, so that they
    /// cost nothing while they are kept.
    ///
    /// * `labels`: the labels' names.
    /// * `read`: calls what it is given with the labels' values and a count that only grows, for each series.
    ///
    /// # Errors
    /// When the name is taken or illegal.
    pub fn show_counts(
        &self,
        (name, help): (&str, &str),
        labels: &[&str],
        read: impl Fn(&dyn Fn(&[&str], u64)) + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.register(counters, move |shown: &IntCounterVec| {
            read(&|labels, count| {
                let counter = shown.with_label_values(labels);
                counter.inc_by(count.saturating_sub(counter.get()));
            });
        })
    }

    /// Shows in which of several states each of several things is, as 1 for that state and 0 for the others.
    ///
    /// * `thing`: the name of the label that tells the things apart; the other is `state`.
    /// * `states`: all there are.
    /// * `read`: calls what it is given with a thing and its state, for each.
    ///
    /// # Errors
    /// When the name is taken or illegal.
    pub fn show_states(
        &self,
        (name, help): (&str, &str),
        thing: &str,
        states: &'static [&'static str],
        read: impl Fn(&dyn Fn(&str, &str)) + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), &[thing, "state"])?;
        self.register(gauges, move |shown: &IntGaugeVec| {
            read(&|thing, state| show_state(shown, thing, states, state));
        })
    }

    /// Shows a number that another part of the process keeps, read whenever somebody asks for the metrics.
    ///
    /// # Errors
    /// When the name is taken or illegal.
    pub fn show_number(
        &self,
        (name, help): (&str, &str),
        read: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.register(gauge, move |shown: &IntGauge| shown.set(i64::try_from(read()).unwrap_or(i64::MAX)))
    }

    /// Where the parts of a process register what they count.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Renders every metric in Prometheus' text format, whose media type is [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// When a registered collector hands out something that is no metric.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn register<M, R>(&self, shown: M, read: R) -> Result<(), prometheus::Error>
    where
        M: prometheus::core::Collector + 'static,
        R: Fn(&M) + Send + Sync + 'static,
    {
        self.registry.register(Box::new(Copied { shown, read }))
    }
}

fn show_state(shown: &IntGaugeVec, thing: &str, states: &[&str], current: &str) {
    for state in states {
        shown.with_label_values(&[thing, *state]).set(i64::from(*state == current));
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;

    use super::*;

    #[test]
    fn the_build_and_what_is_registered_are_rendered() {
        let metrics = Metrics::new(Build { process: "worker", version: "1.2.3", commit: "abc" });
        let counter = IntCounter::new("bellhop_knocks_total", "Knocks.").unwrap();
        metrics.registry().register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);

        let text = metrics.encode().unwrap();
        assert!(
            text.contains("bellhop_build_info{commit=\"abc\",process=\"worker\",version=\"1.2.3\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("# TYPE bellhop_knocks_total counter\nbellhop_knocks_total 3\n"), "{text}");
    }

    #[test]
    fn conditions_are_shown_with_the_one_state_they_are_in() {
        let (metrics, health) =
            (Metrics::new(Build { process: "api", version: "1", commit: "abc" }), Health::new());
        metrics.show(&health);
        let (broker, postgres) = (health.condition("broker"), health.condition("postgres"));
        postgres.set_ready();
        assert!(metrics.encode().unwrap().contains("bellhop_ready{process=\"api\"} 0\n"));
        broker.set_impaired("connection lost");

        let text = metrics.encode().unwrap();
        assert!(text.contains("bellhop_ready{process=\"api\"} 1\n"), "{text}");
        for (condition, state, shown) in [
            ("broker", "impaired", 1),
            ("broker", "not_ready", 0),
            ("postgres", "ready", 1),
            ("postgres", "impaired", 0),
        ] {
            let line = format!(
                "bellhop_condition{{condition=\"{condition}\",process=\"api\",state=\"{state}\"}} {shown}\n"
            );
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    #[test]
    fn counts_of_others_are_read_when_they_are_asked_for() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU64, Ordering};

        let metrics = Metrics::new(Build { process: "worker", version: "1", commit: "abc" });
        let kept = Arc::new(AtomicU64::new(0));
        let asked = Arc::clone(&kept);
        let read = move |show: &dyn Fn(&[&str], u64)| show(&["left"], asked.load(Ordering::Relaxed));
        metrics.show_counts(("bellhop_knocks_total", "Knocks."), &["door"], read).unwrap();
        for count in [0, 3, 5] {
            kept.store(count, Ordering::Relaxed);
            let text = metrics.encode().unwrap();
            assert!(text.contains(&format!("bellhop_knocks_total{{door=\"left\"}} {count}\n")), "{text}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_measured() {
        let metrics = Metrics::new(Build { process: "worker", version: "1.2.3", commit: "abc" });
        let text = metrics.encode().unwrap();
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            assert!(text.contains(&format!("\n{name} ")), "{name} in {text}");
        }
    }
}
