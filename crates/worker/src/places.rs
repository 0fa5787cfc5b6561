//! How the places of a lane, one for each message in hand, are divided among its queues.
//!
//! Half of them belong to the queues, so many to each, so that the burst of one leaves the others theirs. The rest go
//! to whichever queue has more to do, so that a burst alone has most of the lane.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The division of a lane's places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    queues: u16,
    /// Places of each queue alone.
    own: u16,
    /// Places of whoever needs more.
    common: u16,
}

/// The places that one queue of a lane may take.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    own: Arc<Semaphore>,
    common: Arc<Semaphore>,
}

impl Division {
    /// Divides.
    ///
    /// * `in_flight_max`: the lane's places.
    /// * `queues`: from 1; of more queues than places, some would have none, so that no configuration has more.
    #[must_use]
    pub fn of(in_flight_max: u16, queues: u16) -> Self {
        let own = (in_flight_max / 2 / queues).max(1);
        Self { queues, own, common: in_flight_max.saturating_sub(own * queues) }
    }

    /// Most messages in hand of one queue; also its prefetch.
    #[must_use]
    pub const fn of_one_queue(self) -> u16 {
        self.own + self.common
    }

    /// Most messages that the broker hands out, of which some have to wait for a place.
    #[must_use]
    pub const fn handed_out_max(self) -> u64 {
        self.queues as u64 * self.of_one_queue() as u64
    }

    /// The places of each queue.
    pub(crate) fn places(self) -> impl Iterator<Item = Places> {
        let common = Arc::new(Semaphore::new(usize::from(self.common)));
        let own = move || Arc::new(Semaphore::new(usize::from(self.own)));
        (0..self.queues).map(move |_| Places { own: own(), common: Arc::clone(&common) })
    }
}

impl Places {
    /// Waits for a place: one of the queue's own, or else a common one. Those who wait for a common one take turns.
    /// Dropping the future gives up the wait.
    pub(crate) async fn take(&self) -> OwnedSemaphorePermit {
        let place = tokio::select! {
            biased;
            place = Arc::clone(&self.own).acquire_owned() => place,
            place = Arc::clone(&self.common).acquire_owned() => place,
        };
        place.expect("nobody closes the places of a lane")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    /// Takes places until there is none.
    fn take_all(places: &Places) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| places.take().now_or_never()).collect()
    }

    proptest! {
        #[test]
        fn a_burst_of_one_queue_has_half_of_the_lane_and_leaves_every_other_its_own(
            in_flight_max in 1_u16..=2000,
            queues in 1_u16..=64,
        ) {
            prop_assume!(queues <= in_flight_max);
            let division = Division::of(in_flight_max, queues);
            let places: Vec<Places> = division.places().collect();

            let burst = take_all(&places[0]);
            prop_assert_eq!(burst.len(), usize::from(division.of_one_queue()));
            // With more queues than half of the places, their own are more than half.
            prop_assert!(in_flight_max / 2 < queues || usize::from(in_flight_max / 2) <= burst.len());

            let others: Vec<_> = places[1..].iter().map(take_all).collect();
            let own = usize::from(in_flight_max / 2 / queues).max(1);
            prop_assert!(others.iter().all(|taken| taken.len() == own));
            let all = burst.len() + others.iter().map(Vec::len).sum::<usize>();
            prop_assert_eq!(all, usize::from(in_flight_max));
            prop_assert!(all as u64 <= division.handed_out_max());
        }
    }

    #[test]
    fn a_single_queue_has_the_whole_lane_and_is_handed_no_more() {
        for in_flight_max in [1, 2, 3, 200, 2000] {
            let division = Division::of(in_flight_max, 1);
            assert_eq!(division.of_one_queue(), in_flight_max);
            assert_eq!(division.handed_out_max(), u64::from(in_flight_max));
        }
    }

    #[test]
    fn a_common_place_that_comes_free_goes_to_who_has_waited() {
        let places: Vec<Places> = Division::of(4, 2).places().collect();
        let mut burst = take_all(&places[0]);
        let quiet = take_all(&places[1]);
        assert_eq!((burst.len(), quiet.len()), (3, 1));
        let mut waiting = Box::pin(places[1].take());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(burst.pop());
        assert!(places[0].take().now_or_never().is_none(), "the burst was served first");
        assert!(waiting.now_or_never().is_some());
    }
}
