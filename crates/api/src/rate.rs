//! How often somebody may ask: a bucket per key, per session and per address, bounded in number.
//!
//! A bucket is one moment: when it will be full again (the generic cell rate algorithm). One that is full says nothing,
//! so it can be forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bellhop_model::ApiKeyId;
use tokio::time::Instant;

use crate::options::Rate;

/// Most buckets of one kind. Beyond that all who are not known share one, so that inventing addresses gains nothing.
const BUCKETS_MAX: usize = 100_000;

/// The buckets of everybody.
pub(crate) struct Rates {
    pub(crate) keys: Buckets<ApiKeyId>,
    pub(crate) addresses: Buckets<IpAddr>,
    /// Of the console, by the hashes of their tokens.
    pub(crate) sessions: Buckets<[u8; 32]>,
}

/// The address that stands for all of one customer's: of IPv6 their network of 64 bits, from which they can take any.
pub(crate) fn one_customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// The buckets of one kind.
pub(crate) struct Buckets<K> {
    /// Time that one request takes.
    cost: Duration,
    /// How far ahead of now a bucket may be.
    depth: Duration,
    full_at: Mutex<HashMap<Option<K>, Instant>>,
}

/// Somebody asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften {
    /// When the next request will be served.
    pub(crate) retry_after: Duration,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        let cost = Duration::from_secs(1) / rate.per_second.get();
        Self { cost, depth: cost * (rate.burst.get() - 1), full_at: Mutex::default() }
    }

    /// Takes one request out of a bucket.
    pub(crate) fn take(&self, who: &K, now: Instant) -> Result<(), TooOften> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bucket = Some(who.clone());
        if BUCKETS_MAX <= full_at.len() && !full_at.contains_key(&bucket) {
            full_at.retain(|_, full_at| now < *full_at);
            if BUCKETS_MAX <= full_at.len() {
                bucket = None;
            }
        }
        let moment = full_at.entry(bucket).or_insert(now);
        let full_again = (*moment).max(now);
        let ahead = full_again.saturating_duration_since(now);
        if self.depth < ahead {
            return Err(TooOften { retry_after: ahead - self.depth });
        }
        *moment = full_again + self.cost;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn buckets(per_second: u32, burst: u32) -> Buckets<u32> {
        let number = |number| NonZeroU32::new(number).expect("not zero");
        Buckets::new(Rate { per_second: number(per_second), burst: number(burst) })
    }

    #[test]
    fn a_burst_passes_then_one_per_interval_and_a_refusal_costs_nothing() {
        let (buckets, start) = (buckets(10, 3), Instant::now());
        let taken = |at: Duration| buckets.take(&1, start + at).is_ok();
        let ms = Duration::from_millis;
        assert_eq!([(); 4].map(|()| taken(ms(0))), [true, true, true, false]);
        assert_eq!(buckets.take(&1, start), Err(TooOften { retry_after: ms(100) }));
        assert_eq!([taken(ms(99)), taken(ms(100)), taken(ms(100))], [false, true, false]);
        assert!(taken(ms(200)), "one every 100 ms");
    }

    #[test]
    fn one_who_asks_too_often_costs_the_others_nothing() {
        let (buckets, now) = (buckets(1, 1), Instant::now());
        assert!(buckets.take(&1, now).is_ok() && buckets.take(&1, now).is_err());
        assert!(buckets.take(&2, now).is_ok());
    }

    #[test]
    fn a_customer_has_one_bucket_for_a_network_of_64_bits() {
        let same = |one: &str, other: &str| {
            let of = |text: &str| one_customer(text.parse().expect("an address"));
            of(one) == of(other)
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn buckets_are_bounded_and_full_ones_forgotten() {
        let (buckets, now) = (buckets(1, 1), Instant::now());
        let many = u32::try_from(BUCKETS_MAX).expect("small");
        assert!((0..many).all(|who| buckets.take(&who, now).is_ok()));
        assert!(
            buckets.take(&many, now).is_ok() && buckets.take(&(many + 1), now).is_err(),
            "they share one"
        );
        let later = now + Duration::from_secs(2);
        assert!(buckets.take(&(many + 2), later).is_ok() && buckets.take(&(many + 3), later).is_ok());
        assert_eq!(buckets.full_at.lock().expect("not poisoned").len(), 2);
    }
}
