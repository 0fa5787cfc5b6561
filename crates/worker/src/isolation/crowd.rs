//! Whether a lane is crowded: attempts under way for long, or at webhooks of which nothing good is known, hold too much
//! of it. The latter count from the first moment, since a lane may be full before any of them is old.
//!
//! The old ones are counted without a lock, and without looking at any single attempt: all that are under way, less those that began in
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

/// How much of a lane's places attempts may hold at webhooks that nothing speaks for: one part in so many. Half, so that
/// webhooks that have an event now and then stay in the lane, where they belong, as long as they are not too many at once.
pub(crate) const UNPROVEN_PARTS: usize = 2;

/// From when on a lane is filling: one part in so many of its places is held, by whomever.
const FILLING_PARTS: usize = 2;

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
    unproven: AtomicUsize,
    /// By slot, the attempts that began then and have not ended.
    young: [Tally; SLOTS],
}

/// An attempt's stay in the lane; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stay {
    crowd: Arc<Crowd>,
    slot: u64,
    is_proven: bool,
}

impl Crowd {
    /// * `in_flight_max`: the lane's places.
    pub(crate) fn new(in_flight_max: u16) -> Self {
        Self {
            in_flight_max: usize::from(in_flight_max),
            under_way: AtomicUsize::new(0),
            unproven: AtomicUsize::new(0),
            young: array::from_fn(|_| Tally::default()),
        }
    }

    /// An attempt is under way.
    ///
    /// * `is_proven`: whether its webhook was quick lately.
    pub(crate) fn enter(self: &Arc<Self>, is_proven: bool, now: OffsetDateTime) -> Stay {
        let slot = slot_of(now);
        self.tally(slot).change(|Tallied { moment, count }| Tallied {
            moment: slot,
            count: if moment == slot { count + 1 } else { 1 },
        });
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.unproven.fetch_add(usize::from(!is_proven), Ordering::Relaxed);
        Stay { crowd: Arc::clone(self), slot, is_proven }
    }

    /// Whether old attempts hold more of the lane than they may, or those at webhooks that nothing speaks for.
    pub(crate) fn is_crowded(&self, now: OffsetDateTime) -> bool {
        let unproven = self.unproven.load(Ordering::Relaxed);
        let under_way = self.under_way.load(Ordering::Relaxed);
        let are_old_over = |held: usize| self.is_over(held, OLD_PARTS);
        self.is_over(unproven, UNPROVEN_PARTS)
            // Mostly this is all there is to look at.
            || are_old_over(under_way) && are_old_over(under_way.saturating_sub(self.young(now)))
    }

    /// Whether so many attempts are under way that there is no time to lose in finding out who hangs.
    pub(crate) fn is_filling(&self) -> bool {
        self.is_over(self.under_way.load(Ordering::Relaxed), FILLING_PARTS)
    }

    const fn is_over(&self, held: usize, parts: usize) -> bool {
        self.in_flight_max < held * parts
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
        let Self { crowd, slot, is_proven } = self;
        crowd.under_way.fetch_sub(1, Ordering::Relaxed);
        crowd.unproven.fetch_sub(usize::from(!*is_proven), Ordering::Relaxed);
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
        let mut stays: Vec<Stay> = (0..3).map(|_| crowd.enter(true, at(0))).collect();
        let others: Vec<Stay> = (0..5).map(|_| crowd.enter(true, at(900))).collect();
        assert_eq!([0, 999, 1_125].map(|millis| crowd.is_crowded(at(millis))), [false, false, true]);
        stays.pop();
        assert!(!crowd.is_crowded(at(1_125)), "two of eight are a quarter");
        assert!(crowd.is_crowded(at(2_125)), "the others are old, too");
        drop(others);
        assert!(!crowd.is_crowded(at(9_000)));
    }

    #[test]
    fn attempts_at_unproven_webhooks_crowd_a_lane_at_once_when_they_hold_more_than_half() {
        let crowd = Arc::new(Crowd::new(8));
        let mut stays: Vec<Stay> = (0..5).map(|_| crowd.enter(false, at(0))).collect();
        assert!(crowd.is_crowded(at(0)));
        stays.pop();
        assert!(!crowd.is_crowded(at(0)), "four of eight are half");
        let proven: Vec<Stay> = (0..4).map(|_| crowd.enter(true, at(0))).collect();
        assert!(!crowd.is_crowded(at(0)), "who was quick lately is welcome");
        drop((stays, proven));
        assert!(!crowd.is_filling());
    }

    #[test]
    fn a_lane_is_filling_when_more_than_half_of_it_is_held_by_whomever() {
        let crowd = Arc::new(Crowd::new(4));
        let stays = [true, false].map(|is_proven| crowd.enter(is_proven, at(0)));
        assert!(!crowd.is_filling());
        let more = crowd.enter(true, at(0));
        assert!(crowd.is_filling());
        drop((stays, more));
    }

    #[test]
    fn attempts_that_end_soon_crowd_nothing_however_many_they_are() {
        let crowd = Arc::new(Crowd::new(4));
        for millis in (0..10_000).step_by(50) {
            let stays: Vec<Stay> = (0..100).map(|_| crowd.enter(true, at(millis))).collect();
            assert!(!crowd.is_crowded(at(millis)));
            drop(stays);
            assert!(!crowd.is_crowded(at(millis)));
        }
    }

    /// They hold no more than they do, and what is not seen of their age is seen when their slots are used again.
    #[test]
    fn a_clock_that_jumps_harms_for_moments_only() {
        let crowd = Arc::new(Crowd::new(4));
        let stays: Vec<Stay> = (0..4).map(|_| crowd.enter(true, at(10_000_000))).collect();
        assert!(!crowd.is_crowded(at(0)), "set back, they seem young");
        for millis in (0..=1_125).step_by(125) {
            drop(crowd.enter(true, at(millis)));
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
                    0 | 1 => stays.push((now, crowd.enter(true, at(now)))),
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
