//! This process's own copy of subscriptions, and the rule by which one reading replaces another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bellhop_model::{Mode, OrganisationId};
use moka::future::Cache;
use moka::ops::compute::Op;
use tokio::time::Instant;

use crate::limits::{REREAD_AFTER, STALE_RETRY_AFTER};
use crate::scope::Scope;
use crate::{MemoryOptions, Subscriptions};

/// What an entry takes beside its subscriptions, in bytes.
const ENTRY_BYTES: usize = 256;

/// A bounded copy per mode, so that a flood in Test Mode cannot push live organisations out.
pub(crate) struct Memory {
    live: Cache<OrganisationId, Slot>,
    test: Cache<OrganisationId, Slot>,
    options: MemoryOptions,
    /// Raised when everything must be read again; what was read in an earlier epoch is stale.
    epoch: AtomicU64,
    /// When the last look into the truth began that told of every change before it, in milliseconds since `made_at`.
    looked_at_ms: AtomicU64,
    made_at: Instant,
}

/// What memory has to say.
#[derive(Debug)]
pub(crate) enum Found {
    /// Read recently enough to be used.
    Fresh(Arc<Subscriptions>),
    /// Older, but the servers were tried a moment ago and could not be reached.
    Stale(Arc<Subscriptions>),
    /// Nothing, or something that must be read again first.
    Unknown,
}

/// Subscriptions just read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) subscriptions: Arc<Subscriptions>,
    /// When the read began: what it says was true at some time after that.
    pub(crate) started_at: Instant,
    pub(crate) source: Source,
}

/// Where a reading comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Redis.
    Copy,
    /// PostgreSQL.
    Truth,
}

/// What is known about one organisation.
#[derive(Debug, Clone)]
struct Slot {
    /// The newest version heard of. What is held is never older.
    floor: i64,
    /// When that version was heard of.
    raised_at: Instant,
    held: Option<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    subscriptions: Arc<Subscriptions>,
    read_at: Instant,
    epoch: u64,
    /// After a failure to read again: when to try next.
    retry_at: Option<Instant>,
}

impl Memory {
    pub(crate) fn new(options: MemoryOptions) -> Self {
        Self {
            live: cache(&options),
            test: cache(&options),
            options,
            epoch: AtomicU64::new(0),
            looked_at_ms: AtomicU64::new(0),
            made_at: Instant::now(),
        }
    }

    /// Looks an organisation up. This is the path of every event.
    pub(crate) async fn find(&self, mode: Mode, organisation: &OrganisationId) -> Found {
        let Some(Slot { held: Some(held), .. }) = self.cache(mode).get(organisation).await else {
            return Found::Unknown;
        };
        let now = Instant::now();
        let age = now.saturating_duration_since(held.read_at);
        let is_current =
            age < self.options.revalidate_after || (age < REREAD_AFTER && self.was_looked_at(now));
        if is_current && held.epoch == self.epoch.load(Ordering::Acquire) {
            return Found::Fresh(held.subscriptions);
        }
        if age <= self.options.stale_max && held.retry_at.is_some_and(|retry_at| now < retry_at) {
            return Found::Stale(held.subscriptions);
        }
        Found::Unknown
    }

    /// Offers a reading; it is refused when something newer has been heard of.
    ///
    /// * returns whether it is held now.
    pub(crate) async fn offer(&self, scope: &Scope, reading: &Reading) -> bool {
        let epoch = self.epoch.load(Ordering::Acquire);
        let mut is_held = false;
        self.cache(scope.mode)
            .entry_by_ref(&scope.organisation)
            .and_compute_with(|entry| {
                let slot = entry.map(moka::Entry::into_value);
                let replaced = replace(slot.as_ref(), reading, epoch, Instant::now());
                is_held = replaced.is_some();
                std::future::ready(replaced.map_or(Op::Nop, Op::Put))
            })
            .await;
        is_held
    }

    /// Notes that an organisation has reached a version, and drops what is older.
    ///
    /// * returns whether that is news.
    pub(crate) async fn raise(&self, scope: &Scope, version: i64) -> bool {
        let mut is_news = false;
        self.cache(scope.mode)
            .entry_by_ref(&scope.organisation)
            .and_compute_with(|entry| {
                is_news = entry.is_none_or(|entry| entry.value().floor < version);
                let raised = Slot { floor: version, raised_at: Instant::now(), held: None };
                std::future::ready(if is_news { Op::Put(raised) } else { Op::Nop })
            })
            .await;
        is_news
    }

    /// Notes that every change before a moment has been raised. What is still held was right at that moment, so it need
    /// not be read again one by one.
    pub(crate) fn note_look(&self, began_at: Instant) {
        let since = began_at.saturating_duration_since(self.made_at);
        self.looked_at_ms.fetch_max(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    /// Has everything read again before it is used next. Copies stay, for when nothing can be read.
    pub(crate) fn expire_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes a stale copy after the servers could not be reached, and keeps using it for a moment before they are
    /// tried again; `None` when there is none, or only one too old.
    pub(crate) async fn fall_back(&self, scope: &Scope) -> Option<Arc<Subscriptions>> {
        let now = Instant::now();
        let mut found = None;
        self.cache(scope.mode)
            .entry_by_ref(&scope.organisation)
            .and_compute_with(|entry| {
                let mut slot = entry.map(moka::Entry::into_value);
                let held = slot.as_mut().and_then(|slot| slot.held.as_mut());
                let held =
                    held.filter(|held| now.saturating_duration_since(held.read_at) <= self.options.stale_max);
                if let Some(held) = held {
                    held.retry_at = Some(now + STALE_RETRY_AFTER);
                    found = Some(Arc::clone(&held.subscriptions));
                }
                std::future::ready(slot.filter(|_| found.is_some()).map_or(Op::Nop, Op::Put))
            })
            .await;
        found
    }

    fn was_looked_at(&self, now: Instant) -> bool {
        let looked_at_ms = self.looked_at_ms.load(Ordering::Acquire);
        let looked_at = self.made_at + Duration::from_millis(looked_at_ms);
        looked_at_ms != 0 && now.saturating_duration_since(looked_at) < self.options.revalidate_after
    }

    fn cache(&self, mode: Mode) -> &Cache<OrganisationId, Slot> {
        match mode {
            Mode::Live => &self.live,
            Mode::Test => &self.test,
        }
    }
}

/// The rule: a reading is taken unless it is older than the newest version heard of.
///
/// One exception: the truth itself, read entirely after that version was heard of. Then the truth went back, as it does
/// when PostgreSQL is restored from a backup or fails over without its last writes, and it is right.
fn replace(slot: Option<&Slot>, reading: &Reading, epoch: u64, now: Instant) -> Option<Slot> {
    let version = reading.subscriptions.version;
    let mut read_at = reading.started_at;
    let mut raised_at = now;
    if let Some(slot) = slot {
        let has_gone_back = reading.source == Source::Truth && slot.raised_at < reading.started_at;
        if version < slot.floor && !has_gone_back {
            return None;
        }
        if version == slot.floor {
            raised_at = slot.raised_at;
            // Two reads of one version may end in the other order than they began.
            read_at = slot.held.as_ref().map_or(read_at, |held| held.read_at.max(read_at));
        }
    }
    let subscriptions = Arc::clone(&reading.subscriptions);
    Some(Slot {
        floor: version,
        raised_at,
        held: Some(Held { subscriptions, read_at, epoch, retry_at: None }),
    })
}

fn cache(options: &MemoryOptions) -> Cache<OrganisationId, Slot> {
    Cache::builder()
        .max_capacity(options.bytes_max)
        .weigher(|organisation: &OrganisationId, slot: &Slot| {
            let held = slot.held.as_ref().map_or(0, |held| held.subscriptions.bytes());
            u32::try_from(ENTRY_BYTES + organisation.as_str().len() + held).unwrap_or(u32::MAX)
        })
        // Twice, because the cache counts from the last change of an entry and by a clock of its own; what is too
        // old to be used is judged above.
        .time_to_live(options.stale_max.max(Duration::from_secs(1)) * 2)
        .build()
}

#[cfg(test)]
mod tests;
