//! Hand an appointment event to the fleet and know that the broker has it.
//!
#![doc = include_str!("../README.md")]

mod event;
pub use event::NewEvent;

mod test_event;
pub use test_event::TestEvent;

mod producer;
pub use producer::{Producer, ProducerError, ProducerOptions};

pub use bellhop_broker::{AddressError, BrokerAddress, Link, LinkState};
pub use bellhop_model::{
    EventError, EventId, EventType, EventTypeError, Mode, TraceParent, TraceParentError, WebhookId,
};
