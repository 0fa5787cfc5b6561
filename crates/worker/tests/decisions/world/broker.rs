//! The broker: what goes where is read from the production topology, what becomes of a publish may be scripted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bellhop_broker::{Outgoing, PublishError, QueueSpec, Shards, Topology, names};
use bellhop_model::{Ladder, Mode};

use super::hands::HandId;

/// A message in a queue.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) message: Outgoing,
    /// Which of the published events it carries or tells of.
    pub(crate) event: usize,
    pub(crate) is_redelivered: bool,
    expires_at: Option<Duration>,
}

/// What becomes of one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing special: it is stored and confirmed, if a queue takes it.
    Usual,
    /// A queue refuses it.
    Refused,
    /// Neither stored nor confirmed.
    Vanished(PublishError),
    /// Stored, but nobody learns of it.
    StoredUnseen(PublishError),
}

/// The queues.
#[derive(Debug)]
pub(crate) struct Broker {
    specs: BTreeMap<String, QueueSpec>,
    queues: BTreeMap<String, VecDeque<Stored>>,
    unsettled: BTreeMap<HandId, (String, Stored)>,
    /// The fates of the next publishes; after them the usual one.
    pub(crate) fates: VecDeque<Fate>,
}

impl Broker {
    pub(crate) fn new(ladder: &Ladder) -> Self {
        let topology = Topology::new(ladder, Shards::ONE);
        let specs: BTreeMap<_, _> =
            topology.queues().iter().map(|queue| (queue.name.clone(), queue.clone())).collect();
        let queues = specs.keys().map(|name| (name.clone(), VecDeque::new())).collect();
        Self { specs, queues, unsettled: BTreeMap::new(), fates: VecDeque::new() }
    }

    /// The queue behind an exchange and a routing key.
    pub(crate) fn route(&self, exchange: &str, key: &str) -> Option<String> {
        let mode_of = |name: &str| Mode::ALL.into_iter().find(|mode| names::mode_exchange(*mode) == name);
        let queue = match (exchange, key) {
            (names::EVENTS_EXCHANGE, key) => Mode::ALL
                .into_iter()
                .find(|mode| key.split('.').next() == Some(mode.as_str()))
                .map_or(names::UNROUTABLE.to_owned(), |mode| names::events_queue(mode, 0)),
            (names::LOG, names::LOG) => names::LOG.to_owned(),
            (names::LOG, names::PARKED_KEY) => names::LOG_PARKED.to_owned(),
            (exchange, key) => match (mode_of(exchange)?, key) {
                (mode, names::SLOW_KEY) => names::slow_queue(mode),
                (mode, names::DUE_KEY) => names::due_queue(mode),
                (mode, names::PARKED_KEY) => names::parked_queue(mode),
                (mode, wait) => format!("{}.{wait}", names::mode_exchange(mode)),
            },
        };
        self.queues.contains_key(&queue).then_some(queue)
    }

    /// Puts a message at the end of a queue.
    pub(crate) fn store(&mut self, queue: &str, message: Outgoing, event: usize, now: Duration) {
        let lives = [self.specs[queue].time_to_live, message.time_to_live].into_iter().flatten().min();
        let expires_at = lives.map(|lives| now + lives);
        self.queue_mut(queue).push_back(Stored { message, event, is_redelivered: false, expires_at });
    }

    /// What a queue holds, in order.
    pub(crate) fn queue(&self, name: &str) -> &VecDeque<Stored> {
        self.queues.get(name).unwrap_or_else(|| panic!("there is no queue `{name}`"))
    }

    /// Every queue with something in it.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (&str, &VecDeque<Stored>)> {
        self.queues.iter().filter(|(_, held)| !held.is_empty()).map(|(name, held)| (name.as_str(), held))
    }

    /// Takes the first message of a queue away, as an operator could.
    pub(crate) fn discard(&mut self, queue: &str) -> Stored {
        self.queue_mut(queue).pop_front().expect("there is a first")
    }

    /// Hands one message of a queue out.
    pub(crate) fn take(&mut self, queue: &str, index: usize, hand: HandId) -> Stored {
        let stored = self.queue_mut(queue).remove(index).expect("a message at that place");
        self.unsettled.insert(hand, (queue.to_owned(), stored.clone()));
        stored
    }

    /// Forgets what a hand was given.
    pub(crate) fn acknowledge(&mut self, hand: HandId) {
        self.unsettled.remove(&hand).expect("settled once");
    }

    /// Takes back what a hand was given, to where it was.
    pub(crate) fn take_back(&mut self, hand: HandId) {
        let (queue, mut stored) = self.unsettled.remove(&hand).expect("settled once");
        stored.is_redelivered = true;
        self.queue_mut(&queue).push_front(stored);
    }

    /// Stores a message of a queue a second time, as dead-lettering may: it promises at least once.
    pub(crate) fn repeat(&mut self, queue: &str, index: usize) -> Stored {
        let stored = self.queue(queue)[index].clone();
        self.queue_mut(queue).insert(index, stored.clone());
        stored
    }

    /// When the next wait on a rung ends.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.waiting().filter_map(|(name, _, _)| self.queue(name).front()?.expires_at).min()
    }

    /// Moves what has waited long enough to where it is due.
    pub(crate) fn expire(&mut self, now: Duration) {
        let waiting: Vec<_> = self
            .waiting()
            .map(|(name, exchange, key)| (name.to_owned(), exchange.to_owned(), key.to_owned()))
            .collect();
        for (name, exchange, key) in waiting {
            let target = self.route(&exchange, &key).expect("dead letters are routed");
            while self.queue(&name).front().is_some_and(|first| first.expires_at <= Some(now)) {
                let mut stored = self.queue_mut(&name).pop_front().expect("there is a first");
                stored.message.exchange.clone_from(&exchange);
                stored.message.routing_key.clone_from(&key);
                stored.message.time_to_live = None;
                self.queue_mut(&target).push_back(Stored { expires_at: None, ..stored });
            }
        }
    }

    /// The rungs with something on them: name, and exchange and key of what has waited.
    fn waiting(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        self.filled().filter_map(|(name, _)| {
            let spec = &self.specs[name];
            spec.time_to_live?;
            spec.dead_letter.as_ref().map(|(exchange, key)| (name, exchange.as_str(), *key))
        })
    }

    fn queue_mut(&mut self, name: &str) -> &mut VecDeque<Stored> {
        self.queues.get_mut(name).unwrap_or_else(|| panic!("there is no queue `{name}`"))
    }
}
