//! The worker: takes events, sends them to the webhooks that want them, records, settles.
//!
//! A message is taken from a lane, decoded, resolved to subscriptions, sent, and its results are stored with the broker
//! before it is acknowledged. [`Processor`] holds every decision and reaches the world only through [`Ports`].

mod options;
pub use options::{LaneKind, LaneName, LaneNameError, LaneOptions, WorkerOptions};

mod worker;
pub use worker::{Surroundings, Worker};

mod lane;
mod places;
pub use places::Division;

mod ports;
pub use ports::{Ports, Services};

mod process;
pub use process::{Origin, Processed, Processor, Settlement};

mod admit;
mod attempted;
mod deliver;
mod put_off;
mod request;

mod isolation;
pub use isolation::Isolation;

mod publishing;

mod keep;
pub use keep::Gate;

mod settle;

mod metrics;
pub use metrics::WorkerMetrics;

mod stats;
