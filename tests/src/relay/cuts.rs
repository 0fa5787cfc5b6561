//! Where connections are cut off: drawn from a seed, so that a failure can be had again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The latest cuts lie between 2^12 bytes and twice that: a few handshakes, or half a dozen messages.
const AFTER_BYTES_LOG2_MAX: u32 = 12;

/// The cuts of one relay.
#[derive(Debug, Default)]
pub(super) struct Cuts(Mutex<Plan>);

/// One connection's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) direction: Direction,
    /// At least 1.
    pub(super) after_bytes: usize,
}

/// Which bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Those of the client.
    Asked,
    /// Those of the server.
    Answered,
}

#[derive(Debug, Default)]
struct Plan {
    random: Option<StdRng>,
    left: usize,
    made: usize,
}

impl Cuts {
    pub(super) fn plan(&self, seed: u64, count: usize) {
        let mut plan = self.lock();
        plan.random = Some(StdRng::seed_from_u64(seed));
        plan.left = count;
    }

    /// Decides about a new connection; `None` when it may live.
    ///
    /// As many cuts lie at the first byte as between 4 and 8 KiB, so that handshakes are hit as well as traffic.
    pub(super) fn draw(&self) -> Option<Cut> {
        let mut plan = self.lock();
        plan.left = plan.left.checked_sub(1)?;
        let random = plan.random.as_mut()?;
        let direction = if random.random() { Direction::Asked } else { Direction::Answered };
        let least = 1 << random.random_range(0..=AFTER_BYTES_LOG2_MAX);
        let after_bytes = random.random_range(least..2 * least);
        Some(Cut { direction, after_bytes })
    }

    /// Notes that a connection was cut off.
    pub(super) fn note(&self) {
        self.lock().made += 1;
    }

    pub(super) fn made(&self) -> usize {
        self.lock().made
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
