//! Waiting for one's turn: wherever production waits for the world, a hand waits here until it is let on.
//!
//! Between two turns anything may happen, which is how a crash at any await point comes about.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::World;
use super::hands::HandId;

/// Who waits for a turn, and until when at least.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: u64,
    waiting: BTreeMap<u64, (HandId, Duration)>,
    wakers: BTreeMap<u64, Waker>,
    granted: BTreeSet<u64>,
}

/// One wait for a turn.
pub(crate) struct Turn {
    world: World,
    at: Duration,
    ticket: Option<u64>,
}

impl Turns {
    /// The turns that can be given now, oldest first.
    pub(crate) fn due(&self, now: Duration) -> Vec<u64> {
        self.waiting.iter().filter(|(_, (_, at))| *at <= now).map(|(ticket, _)| *ticket).collect()
    }

    /// When the next turn can be given.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.waiting.values().map(|(_, at)| *at).min()
    }

    /// Gives a turn; returns the hand that has it.
    pub(crate) fn grant(&mut self, ticket: u64) -> HandId {
        let (hand, _) = self.waiting.remove(&ticket).expect("a turn that is waited for");
        self.granted.insert(ticket);
        // Of the several deliveries of one message only the one that is woken is polled.
        self.wakers.remove(&ticket).expect("whoever waits was polled").wake();
        hand
    }

    fn wait(&mut self, hand: HandId, at: Duration) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, (hand, at));
        self.last
    }
}

impl World {
    /// Waits for a turn, given at `at` or later.
    pub(crate) fn turn_at(&self, at: Duration) -> Turn {
        Turn { world: self.clone(), at, ticket: None }
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (ticket, at) = (self.ticket, self.at);
        let ticket = self.world.with(|state| match ticket {
            Some(ticket) if state.turns.granted.remove(&ticket) => None,
            Some(ticket) => Some(ticket),
            None => Some(state.turns.wait(state.hands.current, at)),
        });
        if let Some(ticket) = ticket {
            self.world.with(|state| state.turns.wakers.insert(ticket, context.waker().clone()));
        }
        self.ticket = ticket;
        if ticket.is_none() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.world.with(|state| {
                state.turns.waiting.remove(&ticket);
                state.turns.wakers.remove(&ticket);
                state.turns.granted.remove(&ticket);
            });
        }
    }
}
