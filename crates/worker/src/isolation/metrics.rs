//! What is counted of isolation. Every label has few values, all of them ours.

use bellhop_model::Mode;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::detour::Detour;
use crate::metrics::count;
use crate::options::LaneName;

/// The metrics of isolation.
#[derive(Debug, Clone)]
pub(crate) struct IsolationMetrics {
    deferrals: IntCounterVec,
    diversions: IntCounterVec,
    waiting: IntGaugeVec,
    open: IntGaugeVec,
    probes: IntCounterVec,
}

/// What a breaker guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// A webhook, whose requests hang.
    Webhook,
    /// A host, which cannot be reached.
    Host,
}

impl Guarded {
    const ALL: [Self; 2] = [Self::Webhook, Self::Host];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Host => "host",
        }
    }
}

impl IsolationMetrics {
    /// Registers every metric.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            deferrals: IntCounterVec::new(
                Opts::new(
                    "bellhop_deferrals_total",
                    "Deliveries and events put off without using up an attempt, by why: the webhook is busy, it or \
                     its host is unavailable, or who wants the event is unknown.",
                ),
                &["mode", "reason"],
            )?,
            diversions: IntCounterVec::new(
                Opts::new(
                    "bellhop_diversions_total",
                    "Deliveries handed from a fresh lane to the slow one, by why: the webhook is slow, its breaker or \
                     its host's is open, or nothing good is known of it and the lane is crowded or requests are under \
                     way there.",
                ),
                &["mode", "reason"],
            )?,
            waiting: IntGaugeVec::new(
                Opts::new("bellhop_deliveries_waiting", "Deliveries that wait in the worker for a place."),
                &["mode", "lane"],
            )?,
            open: IntGaugeVec::new(
                Opts::new(
                    "bellhop_breakers_open",
                    "Webhooks and hosts whose breaker is open in this worker.",
                ),
                &["mode", "guards"],
            )?,
            probes: IntCounterVec::new(
                Opts::new(
                    "bellhop_probes_total",
                    "Attempts that probe an open breaker, by what came of them.",
                ),
                &["mode", "guards", "result"],
            )?,
        };
        metrics.start_at_zero();
        registry.register(Box::new(metrics.deferrals.clone()))?;
        registry.register(Box::new(metrics.diversions.clone()))?;
        registry.register(Box::new(metrics.waiting.clone()))?;
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.probes.clone()))?;
        Ok(metrics)
    }

    /// * `reason`: `busy`, `unavailable` or `unknown`.
    pub(crate) fn count_deferral(&self, mode: Mode, reason: &str) {
        count(&self.deferrals, &[mode.as_str(), reason]);
    }

    pub(crate) fn count_diversion(&self, mode: Mode, detour: Detour) {
        count(&self.diversions, &[mode.as_str(), detour.as_str()]);
    }

    /// * `result`: `closed`, `failed` or `abandoned`.
    pub(super) fn count_probe(&self, mode: Mode, guarded: Guarded, result: &str) {
        count(&self.probes, &[mode.as_str(), guarded.as_str(), result]);
    }

    pub(super) fn waiting(&self, LaneName(mode, lane): LaneName) -> IntGauge {
        self.waiting.with_label_values(&[mode.as_str(), lane.as_str()])
    }

    pub(super) fn open(&self, mode: Mode, guarded: Guarded) -> IntGauge {
        self.open.with_label_values(&[mode.as_str(), guarded.as_str()])
    }

    fn start_at_zero(&self) {
        for lane in LaneName::ALL {
            self.waiting(lane).set(0);
        }
        for mode in Mode::ALL {
            for reason in ["busy", "unavailable", "unknown"] {
                self.deferrals.with_label_values(&[mode.as_str(), reason]).reset();
            }
            for detour in Detour::ALL {
                self.diversions.with_label_values(&[mode.as_str(), detour.as_str()]).reset();
            }
            for guarded in Guarded::ALL {
                self.open(mode, guarded).set(0);
                for result in ["closed", "failed", "abandoned"] {
                    self.probes.with_label_values(&[mode.as_str(), guarded.as_str(), result]).reset();
                }
            }
        }
    }
}
