//! A count and a moment that change together, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many bits of the word the count has; a lane has fewer requests under way than fit.
const COUNT_BITS: u32 = 16;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// The pair.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

/// What a tally holds at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tallied {
    /// Milliseconds since the epoch, or a multiple of them: of 48 bits, good for 8,900 years.
    pub(crate) moment: u64,
    pub(crate) count: u64,
}

impl Tally {
    pub(crate) fn read(&self) -> Tallied {
        Tallied::unpack(self.0.load(Ordering::Relaxed))
    }

    /// Replaces what is there by what becomes of it.
    pub(crate) fn change(&self, next: impl Fn(Tallied) -> Tallied) {
        let packed = |word| Some(next(Tallied::unpack(word)).pack());
        let changed = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, packed);
        changed.expect("it always becomes something");
    }
}

impl Tallied {
    const fn unpack(word: u64) -> Self {
        Self { moment: word >> COUNT_BITS, count: word & COUNT_MAX }
    }

    fn pack(self) -> u64 {
        self.moment << COUNT_BITS | self.count.min(COUNT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_of_the_two_spills_into_the_other() {
        let tally = Tally::default();
        for (count, kept) in [(0, 0), (COUNT_MAX, COUNT_MAX), (COUNT_MAX + 1, COUNT_MAX)] {
            let moment = (1 << 48) - 1;
            tally.change(|_| Tallied { moment, count });
            assert_eq!(tally.read(), Tallied { moment, count: kept });
        }
    }
}
