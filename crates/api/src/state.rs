//! What every handler has at hand.

use std::ops::Deref;
use std::sync::Arc;

use bellhop_producer::Producer;
use bellhop_store::Store;
use tokio_util::task::TaskTracker;

use crate::metrics::ApiMetrics;
use crate::options::ApiOptions;
use crate::rate::Rates;

/// The store, the options and what is counted; clones share them.
#[derive(Clone)]
pub(crate) struct Api(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) producer: Arc<Producer>,
    /// Tasks that a drain waits for.
    pub(crate) in_hand: TaskTracker,
    pub(crate) options: ApiOptions,
    pub(crate) rates: Rates,
    pub(crate) metrics: ApiMetrics,
    /// The rendered description of the API.
    pub(crate) document: String,
}

impl Api {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
