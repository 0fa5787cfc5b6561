//! What the API counts. A route is its pattern, never a path; every label has few values, all of them ours.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// Seconds; from a read of one row to the longest deadline.
const DURATION_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The API's metrics.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    pub(crate) connections: IntGauge,
}

impl ApiMetrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// When the registry already has one of the names.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new("bellhop_api_requests_total", "Requests answered, by route and status."),
                &["method", "route", "status"],
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new(
                    "bellhop_api_request_duration_seconds",
                    "Time from a request's head to its answer, by route.",
                )
                .buckets(DURATION_BUCKETS.to_vec()),
                &["route"],
            )?,
            connections: IntGauge::new("bellhop_api_connections", "Connections being served.")?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        Ok(metrics)
    }

    /// Counts an answer.
    ///
    /// * `route`: the pattern of the path.
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        self.requests.with_label_values(&[known(method), route, status.as_str()]).inc();
        self.duration.with_label_values(&[route]).observe(took.as_secs_f64());
    }
}

/// A stranger may invent methods.
fn known(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
    if known.contains(method) { method.as_str() } else { "other" }
}
