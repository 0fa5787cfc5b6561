//! Places: how many attempts at one webhook are under way, and how many deliveries wait for a place.
//!
//! Every place, and every right to wait for one, is a permit that comes back however its holder ends.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many deliveries may wait for a place at one webhook: so many for each place.
pub(crate) const WAITING_PER_PLACE: usize = 2;

/// How much of a lane may wait for places, at any webhooks: one part in so many.
pub(crate) const LANE_PARTS: u16 = 4;

/// The places at one webhook.
#[derive(Debug)]
pub(crate) struct Cap {
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    places_max: u16,
}

/// How many deliveries of one lane may wait.
#[derive(Debug, Clone)]
pub(crate) struct WaitingRoom(Arc<Semaphore>);

/// The right to wait for a place.
#[derive(Debug)]
pub(crate) struct Ticket {
    places: Arc<Semaphore>,
    _room: OwnedSemaphorePermit,
    _lane: OwnedSemaphorePermit,
}

impl Cap {
    pub(crate) fn new(places_max: u16) -> Self {
        let places = usize::from(places_max);
        Self {
            places: Arc::new(Semaphore::new(places)),
            room: Arc::new(Semaphore::new(WAITING_PER_PLACE * places)),
            places_max,
        }
    }

    /// Takes a free place.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Asks to wait for a place, within the bounds of the webhook and of the lane.
    pub(crate) fn queue(&self, lane: &WaitingRoom) -> Option<Ticket> {
        let lane = Arc::clone(&lane.0).try_acquire_owned().ok()?;
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        Some(Ticket { places: Arc::clone(&self.places), _room: room, _lane: lane })
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> u32 {
        u32::from(self.places_max)
    }

    /// How many places are taken or waited for.
    pub(crate) fn held(&self) -> u32 {
        let places = usize::from(self.places_max);
        let free = self.places.available_permits() + self.room.available_permits();
        u32::try_from((1 + WAITING_PER_PLACE) * places - free).unwrap_or(u32::MAX)
    }

    #[cfg(test)]
    pub(crate) fn is_untouched(&self) -> bool {
        self.held() == 0
    }
}

impl WaitingRoom {
    /// The room of a lane that has so many messages in hand at most; none at all without a lane.
    pub(crate) fn of(in_flight_max: u16) -> Self {
        Self(Arc::new(Semaphore::new(usize::from(in_flight_max.div_ceil(LANE_PARTS)))))
    }
}

impl Ticket {
    /// Waits for a place, first come, first served. Dropping the future gives up the wait.
    pub(crate) async fn wait(self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect("nobody closes the places of a webhook")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_more_than_the_cap_have_a_place_and_twice_as_many_wait() {
        let (cap, lane) = (Cap::new(2), WaitingRoom::of(100));
        let places: Vec<_> = std::iter::from_fn(|| cap.take()).collect();
        let tickets: Vec<_> = std::iter::from_fn(|| cap.queue(&lane)).collect();
        assert_eq!((places.len(), tickets.len(), cap.held()), (2, 4, 6));
        drop((places, tickets));
        assert!(cap.is_untouched());
    }

    #[test]
    fn a_lane_waits_with_a_quarter_of_its_messages_whatever_for() {
        let lane = WaitingRoom::of(10);
        let caps = [(); 5].map(|()| Cap::new(1));
        let tickets: Vec<_> = caps.iter().filter_map(|cap| cap.queue(&lane)).collect();
        assert_eq!(tickets.len(), 3);
        // What the lane refused holds no room at the webhook.
        assert_eq!(caps.iter().filter(|cap| cap.is_untouched()).count(), 2);
    }

    #[test]
    fn who_waits_is_served_in_order_and_gives_the_room_back() {
        let (cap, lane) = (Cap::new(1), WaitingRoom::of(100));
        let place = cap.take().expect("a free place");
        let mut first = Box::pin(cap.queue(&lane).expect("room").wait());
        let mut second = Box::pin(cap.queue(&lane).expect("room").wait());
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(place);
        assert!(cap.take().is_none(), "the place is promised");
        assert!(second.as_mut().now_or_never().is_none());
        let place = first.as_mut().now_or_never().expect("the place is free");
        assert_eq!(cap.held(), 2);
        drop((place, second, first));
        assert!(cap.is_untouched());
    }

    proptest! {
        /// Whatever is taken, waited for and dropped, in whatever order: the cap holds, and all comes back.
        #[test]
        fn places_are_given_back(steps in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 0..200)) {
            let (cap, lane) = (Cap::new(3), WaitingRoom::of(16));
            let (mut places, mut waiting) = (Vec::new(), Vec::new());
            for (step, index) in steps {
                match step {
                    0 => places.extend(cap.take()),
                    1 => waiting.extend(cap.queue(&lane).map(|ticket| Box::pin(ticket.wait()))),
                    2 if !places.is_empty() => drop(places.swap_remove(index.index(places.len()))),
                    3 if !waiting.is_empty() => drop(waiting.swap_remove(index.index(waiting.len()))),
                    _ => {}
                }
                waiting.retain_mut(|wait| match wait.as_mut().now_or_never() {
                    Some(place) => {
                        places.push(place);
                        false
                    }
                    None => true,
                });
                prop_assert!(places.len() <= 3 && waiting.len() <= 4);
            }
            drop((places, waiting));
            prop_assert!(cap.is_untouched() && lane.0.available_permits() == 4);
        }
    }
}
