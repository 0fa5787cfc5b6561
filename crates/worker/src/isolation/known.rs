//! What is known about many, within bounds: whoever was not seen for a while is forgotten.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;

/// Most entries. Webhooks that fail for good come and go with their deliveries, so that memory stays flat.
pub(crate) const ENTRIES_MAX: usize = 10_000;

/// How many stay when there are too many, those seen last; so that not every newcomer has all looked through.
const ENTRIES_KEPT: usize = ENTRIES_MAX / 4 * 3;

/// Whoever was not seen for so long is forgotten. Longer than the longest cool-down, so that a breaker is remembered
/// until it may be probed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// How often it is looked who can be forgotten.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Entries by their names.
#[derive(Debug)]
pub(crate) struct Known<V> {
    entries: HashMap<Box<str>, Seen<V>>,
    looked_at: OffsetDateTime,
}

#[derive(Debug)]
struct Seen<V> {
    value: V,
    at: OffsetDateTime,
}

/// Something that may be forgotten while it is not in use.
pub(crate) trait Forgettable {
    /// Whether somebody relies on it now.
    fn is_in_use(&self) -> bool;
}

impl<V: Forgettable> Known<V> {
    pub(crate) fn new() -> Self {
        Self { entries: HashMap::new(), looked_at: OffsetDateTime::UNIX_EPOCH }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Finds an entry, and sees it.
    pub(crate) fn get(&mut self, name: &str, now: OffsetDateTime) -> Option<&mut V> {
        let seen = self.entries.get_mut(name)?;
        seen.at = now;
        Some(&mut seen.value)
    }

    /// Finds an entry without seeing it.
    pub(crate) fn peek(&mut self, name: &str) -> Option<&mut V> {
        self.entries.get_mut(name).map(|seen| &mut seen.value)
    }

    /// Finds an entry, and sees it; makes it when there is none.
    pub(crate) fn get_or_insert(
        &mut self,
        name: &str,
        now: OffsetDateTime,
        make: impl FnOnce() -> V,
    ) -> &mut V {
        if !self.entries.contains_key(name) {
            self.forget(now);
            self.entries.insert(name.into(), Seen { value: make(), at: now });
        }
        self.get(name, now).expect("it was there, or was made")
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    fn forget(&mut self, now: OffsetDateTime) {
        let is_full = ENTRIES_MAX <= self.entries.len();
        if !is_full && (now - self.looked_at).unsigned_abs() < LOOK_INTERVAL {
            return;
        }
        self.looked_at = now;
        let is_kept =
            |seen: &Seen<V>| seen.value.is_in_use() || (now - seen.at).unsigned_abs() < FORGOTTEN_AFTER;
        self.entries.retain(|_, seen| is_kept(seen));
        if ENTRIES_KEPT < self.entries.len() && is_full {
            let mut seen: Vec<OffsetDateTime> = self.entries.values().map(|seen| seen.at).collect();
            seen.sort_unstable();
            let oldest_kept = seen[seen.len() - ENTRIES_KEPT];
            self.entries.retain(|_, seen| seen.value.is_in_use() || oldest_kept < seen.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Value {
        is_in_use: bool,
    }

    impl Forgettable for Value {
        fn is_in_use(&self) -> bool {
            self.is_in_use
        }
    }

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn see(known: &mut Known<Value>, name: &str, seconds: u64, is_in_use: bool) {
        known.get_or_insert(name, START + Duration::from_secs(seconds), || Value { is_in_use });
    }

    fn knows(known: &Known<Value>, name: &str) -> bool {
        known.entries.contains_key(name)
    }

    #[test]
    fn who_was_not_seen_for_an_hour_is_forgotten_unless_in_use() {
        let mut known = Known::new();
        see(&mut known, "gone", 0, false);
        see(&mut known, "used", 0, true);
        see(&mut known, "seen", 0, false);
        see(&mut known, "seen", 1_000, false);
        see(&mut known, "new", 3_700, false);
        assert_eq!(
            ["gone", "used", "seen", "new"].map(|name| knows(&known, name)),
            [false, true, true, true]
        );
    }

    #[test]
    fn there_are_never_more_than_the_bound_and_who_was_seen_last_stays() {
        let mut known = Known::new();
        for number in 0..3 * ENTRIES_MAX {
            see(&mut known, &number.to_string(), number as u64 / 10, false);
            assert!(known.len() <= ENTRIES_MAX && knows(&known, &number.to_string()));
        }
        assert!(!knows(&known, "0") && knows(&known, &(3 * ENTRIES_MAX - ENTRIES_KEPT / 2).to_string()));
    }

    #[test]
    fn many_who_come_at_the_same_moment_stay_within_the_bound() {
        let mut known = Known::new();
        for number in 0..2 * ENTRIES_MAX {
            see(&mut known, &number.to_string(), 7, false);
            assert!(known.len() <= ENTRIES_MAX);
        }
    }
}
