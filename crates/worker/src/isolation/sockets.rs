//! How many requests may be under way at once: one bound for the whole worker, shared out among its lanes.
//!
//! Each lane has its share for itself. What one does not use no other may, so none can starve another, and the bound of the
//! worker needs no counting: the shares add up to no more.

/// How many requests may be under way for each message that a lane may have in hand, on average. Most events go to a
/// webhook or two; with no bound, a lane of 200 could open 5,000 sockets, for less throughput than with a tenth of them.
const SOCKETS_PER_MESSAGE: u64 = 2;

/// How many sockets a lane has.
///
/// * `in_flight_max`: most messages that it has in hand.
/// * `in_hand_max`: the same of all lanes together.
/// * `sockets_max`: most sockets of all lanes together, at least one for each message in hand.
pub(crate) fn share(in_flight_max: u16, in_hand_max: u32, sockets_max: u32) -> usize {
    let in_flight_max = u64::from(in_flight_max);
    let share = u64::from(sockets_max) * in_flight_max / u64::from(in_hand_max.max(1));
    let share = share.min(in_flight_max * SOCKETS_PER_MESSAGE).max(1);
    usize::try_from(share).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lane_has_two_sockets_for_each_message_unless_the_worker_has_fewer() {
        assert_eq!([2048, 1600, 1200, 800].map(|sockets| share(200, 800, sockets)), [400, 400, 300, 200]);
    }

    proptest! {
        /// Whatever lanes there are, they have no more together than the worker may, and each enough for what it has in hand.
        #[test]
        fn the_shares_add_up_to_no_more_than_the_whole(
            lanes in prop::collection::vec(1u16..=2000, 1..=6),
            spare in 0u32..20_000,
        ) {
            let in_hand_max: u32 = lanes.iter().map(|lane| u32::from(*lane)).sum();
            let sockets_max = in_hand_max + spare;
            let shares: Vec<usize> = lanes.iter().map(|lane| share(*lane, in_hand_max, sockets_max)).collect();
            prop_assert!(shares.iter().sum::<usize>() <= sockets_max as usize);
            prop_assert!(lanes.iter().zip(&shares).all(|(lane, share)| usize::from(*lane) <= *share));
        }
    }
}
