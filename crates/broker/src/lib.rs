//! The only crate that speaks AMQP.
//!
//! It declares the topology in one place, keeps a connection alive for as long as the process lives, publishes with
//! confirms, consumes within a bound, and settles: a delivery taken from a queue is acknowledged or given back exactly
//! once, because both consume the receipt.
//!
//! Automatic recovery of the client library stays off. After any error the whole session is dropped and built anew,
//! so nothing that belonged to a dead channel is ever sent on a living one.

pub mod names;

mod address;
pub use address::{AddressError, BrokerAddress};

mod topology;
pub use topology::{Destination, QueueSpec, Topology};

mod shards;
pub use shards::Shards;

mod declare;
pub use declare::{DeclareError, Declared};

mod spread;
pub use spread::{LeftOver, Spread};

mod inspect;
pub use inspect::{Argument, ExpectedBinding, ExpectedExchange, InspectError, Inspection};

mod message;
pub use message::{Incoming, Outgoing};

mod owed;
pub use owed::{Owed, UnreadableOwed};

mod link;
pub use link::{ConnectError, Declarer, Link, LinkState};

mod publisher;
pub use publisher::{PublishError, Publisher};

mod consumer;
pub use consumer::{Consumer, Delivery};

mod parking;
pub use parking::{Origin, Parked, Parking, ParkingError};

mod receipt;
pub use receipt::Receipt;

mod stats;
pub use stats::{BrokerStats, Counter};

mod limits;
