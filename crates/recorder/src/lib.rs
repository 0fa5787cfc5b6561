//! The recorder: writes what workers told the log into PostgreSQL, and keeps it for as long as it may be.
//!
//! Messages of the queue `bellhop.log` are gathered, written together, and acknowledged when the transaction that holds
//! their records is committed. Written twice, a record changes nothing, so any number of recorders may share the queue
//! and any of them may be killed. What can never be written is parked with the reason; what cannot be written now waits,
//! unacknowledged and bounded by the prefetch.
//!
//! A recorder also publishes what somebody asked to be delivered again: it alone has both the payloads and the broker.

mod options;
pub use options::RecorderOptions;

mod recorder;
pub use recorder::{Recorder, Surroundings};

mod intake;
mod reading;

mod gather;

mod isolate;
mod tried;
mod writer;

mod park;

mod owing;
mod recovery;
mod redelivery;
mod room;

mod upkeep;

mod metrics;
pub use metrics::RecorderMetrics;
