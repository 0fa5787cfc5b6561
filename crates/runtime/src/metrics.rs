//! The metrics of this process, in one registry.

use prometheus::{IntGauge, Opts, Registry, TextEncoder};

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
        Self { registry }
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
    #[cfg(target_os = "linux")]
    fn the_process_is_measured() {
        let metrics = Metrics::new(Build { process: "worker", version: "1.2.3", commit: "abc" });
        let text = metrics.encode().unwrap();
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            assert!(text.contains(&format!("\n{name} ")), "{name} in {text}");
        }
    }
}
