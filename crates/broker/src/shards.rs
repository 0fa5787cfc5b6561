//! Shards: how a mode's fresh events are spread over several queues, and how their number is changed while events come.
//!
//! With one shard, `bellhop.events` is bound to the first queue. With more, an exchange that hashes the organisation
//! sits between, so that the events of one organisation share a queue and a burst of them fills no other.
//!
//! AMQP cannot list bindings, and whoever changes them may be interrupted anywhere. So one rule holds after every
//! [`Step`], whatever number it began or ends with: an event has a way, and all its ways end in one queue. While the
//! direct way exists, the hashing exchange knows the first shard alone, and what reaches a queue twice is stored once.
//! Every sequence of steps ends where it should from any state that keeps the rule.

use std::fmt;
use std::num::NonZeroU16;
use std::ops::Range;

use bellhop_model::Mode;

use crate::names::{EVENTS_EXCHANGE, events_queue, fallback_exchange, shards_exchange};
use crate::topology::{BindingSpec, Destination, ExchangeSpec, ExchangeType};

#[cfg(test)]
mod tests;

/// The weight of a shard, as RabbitMQ wants it: a number, in the place of a routing key. All are alike.
const WEIGHT: &str = "1";

/// Over how many queues the fresh events of each mode are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shards(NonZeroU16);

/// How events reach the shards of one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) mode: Mode,
    pub(crate) shards: Shards,
}

/// What was found before the way is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whether there is an exchange that hashes.
    pub(crate) is_hashing: bool,
    /// Shards beyond the wanted number whose queues exist, in order.
    pub(crate) left_over: Vec<u16>,
}

/// One change. Each changes nothing when it has been made already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Declare an exchange.
    Declare(ExchangeSpec),
    /// Make a binding.
    Bind(BindingSpec),
    /// Remove a binding, whose ends exist.
    Unbind(BindingSpec),
    /// Wait until no event is under way that was routed by what the steps before have removed.
    Settle,
    /// Delete an exchange, if it exists.
    Delete(String),
}

impl Shards {
    /// One, as every fleet begins.
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// Most shards. Each is a Raft group of its own on every node, and a channel of every worker.
    pub const MAX: u16 = 64;

    /// A number of shards, from 1 to [`Shards::MAX`].
    #[must_use]
    pub fn new(count: u16) -> Option<Self> {
        NonZeroU16::new(count).filter(|count| count.get() <= Self::MAX).map(Self)
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// What each is called.
    #[must_use]
    pub const fn numbers(self) -> Range<u16> {
        0..self.get()
    }

    /// What further ones would be called.
    #[must_use]
    pub const fn numbers_beyond(self) -> Range<u16> {
        self.get()..Self::MAX
    }
}

impl fmt::Display for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Way {
    /// The exchanges between `bellhop.events` and the queues.
    pub(crate) fn exchanges(self) -> Vec<ExchangeSpec> {
        if self.shards == Shards::ONE {
            return Vec::new();
        }
        vec![self.fallback(), self.hashing()]
    }

    /// The bindings from `bellhop.events` to the queues, when no change is under way.
    pub(crate) fn bindings(self) -> Vec<BindingSpec> {
        if self.shards == Shards::ONE {
            return vec![self.direct()];
        }
        let fixed = [self.entry(), self.to_first()];
        fixed.into_iter().chain(self.shards.numbers().map(|shard| self.to_shard(shard))).collect()
    }

    /// Every binding that some number of shards, or a change between two, has.
    pub(crate) fn possible_bindings(self) -> Vec<BindingSpec> {
        let most = Self { shards: Shards::new(Shards::MAX).expect("the bound keeps to itself"), ..self };
        [most.bindings(), vec![self.direct()]].concat()
    }

    /// How to get there.
    pub(crate) fn steps(self, found: &Found) -> Vec<Step> {
        // From the last to the first, so that the fewest organisations change their shard on the way.
        let without_surplus = found.left_over.iter().rev().map(|&shard| Step::Unbind(self.to_shard(shard)));
        let fallback = fallback_exchange(self.mode);
        if self.shards != Shards::ONE {
            let begin = [
                Step::Declare(self.fallback()),
                Step::Bind(self.to_first()),
                Step::Declare(self.hashing()),
                Step::Bind(self.to_shard(0)),
                Step::Bind(self.entry()),
                Step::Unbind(self.direct()),
                Step::Settle,
            ];
            let further = self.shards.numbers().skip(1).map(|shard| Step::Bind(self.to_shard(shard)));
            return begin.into_iter().chain(further).chain(without_surplus).collect();
        }
        if !found.is_hashing {
            return vec![Step::Bind(self.direct()), Step::Delete(fallback)];
        }
        let end = [
            Step::Bind(self.direct()),
            Step::Unbind(self.entry()),
            Step::Settle,
            Step::Delete(shards_exchange(self.mode)),
            Step::Delete(fallback),
        ];
        without_surplus.chain(end).collect()
    }

    /// Hashes the organisation. RabbitMQ rebuilds its table of shards when a node starts, and has been known to lose
    /// it: what it knows no shard for then goes to the first.
    fn hashing(self) -> ExchangeSpec {
        ExchangeSpec {
            name: shards_exchange(self.mode),
            kind: ExchangeType::ConsistentHash,
            alternate: Some(fallback_exchange(self.mode)),
        }
    }

    fn fallback(self) -> ExchangeSpec {
        let name = fallback_exchange(self.mode);
        ExchangeSpec { name, kind: ExchangeType::Fanout, alternate: None }
    }

    /// The way of a single shard.
    fn direct(self) -> BindingSpec {
        self.events_to(events_queue(self.mode, 0), Destination::Queue)
    }

    /// Into the exchange that hashes.
    fn entry(self) -> BindingSpec {
        self.events_to(shards_exchange(self.mode), Destination::Exchange)
    }

    fn events_to(self, destination: String, kind: Destination) -> BindingSpec {
        BindingSpec {
            exchange: EVENTS_EXCHANGE.to_owned(),
            destination,
            kind,
            key: format!("{}.#", self.mode),
        }
    }

    fn to_shard(self, shard: u16) -> BindingSpec {
        BindingSpec {
            exchange: shards_exchange(self.mode),
            destination: events_queue(self.mode, shard),
            kind: Destination::Queue,
            key: WEIGHT.to_owned(),
        }
    }

    fn to_first(self) -> BindingSpec {
        BindingSpec {
            exchange: fallback_exchange(self.mode),
            destination: events_queue(self.mode, 0),
            kind: Destination::Queue,
            key: String::new(),
        }
    }
}
