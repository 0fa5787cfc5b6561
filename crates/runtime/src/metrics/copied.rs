//! Metrics that are kept elsewhere.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

/// A metric that is brought up to date when it is collected.
pub(super) struct Copied<M, R> {
    pub(super) shown: M,
    pub(super) read: R,
}

impl<M: Collector, R: Fn(&M) + Send + Sync> Collector for Copied<M, R> {
    fn desc(&self) -> Vec<&Desc> {
        self.shown.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.read)(&self.shown);
        self.shown.collect()
    }
}
