//! The messages in workers' hands, and what the faults that strike them may cost each delivery.

use std::collections::{BTreeMap, BTreeSet};

use bellhop_worker::LaneKind;

use super::broker::Stored;

/// One message in one worker's hand, once. A message that is offered again comes into another hand.
pub(crate) type HandId = u64;

/// An event and a webhook, by their indices.
pub(crate) type Delivery = (usize, usize);

/// What is known about a hand.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) worker: usize,
    pub(crate) lane: LaneKind,
    pub(crate) event: usize,
    /// Which attempt the message asks for; `None` when it does not say.
    pub(crate) attempt: Option<u8>,
    /// Whether it could not be told, at least once, who wants the event.
    pub(crate) is_untold: bool,
    /// Whether the session is gone that the message came from.
    pub(crate) is_lost: bool,
    /// The webhooks whose deliveries were to go by a slow lane.
    pub(crate) diverted: BTreeSet<usize>,
    /// The deliveries for which something left this hand: a request, or a message with them in it.
    begun: BTreeSet<Delivery>,
}

/// All hands, and the account of faults.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    pub(crate) current: HandId,
    last: HandId,
    held: BTreeMap<HandId, Hand>,
    faults: BTreeMap<Delivery, usize>,
}

impl Hands {
    pub(crate) fn open(&mut self, worker: usize, lane: LaneKind, stored: &Stored) -> HandId {
        let header = |name| stored.message.headers.iter().find(|(other, _)| *other == name);
        let attempt = match lane {
            LaneKind::Fresh => Some(1),
            LaneKind::Slow | LaneKind::Due => {
                header("bellhop-attempt").and_then(|(_, number)| number.parse().ok())
            }
        };
        self.last += 1;
        let hand = Hand {
            worker,
            lane,
            event: stored.event,
            attempt,
            is_untold: false,
            is_lost: false,
            diverted: BTreeSet::new(),
            begun: BTreeSet::new(),
        };
        self.held.insert(self.last, hand);
        self.last
    }

    pub(crate) fn next(&self) -> HandId {
        self.last + 1
    }

    pub(crate) fn get(&self, hand: HandId) -> &Hand {
        &self.held[&hand]
    }

    /// The hand on whose behalf production code runs now.
    pub(crate) fn current(&self) -> &Hand {
        self.get(self.current)
    }

    /// Notes that a delivery of the current hand was to go by a slow lane; `false` when that is known already.
    pub(crate) fn divert(&mut self, webhook: usize) -> bool {
        self.held.get_mut(&self.current).expect("a hand is at work").diverted.insert(webhook)
    }

    /// Notes that the current hand could not be told who wants its event.
    pub(crate) fn leave_untold(&mut self) {
        self.held.get_mut(&self.current).expect("a hand is at work").is_untold = true;
    }

    pub(crate) fn close(&mut self, hand: HandId) {
        self.held.remove(&hand);
    }

    /// Notes that something left the current hand. If its message is offered again anyway, that is one request more.
    pub(crate) fn begin(&mut self, deliveries: impl IntoIterator<Item = Delivery>) {
        let Self { current, held, faults, .. } = self;
        let hand = held.get_mut(current).expect("a hand is at work");
        for delivery in deliveries {
            if hand.begun.insert(delivery) && hand.is_lost {
                *faults.entry(delivery).or_default() += 1;
            }
        }
    }

    /// The session of a hand's message is gone, or the worker with it.
    pub(crate) fn lose(&mut self, hand: HandId) {
        let hand = self.held.get_mut(&hand).expect("a hand that is held");
        hand.is_lost = true;
        for delivery in &hand.begun {
            *self.faults.entry(*delivery).or_default() += 1;
        }
    }

    /// Counts a fault that struck a delivery outside any hand.
    pub(crate) fn strike(&mut self, deliveries: impl IntoIterator<Item = Delivery>) {
        for delivery in deliveries {
            *self.faults.entry(delivery).or_default() += 1;
        }
    }

    pub(crate) fn faults(&self, delivery: Delivery) -> usize {
        self.faults.get(&delivery).copied().unwrap_or(0)
    }

    /// The hands of a worker, or those of them whose session still lives.
    pub(crate) fn of(&self, worker: usize) -> impl Iterator<Item = (HandId, &Hand)> {
        self.held.iter().filter(move |(_, hand)| hand.worker == worker).map(|(id, hand)| (*id, hand))
    }
}
