//! What must exist on a broker, declared in one place.
//!
//! What a queue *means* is an argument of its declaration, so that a broker without our policies cannot swallow
//! retries. A meaning that changes must change the queue's name: arguments of an existing queue are fixed.
//!
//! Every queue is a durable quorum queue with `overflow=reject-publish`: a full queue refuses, it never forgets.

use std::time::Duration;

use bellhop_model::{Ladder, Mode};

use crate::names::{
    DUE_KEY, EVENTS_EXCHANGE, LOG, LOG_PARKED, PARKED_KEY, SLOW_KEY, UNROUTABLE, due_queue, events_queue,
    mode_exchange, parked_queue, slow_queue, wait_key, wait_queue,
};
use crate::shards::{Shards, Way};

/// How often a message may be handed out and come back before the broker calls it poison.
const DELIVERY_LIMIT: u32 = 100;

/// The same for queues that operators look into by taking and giving back. A limit must be named: without one,
/// RabbitMQ 4 uses 20, and there is nowhere left to send what exceeds it.
const DELIVERY_LIMIT_PARKED: u32 = 1_000_000;

/// Greatest size of an event queue, in bytes.
const EVENTS_BYTES_MAX: u64 = 8 * GIBIBYTE;

/// Greatest size of a rung, in bytes.
const WAIT_BYTES_MAX: u64 = 4 * GIBIBYTE;

/// Greatest size of the log, in bytes.
const LOG_BYTES_MAX: u64 = 8 * GIBIBYTE;

/// Greatest size of a parking queue, in bytes.
const PARKED_BYTES_MAX: u64 = GIBIBYTE;

/// How long a parked message is kept: it may hold health data, so it does not stay for ever.
const PARKED_AGE_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);

const GIBIBYTE: u64 = 1 << 30;

/// Everything a broker must have for one fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Exchanges to declare.
    pub(crate) exchanges: Vec<ExchangeSpec>,
    /// Queues to declare.
    pub(crate) queues: Vec<QueueSpec>,
    /// Bindings to make.
    pub(crate) bindings: Vec<BindingSpec>,
    /// How events reach the shards of each mode: exchanges and bindings that are changed in a certain order only.
    pub(crate) ways: Vec<Way>,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExchangeSpec {
    pub(crate) name: String,
    pub(crate) kind: ExchangeType,
    pub(crate) alternate: Option<String>,
}

/// The exchange types in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExchangeType {
    Topic,
    Direct,
    Fanout,
    /// By the hash of the organisation. RabbitMQ has it in a plugin that comes with it.
    ConsistentHash,
}

impl ExchangeType {
    /// The word that RabbitMQ knows it by.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::ConsistentHash => "x-consistent-hash",
        }
    }
}

/// One queue and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name.
    pub name: String,
    /// Greatest size, in bytes of bodies.
    pub bytes_max: u64,
    /// How often a message may be handed out in vain.
    pub delivery_limit: u32,
    /// How long a message stays; `None` for as long as it takes.
    pub time_to_live: Option<Duration>,
    /// Exchange and routing key of what expires or exceeds the limit.
    pub dead_letter: Option<(String, &'static str)>,
}

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindingSpec {
    pub(crate) exchange: String,
    pub(crate) destination: String,
    pub(crate) kind: Destination,
    pub(crate) key: String,
}

/// What a binding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// A queue.
    Queue,
    /// Another exchange.
    Exchange,
}

impl Topology {
    /// The topology of both modes.
    ///
    /// * `ladder`: one wait queue per rung and mode.
    /// * `shards`: as many queues of fresh events per mode.
    #[must_use]
    pub fn new(ladder: &Ladder, shards: Shards) -> Self {
        let ways = Mode::ALL.map(|mode| Way { mode, shards }).to_vec();
        let mut topology = Self { exchanges: Vec::new(), queues: Vec::new(), bindings: Vec::new(), ways };
        topology.add_shared();
        for mode in Mode::ALL {
            topology.add_mode(mode, ladder, shards);
        }
        topology
    }

    /// The queues, for checks and listings.
    #[must_use]
    pub fn queues(&self) -> &[QueueSpec] {
        &self.queues
    }

    fn add_shared(&mut self) {
        self.exchange(UNROUTABLE, ExchangeType::Fanout, None);
        self.exchange(EVENTS_EXCHANGE, ExchangeType::Topic, Some(UNROUTABLE.to_owned()));
        self.exchange(LOG, ExchangeType::Direct, None);
        self.bind(parking(UNROUTABLE.to_owned()), UNROUTABLE, "");
        let log = QueueSpec {
            name: LOG.to_owned(),
            bytes_max: LOG_BYTES_MAX,
            delivery_limit: DELIVERY_LIMIT,
            time_to_live: None,
            dead_letter: Some((LOG.to_owned(), PARKED_KEY)),
        };
        self.bind(log, LOG, LOG);
        self.bind(parking(LOG_PARKED.to_owned()), LOG, PARKED_KEY);
    }

    fn add_mode(&mut self, mode: Mode, ladder: &Ladder, shards: Shards) {
        let exchange = mode_exchange(mode);
        self.exchange(&exchange, ExchangeType::Direct, None);
        let poison = Some((exchange.clone(), PARKED_KEY));
        let working = |name: String| QueueSpec {
            name,
            bytes_max: EVENTS_BYTES_MAX,
            delivery_limit: DELIVERY_LIMIT,
            time_to_live: None,
            dead_letter: poison.clone(),
        };
        self.queues.extend(shards.numbers().map(|shard| working(events_queue(mode, shard))));
        self.bind(working(slow_queue(mode)), &exchange, SLOW_KEY);
        self.bind(working(due_queue(mode)), &exchange, DUE_KEY);
        self.bind(parking(parked_queue(mode)), &exchange, PARKED_KEY);
        for &rung in ladder.rungs() {
            let waiting = QueueSpec {
                name: wait_queue(mode, rung),
                bytes_max: WAIT_BYTES_MAX,
                delivery_limit: DELIVERY_LIMIT,
                time_to_live: Some(rung.wait()),
                dead_letter: Some((exchange.clone(), DUE_KEY)),
            };
            self.bind(waiting, &exchange, &wait_key(rung));
        }
    }

    fn exchange(&mut self, name: &str, kind: ExchangeType, alternate: Option<String>) {
        self.exchanges.push(ExchangeSpec { name: name.to_owned(), kind, alternate });
    }

    fn bind(&mut self, queue: QueueSpec, exchange: &str, key: &str) {
        self.bindings.push(BindingSpec {
            exchange: exchange.to_owned(),
            destination: queue.name.clone(),
            kind: Destination::Queue,
            key: key.to_owned(),
        });
        self.queues.push(queue);
    }
}

fn parking(name: String) -> QueueSpec {
    QueueSpec {
        name,
        bytes_max: PARKED_BYTES_MAX,
        delivery_limit: DELIVERY_LIMIT_PARKED,
        time_to_live: Some(PARKED_AGE_MAX),
        dead_letter: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_declared_once_and_every_reference_is_declared() {
        let topology = Topology::new(&Ladder::default(), Shards::new(3).expect("a few"));
        let queues: BTreeSet<&str> = topology.queues.iter().map(|queue| queue.name.as_str()).collect();
        let exchanges: Vec<_> = topology.exchanges().collect();
        let exchanges: BTreeSet<&str> = exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
        assert_eq!(queues.len(), topology.queues.len());
        assert_eq!(exchanges.len(), topology.exchanges().count());
        for binding in topology.bindings() {
            let destinations = match binding.kind {
                Destination::Queue => &queues,
                Destination::Exchange => &exchanges,
            };
            let is_declared = destinations.contains(binding.destination.as_str());
            assert!(is_declared && exchanges.contains(binding.exchange.as_str()), "{binding:?}");
        }
        for queue in &topology.queues {
            let Some((exchange, key)) = &queue.dead_letter else { continue };
            let is_bound = topology.bindings.iter().any(|b| &b.exchange == exchange && b.key == *key);
            assert!(is_bound, "`{}` dead-letters into the void", queue.name);
        }
    }

    #[test]
    fn live_and_test_share_no_working_queue() {
        let topology = Topology::new(&Ladder::default(), Shards::ONE);
        for queue in &topology.queues {
            let Some((exchange, _)) = &queue.dead_letter else { continue };
            for (one, other) in [("live", "test"), ("test", "live")] {
                let crosses = queue.name.contains(one) && exchange.contains(other);
                assert!(!crosses, "`{}` dead-letters into the other mode", queue.name);
            }
        }
    }

    #[test]
    fn only_rungs_and_parking_expire_and_rungs_lead_back() {
        let topology = Topology::new(&Ladder::default(), Shards::ONE);
        for queue in &topology.queues {
            let is_rung = queue.name.contains(".wait.");
            let is_parking = queue.name.contains("parked") || queue.name == UNROUTABLE;
            assert_eq!(queue.time_to_live.is_some(), is_rung || is_parking, "{}", queue.name);
            assert_eq!(queue.dead_letter.is_none(), is_parking, "{}", queue.name);
            if is_rung {
                assert_eq!(queue.dead_letter.as_ref().map(|(_, key)| *key), Some(DUE_KEY));
            }
        }
    }
}
