//! Whether old attempts crowd a lane: those under way for long, of whichever webhooks, hold too much of it.
//!
//! Counted without a lock, and without looking at any single attempt: all that are under way, less those that began in
//! one of the last slots of time. An attempt leaves its slot when it ends; a slot whose time is over is used again. Whoever
//! looks may be wrong by those who come and go at that very moment.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use super::silence::millis;
use super::tally::{Tallied, Tally};

/// From when on an attempt is old. It is called so up to one slot later, never earlier.
pub(crate) const OLD_AFTER: Duration = Duration::from_secs(1);

/// How much of a lane's places old attempts may hold: one part in so many.
pub(crate) const OLD_PARTS: usize = 4;

/// How long a slot lasts.
const SLOT_MILLIS: u64 = 125;

/// How many slots the time has in which an attempt is young, besides the one that has begun.
const SLOTS_YOUNG: u64 = 8;
const SLOTS: usize = 9;

const _: () = assert!(OLD_AFTER.as_millis() == (SLOT_MILLIS * SLOTS_YOUNG) as u128);
const _: () = assert!(SLOTS as u64 == SLOTS_YOUNG + 1);

/// The attempts under way from one lane.
#[derive(Debug)]
pub(crate) struct Crowd {
    in_flight_max: usize,
    under_way: AtomicUsize,
    /// By slot, the attempts that began then and have not ended.
    young: [Tally; SLOTS],
}

/// An attempt's stay in the lane; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stay {
    crowd: Arc<Crowd>,
    slot: u64,
}

impl Crowd {
    /// * `in_flight_max`: the lane's places.
    pub(crate) fn new(in_flight_max: u16) -> Self {
        Self {
            in_flight_max: usize::from(in_flight_max),
            under_way: AtomicUsize::new(0),
            young: array::from_fn(|_| Tally::default()),
        }
    }

    /// An attempt is under way.
    pub(crate) fn enter(self: &Arc<Self>, now: OffsetDateTime) -> Stay {
        let slot = slot_of(now);
        self.tally(slot).change(|Tallied { moment, count }| Tallied {
            moment: slot,
            count: if moment == slot { count + 1 } else { 1 },
        });
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Stay { crowd: Arc::clone(self), slot }
    }

    /// Whether old attempts hold more of the lane than they may.
    pub(crate) fn is_crowded(&self, now: OffsetDateTime) -> bool {
        let under_way = self.under_way.load(Ordering::Relaxed);
        let is_over = |held: usize| self.in_flight_max < held * OLD_PARTS;
        // Mostly this is all there is to look at.
        is_over(under_way) && is_over(under_way.saturating_sub(self.young(now)))
    }

    fn young(&self, now: OffsetDateTime) -> usize {
        let current = slot_of(now);
        // What began in the future, because the clock was set back since, is young until its slot is used again.
        let is_young = |tallied: &Tallied| current <= tallied.moment + SLOTS_YOUNG;
        let count: u64 =
            self.young.iter().map(Tally::read).filter(is_young).map(|tallied| tallied.count).sum();
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn tally(&self, slot: u64) -> &Tally {
        let index = usize::try_from(slot % SLOTS as u64).expect("less than there are slots");
        &self.young[index]
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let Self { crowd, slot } = self;
        crowd.under_way.fetch_sub(1, Ordering::Relaxed);
        crowd.tally(*slot).change(|Tallied { moment, count }| Tallied {
            moment,
            count: if moment == *slot { count.saturating_sub(1) } else { count },
        });
    }
}

fn slot_of(now: OffsetDateTime) -> u64 {
    millis(now) / SLOT_MILLIS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(millis)
    }

    #[test]
    fn old_attempts_crowd_a_lane_when_they_hold_more_than_a_quarter_and_until_they_end() {
        let crowd = Arc::new(Crowd::new(8));
        let mut stays: Vec<Stay> = (0..3).map(|_| crowd.enter(at(0))).collect();
        let others: Vec<Stay> = (0..5).map(|_| crowd.enter(at(900))).collect();
        assert_eq!([0, 999, 1_125].map(|millis| crowd.is_crowded(at(millis))), [false, false, true]);
        stays.pop();
        assert!(!crowd.is_crowded(at(1_125)), "two of eight are a quarter");
        assert!(crowd.is_crowded(at(2_125)), "the others are old, too");
        drop(others);
        assert!(!crowd.is_crowded(at(9_000)));
    }

    #[test]
    fn attempts_that_end_soon_crowd_nothing_however_many_they_are() {
        let crowd = Arc::new(Crowd::new(4));
        for millis in (0..10_000).step_by(50) {
            let stays: Vec<Stay> = (0..100).map(|_| crowd.enter(at(millis))).collect();
            assert!(!crowd.is_crowded(at(millis)));
            drop(stays);
            assert!(!crowd.is_crowded(at(millis)));
        }
    }

    /// They hold no more than they do, and what is not seen of their age is seen when their slots are used again.
    #[test]
    fn a_clock_that_jumps_harms_for_moments_only() {
        let crowd = Arc::new(Crowd::new(4));
        let stays: Vec<Stay> = (0..4).map(|_| crowd.enter(at(10_000_000))).collect();
        assert!(!crowd.is_crowded(at(0)), "set back, they seem young");
        for millis in (0..=1_125).step_by(125) {
            drop(crowd.enter(at(millis)));
        }
        assert!(crowd.is_crowded(at(1_125)));
        drop(stays);
        assert!(!crowd.is_crowded(at(1_125)));
    }

    proptest! {
        /// Whatever comes and goes, nobody is called old early, and everybody is within a slot.
        #[test]
        fn the_count_of_old_ones_is_right_to_a_slot(
            steps in prop::collection::vec((0u64..400, 0u8..3, any::<prop::sample::Index>()), 1..200),
        ) {
            let crowd = Arc::new(Crowd::new(4));
            let (mut now, mut stays) = (0, Vec::new());
            for (passed, step, index) in steps {
                now += passed;
                match step {
                    0 | 1 => stays.push((now, crowd.enter(at(now)))),
                    _ if !stays.is_empty() => drop(stays.swap_remove(index.index(stays.len()))),
                    _ => {}
                }
                let older = |than: u64| stays.iter().filter(|(since, _)| than < now - since).count();
                let old = crowd.under_way.load(Ordering::Relaxed) - crowd.young(at(now));
                prop_assert!(older(1_125) <= old && old <= older(999), "{} {} {}", older(1_125), old, older(999));
            }
        }
    }
}
