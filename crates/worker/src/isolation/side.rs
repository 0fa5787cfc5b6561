//! One mode's webhooks and hosts. Live and test share nothing here, so that neither can crowd out the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bellhop_model::{Failure, Mode, Outcome, WebhookId};
use prometheus::IntGauge;
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;

use super::breaker::{Breaker, Evidence, Passage};
use super::cap::Cap;
use super::crowd::Crowd;
use super::detour::SLOW_AFTER;
use super::known::{Forgettable, Known};
use super::metrics::{Guarded, IsolationMetrics};
use super::pace::{Pace, has_come};
use super::place::Place;
use super::silence::Silence;
use super::{Asking, Deferral, Refusal, UNAVAILABLE_AGE_MAX};

/// What is known of one mode.
#[derive(Debug)]
pub(crate) struct Side {
    mode: Mode,
    places_max: u16,
    webhooks: Mutex<Known<Arc<Standing>>>,
    /// Hosts that something speaks against; the others are not kept.
    hosts: Mutex<Known<Switch>>,
    /// How many they are, so that nobody looks for a host while all are well.
    hosts_known: AtomicUsize,
    /// The attempts under way from the fresh lane.
    pub(super) crowd: Arc<Crowd>,
    metrics: IsolationMetrics,
}

/// How a webhook stands: its places, and how it has behaved.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) cap: Cap,
    pub(super) silence: Silence,
    conduct: Mutex<Conduct>,
}

/// How a webhook has behaved.
#[derive(Debug)]
pub(crate) struct Conduct {
    pub(crate) pace: Pace,
    pub(crate) switch: Switch,
    /// When it last answered with success, and quickly.
    pub(super) quick_at: Option<OffsetDateTime>,
}

/// A breaker that is counted while it is open.
#[derive(Debug)]
pub(crate) struct Switch {
    breaker: Breaker,
    is_probed: bool,
    open: IntGauge,
}

impl Side {
    /// * `fresh_in_flight_max`: how many messages the mode's fresh lane has in hand at most.
    pub(crate) fn new(
        mode: Mode,
        places_max: u16,
        fresh_in_flight_max: u16,
        metrics: IsolationMetrics,
    ) -> Self {
        let (webhooks, hosts) = (Mutex::new(Known::new()), Mutex::new(Known::new()));
        let (hosts_known, crowd) = (AtomicUsize::new(0), Arc::new(Crowd::new(fresh_in_flight_max)));
        Self { mode, places_max, webhooks, hosts, hosts_known, crowd, metrics }
    }

    /// How a webhook stands.
    pub(crate) fn standing(&self, webhook: &WebhookId, now: OffsetDateTime) -> Arc<Standing> {
        let make = || {
            let switch = Switch::new(now, self.metrics.open(self.mode, Guarded::Webhook));
            let conduct = Mutex::new(Conduct { pace: Pace::new(now), switch, quick_at: None });
            Arc::new(Standing { cap: Cap::new(self.places_max), silence: Silence::default(), conduct })
        };
        Arc::clone(lock(&self.webhooks).get_or_insert(webhook.as_str(), now, make))
    }

    /// Whether an attempt would be refused even if there were a place for it.
    pub(crate) fn refusal(
        &self,
        standing: &Standing,
        asking: &Asking<'_>,
        now: OffsetDateTime,
    ) -> Option<Refusal> {
        let mut conduct = standing.conduct();
        if let Some(detour) = self.detour(standing, &conduct, asking, now) {
            return Some(Refusal::Diverted(detour));
        }
        if asking.is_overdue() {
            return None;
        }
        let refused = conduct.switch.breaker.refuses(now);
        drop(conduct);
        let of_host = || self.with_host(asking.origin, now, |host| host.breaker.refuses(now)).flatten();
        refused.or_else(of_host).map(|wait| Deferral::Unavailable { wait }.into())
    }

    /// Turns a permit into a place, unless the delivery is to leave its lane, or a breaker refuses it.
    pub(crate) fn admit(
        self: &Arc<Self>,
        standing: Arc<Standing>,
        permit: OwnedSemaphorePermit,
        asking: &Asking<'_>,
        now: OffsetDateTime,
    ) -> Result<Place, Refusal> {
        let mut conduct = standing.conduct();
        if let Some(detour) = self.detour(&standing, &conduct, asking, now) {
            return Err(Refusal::Diverted(detour));
        }
        let (passage, is_proven) = (conduct.switch.ask(now), conduct.is_proven(now));
        drop(conduct);
        // From here on a probe that is not made is abandoned with the place.
        let mut place = Place::new(Arc::clone(self), standing, permit, (passage, is_proven));
        let passage_of_host = self.with_host(asking.origin, now, |host| host.ask(now));
        if passage_of_host == Some(Passage::Probe) {
            place.probe_host(asking.origin);
        }
        match [Some(passage), passage_of_host].into_iter().flatten().find_map(Passage::refused) {
            Some(wait) if !asking.is_overdue() => Err(Deferral::Unavailable { wait }.into()),
            _ => Ok(place),
        }
    }

    /// Learns from an attempt at a host.
    pub(crate) fn observe_host(
        &self,
        origin: &str,
        outcome: &Outcome,
        passage: Passage,
        now: OffsetDateTime,
    ) {
        let evidence = evidence_on_host(outcome);
        if evidence != Evidence::Bad && self.hosts_known.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut hosts = lock(&self.hosts);
        if evidence == Evidence::Bad {
            let make = || Switch::new(now, self.metrics.open(self.mode, Guarded::Host));
            hosts.get_or_insert(origin, now, make).observe(evidence, passage, now);
        } else if let Some(host) = hosts.get(origin, now) {
            host.observe(evidence, passage, now);
            if host.breaker.is_blank() {
                hosts.remove(origin);
            }
        }
        self.hosts_known.store(hosts.len(), Ordering::Relaxed);
        self.count_probe(Guarded::Host, evidence, passage);
    }

    /// Learns from an attempt at a webhook.
    pub(crate) fn observe_webhook(
        &self,
        standing: &Standing,
        (outcome, duration): (&Outcome, Duration),
        passage: Passage,
        now: OffsetDateTime,
    ) {
        let evidence = evidence_on_webhook(outcome);
        let mut conduct = standing.conduct();
        conduct.pace.observe(duration);
        if outcome.is_success() && duration <= SLOW_AFTER {
            conduct.quick_at = Some(now);
        }
        conduct.switch.observe(evidence, passage, now);
        self.count_probe(Guarded::Webhook, evidence, passage);
    }

    /// A probe was not made.
    pub(crate) fn abandon(&self, standing: &Standing) {
        standing.conduct().switch.abandon();
        self.metrics.count_probe(self.mode, Guarded::Webhook, "abandoned");
    }

    /// A probe of a host was not made.
    pub(crate) fn abandon_host(&self, origin: &str) {
        if let Some(host) = lock(&self.hosts).peek(origin) {
            host.abandon();
        }
        self.metrics.count_probe(self.mode, Guarded::Host, "abandoned");
    }

    /// Whether the breaker of a host is open.
    pub(super) fn is_host_open(&self, origin: &str, now: OffsetDateTime) -> bool {
        self.with_host(origin, now, |host| host.is_open()).unwrap_or(false)
    }

    fn count_probe(&self, guarded: Guarded, evidence: Evidence, passage: Passage) {
        if passage == Passage::Probe {
            let result = if evidence == Evidence::Bad { "failed" } else { "closed" };
            self.metrics.count_probe(self.mode, guarded, result);
        }
    }

    /// Does something with a host that something speaks against.
    fn with_host<T>(
        &self,
        origin: &str,
        now: OffsetDateTime,
        act: impl FnOnce(&mut Switch) -> T,
    ) -> Option<T> {
        if self.hosts_known.load(Ordering::Relaxed) == 0 {
            return None;
        }
        lock(&self.hosts).get(origin, now).map(act)
    }
}

impl Standing {
    pub(crate) fn conduct(&self) -> MutexGuard<'_, Conduct> {
        lock(&self.conduct)
    }

    /// When a delivery that finds neither place nor room has its turn. One whose turn is still to come keeps it.
    pub(crate) fn busy(&self, turn: Option<OffsetDateTime>, now: OffsetDateTime) -> Deferral {
        let to_come = turn.filter(|turn| !has_come(*turn, now));
        let book = || self.conduct().pace.book(now, self.cap.places(), self.cap.held());
        Deferral::Busy { turn: to_come.unwrap_or_else(book) }
    }
}

impl Switch {
    fn new(now: OffsetDateTime, open: IntGauge) -> Self {
        Self { breaker: Breaker::new(now), is_probed: false, open }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    fn ask(&mut self, now: OffsetDateTime) -> Passage {
        let passage = self.breaker.ask(now);
        self.is_probed |= passage == Passage::Probe;
        passage
    }

    fn observe(&mut self, evidence: Evidence, passage: Passage, now: OffsetDateTime) {
        let was_open = self.breaker.is_open();
        self.breaker.observe(evidence, passage, now);
        self.is_probed &= passage != Passage::Probe;
        match (was_open, self.breaker.is_open()) {
            (false, true) => self.open.inc(),
            (true, false) => self.open.dec(),
            (true, true) | (false, false) => {}
        }
    }

    fn abandon(&mut self) {
        self.is_probed = false;
        self.breaker.abandon();
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if self.breaker.is_open() {
            self.open.dec();
        }
    }
}

impl Forgettable for Arc<Standing> {
    /// Whoever holds a place, or waits for one, holds the standing.
    fn is_in_use(&self) -> bool {
        1 < Self::strong_count(self)
    }
}

impl Forgettable for Switch {
    fn is_in_use(&self) -> bool {
        self.is_probed
    }
}

impl Asking<'_> {
    /// Whether it has waited for long enough for what is unavailable.
    fn is_overdue(&self) -> bool {
        UNAVAILABLE_AGE_MAX <= self.age
    }
}

/// Only a request that hangs speaks against a webhook here; one that is refused, even by its network, costs little.
const fn evidence_on_webhook(outcome: &Outcome) -> Evidence {
    match outcome {
        Outcome::Failed(Failure::TimedOut) => Evidence::Bad,
        Outcome::Failed(_) | Outcome::Answered(_) => Evidence::Good,
    }
}

/// Only what happens before a request speaks against a host. A request that hangs says nothing: the host took it.
const fn evidence_on_host(outcome: &Outcome) -> Evidence {
    match outcome {
        Outcome::Failed(Failure::Dns | Failure::Connect | Failure::Tls) => Evidence::Bad,
        Outcome::Failed(Failure::TimedOut | Failure::ForbiddenAddress) => Evidence::Silent,
        Outcome::Failed(Failure::Interrupted | Failure::Protocol) | Outcome::Answered(_) => Evidence::Good,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
