//! What a worker counts. Every label has few values, all of them ours, and every series starts at zero.

use std::sync::Arc;

use bellhop_model::{Catalogue, EventType, Mode, Outcome};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::isolation::IsolationMetrics;
use crate::options::{LaneKind, LaneName};

/// Seconds; from a local endpoint's answer to the longest request deadline.
const ATTEMPT_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0];

/// Seconds; from milliseconds for an undisturbed event to a day for one that waited out an outage.
const AGE_BUCKETS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

/// How event types are called that the platform's guide does not tell of.
const OTHER_TYPES: &str = "other";

/// How deliveries end.
const ENDS: [&str; 3] = ["delivered", "exhausted", "cancelled"];

/// The worker's metrics.
#[derive(Debug, Clone)]
pub struct WorkerMetrics {
    pub(crate) events: IntCounterVec,
    pub(crate) attempts: IntCounterVec,
    pub(crate) attempt_duration: HistogramVec,
    deliveries: IntCounterVec,
    /// The values of the label `type`, besides [`OTHER_TYPES`]: a publisher may make up any number of types.
    known_types: Arc<[EventType]>,
    pub(crate) delivery_age: HistogramVec,
    pub(crate) in_flight: IntGaugeVec,
    taken_at: IntGaugeVec,
    pub(crate) claims: IntCounterVec,
    pub(crate) records: IntCounterVec,
    pub(crate) panics: IntCounter,
    pub(crate) isolation: IsolationMetrics,
}

impl WorkerMetrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// When the registry already has one of the names.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            events: counter(
                "bellhop_events_total",
                "Messages taken from a lane, by what came of them.",
                &["mode", "lane", "result"],
            )?,
            attempts: counter(
                "bellhop_attempts_total",
                "Attempts made, by number and outcome.",
                &["mode", "attempt", "outcome"],
            )?,
            attempt_duration: histogram(
                "bellhop_attempt_duration_seconds",
                "Time of one attempt, from resolving the name to the end of the answer.",
                &["mode"],
                ATTEMPT_BUCKETS,
            )?,
            deliveries: counter(
                "bellhop_deliveries_total",
                "Deliveries that ended, by the event's type and how.",
                &["mode", "type", "end"],
            )?,
            known_types: Catalogue::built_in().types().iter().map(|known| known.event_type.clone()).collect(),
            delivery_age: histogram(
                "bellhop_delivery_age_seconds",
                "Age of an event when an endpoint took it, measured from its occurredAt, by the lane it came from. In \
                 the fresh lane nothing but the platform and the fleet adds to it; the endpoint itself does in the others.",
                &["mode", "lane"],
                AGE_BUCKETS,
            )?,
            in_flight: IntGaugeVec::new(
                Opts::new("bellhop_lane_in_flight", "Messages in hand."),
                &["mode", "lane"],
            )?,
            taken_at: IntGaugeVec::new(
                Opts::new(
                    "bellhop_lane_taken_timestamp_seconds",
                    "When the message that was last taken from a queue of a lane had come into it, in Unix seconds; zero \
                     before the first. What is still in the queue came no earlier.",
                ),
                &["mode", "lane", "queue"],
            )?,
            claims: counter(
                "bellhop_claims_total",
                "Claims on attempts 2 and 3, and on the first of a series that somebody asked for, by what came of them.",
                &["mode", "result"],
            )?,
            records: counter(
                "bellhop_log_records_total",
                "Records of events and requests, by whether the log took them; those it refuses are dropped.",
                &["result"],
            )?,
            panics: IntCounter::new("bellhop_panics_total", "Panics caught while processing a message.")?,
            isolation: IsolationMetrics::register(registry)?,
        };
        metrics.start_at_zero();
        metrics.register_all(registry)?;
        Ok(metrics)
    }

    /// Counts the end of a delivery.
    ///
    /// * `end`: one of [`ENDS`].
    pub(crate) fn ended(&self, mode: Mode, event_type: &EventType, end: &str) {
        let known = self.known_types.iter().find(|known| *known == event_type);
        count(&self.deliveries, &[mode.as_str(), known.map_or(OTHER_TYPES, EventType::as_str), end]);
    }

    /// Where it is told how old what is taken from a queue is.
    ///
    /// * `queue`: one of the lane's; there are as many as shards.
    pub(crate) fn taken_at(&self, mode: Mode, lane: LaneKind, queue: &str) -> IntGauge {
        self.taken_at.with_label_values(&[mode.as_str(), lane.as_str(), queue])
    }

    fn register_all(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.events.clone()))?;
        registry.register(Box::new(self.attempts.clone()))?;
        registry.register(Box::new(self.attempt_duration.clone()))?;
        registry.register(Box::new(self.deliveries.clone()))?;
        registry.register(Box::new(self.delivery_age.clone()))?;
        registry.register(Box::new(self.in_flight.clone()))?;
        registry.register(Box::new(self.taken_at.clone()))?;
        registry.register(Box::new(self.claims.clone()))?;
        registry.register(Box::new(self.records.clone()))?;
        registry.register(Box::new(self.panics.clone()))
    }

    fn start_at_zero(&self) {
        for LaneName(mode, lane) in LaneName::ALL {
            self.in_flight.with_label_values(&[mode.as_str(), lane.as_str()]).set(0);
            let _: Histogram = self.delivery_age.with_label_values(&[mode.as_str(), lane.as_str()]);
            for result in ["processed", "unwanted", "deferred", "parked"] {
                self.events.with_label_values(&[mode.as_str(), lane.as_str(), result]).reset();
            }
        }
        for result in ["stored", "dropped"] {
            self.records.with_label_values(&[result]).reset();
        }
        for mode in Mode::ALL.map(Mode::as_str) {
            for attempt in ["1", "2", "3"] {
                for outcome in Outcome::LABELS {
                    self.attempts.with_label_values(&[mode, attempt, outcome]).reset();
                }
            }
            for event_type in self.known_types.iter().map(EventType::as_str).chain([OTHER_TYPES]) {
                for end in ENDS {
                    self.deliveries.with_label_values(&[mode, event_type, end]).reset();
                }
            }
            for result in ["granted", "own", "another", "concluded", "unknown"] {
                self.claims.with_label_values(&[mode, result]).reset();
            }
            let _: Histogram = self.attempt_duration.with_label_values(&[mode]);
        }
    }
}

/// Counts one.
pub(crate) fn count(counter: &IntCounterVec, labels: &[&str]) {
    counter.with_label_values(labels).inc();
}

fn counter(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn histogram(
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<HistogramVec, prometheus::Error> {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
}
