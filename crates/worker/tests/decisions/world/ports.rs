//! The world as a worker reaches it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{Outgoing, PublishError};
use bellhop_model::{CopyToken, Failure, Mode, OrganisationId, WebhookId};
use bellhop_sender::{Exchange, Request};
use bellhop_store::{Claim, ClaimedAttempt, Subscriptions};
use bellhop_worker::Ports;
use time::OffsetDateTime;

use super::broker::Fate;
use super::diversions::SLOW_AFTER;
use super::endpoints::{Called, Learnt, Reply};
use super::outages;
use super::store;
use super::turns::Turn;
use super::{State, World};

/// The promise: a change to a webhook holds within this time, as long as the truth can be reached.
const STALENESS_MAX: Duration = Duration::from_secs(5);

/// The same while it cannot.
const STALENESS_MAX_IN_OUTAGE: Duration = Duration::from_secs(60 * 60);

/// One worker's place in the world.
pub(crate) struct Seat {
    pub(crate) world: World,
    pub(crate) worker: usize,
}

impl Ports for Seat {
    async fn subscriptions(&self, mode: Mode, organisation: &OrganisationId) -> Option<Arc<Subscriptions>> {
        self.way().await;
        if self.world.with(|state| outages::end(&state.outages.panicking, state.now).is_some()) {
            panic_quietly();
        }
        self.world.with(|state| state.tell_subscriptions(self.worker, &(mode, organisation.clone())))
    }

    async fn claim(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> Option<Claim> {
        self.way().await;
        let claimed = self.world.with(|state| state.claim(&attempt, copy));
        self.way().await;
        claimed
    }

    async fn conclude(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) {
        self.way().await;
        self.world.with(|state| state.conclude(&attempt, copy));
        self.way().await;
    }

    async fn disable_gone(&self, webhook: &WebhookId) -> bool {
        self.way().await;
        let is_written = self.world.with(|state| state.disable_gone(webhook));
        self.way().await;
        is_written
    }

    async fn send(&self, request: Request<'_>) -> Exchange {
        let (webhook, revision) = store::called(request.url().expose());
        let stay = self.world.with(|state| state.begin_request(webhook, revision));
        self.way().await;
        let call = self.world.with(|state| state.reach_endpoint(webhook, revision));
        let answer_time = self.world.with(|state| state.answer_time(webhook, call));
        self.turn_after(answer_time).await;
        let reply = self.world.with(|state| state.answer(call, stay, answer_time));
        let outcome = reply.outcome();
        let outcome = outcome.unwrap_or_else(|| panic_quietly());
        Exchange::new(outcome, answer_time)
    }

    async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        self.way().await;
        while let Some(end) = self.world.with(|state| outages::end(&state.outages.publishing, state.now)) {
            self.world.with(|state| state.note(|| "  finds the broker blocked".to_owned()));
            self.world.turn_at(end).await;
        }
        let stored = self.world.with(|state| {
            let fate = state.next_fate();
            state.publish(message, fate)
        });
        self.way().await;
        stored
    }

    async fn ready(&self) {
        while let Some(end) = self.world.with(|state| outages::end(&state.outages.publishing, state.now)) {
            self.world.turn_at(end).await;
        }
    }

    async fn pause(&self, duration: Duration) {
        self.turn_after(duration).await;
    }

    fn now(&self) -> OffsetDateTime {
        self.world.with(|state| state.wall())
    }

    fn random(&self) -> [u8; 16] {
        self.world.with(|state| state.dice.bytes())
    }
}

impl Seat {
    /// The way to a server, or back.
    fn way(&self) -> Turn {
        let takes = self.world.with(|state| state.takes(state.nature.latency_max));
        self.turn_after(takes)
    }

    fn turn_after(&self, duration: Duration) -> Turn {
        let at = self.world.with(|state| state.now + duration);
        self.world.turn_at(at)
    }
}

impl State {
    /// How long something takes this time: often no time at all, so that much happens at once.
    fn takes(&mut self, longest: Duration) -> Duration {
        if longest.is_zero() || !self.dice.is_one_in(3) { Duration::ZERO } else { self.dice.up_to(longest) }
    }

    /// How long a request takes: one that hangs, until the deadline.
    fn answer_time(&mut self, webhook: usize, call: usize) -> Duration {
        let longest = self.nature.answer_time_max;
        match (self.endpoints.answer_time(webhook), self.endpoints.calls[call].reply) {
            (Some(answer_time), _) => answer_time,
            (None, Reply::Failure(Failure::TimedOut)) => longest,
            (None, _) => self.takes(longest),
        }
    }

    fn tell_subscriptions(&mut self, worker: usize, scope: &store::Scope) -> Option<Arc<Subscriptions>> {
        let Self { now, dice, nature, store, outages, .. } = self;
        let told =
            match outages::end(&outages.store, *now) {
                // Memory and Redis may still have something, of any age up to the bound.
                Some(_) if !nature.staleness_max.is_zero() && dice.is_one_in(2) => {
                    Some(store.view(worker, scope, now.saturating_sub(STALENESS_MAX_IN_OUTAGE), |_| 0))
                }
                Some(_) => None,
                None => {
                    let oldest = now.saturating_sub(nature.staleness_max);
                    let is_calm = nature.staleness_max.is_zero();
                    Some(store.view(worker, scope, oldest, |count| {
                        if is_calm { count - 1 } else { dice.below(count) }
                    }))
                }
            };
        let version = told.as_ref().map(|told| told.version);
        if told.is_none() {
            self.hands.leave_untold();
        }
        self.note(|| format!("  is told subscriptions: version {version:?}"));
        told
    }

    fn claim(&mut self, attempt: &ClaimedAttempt<'_>, copy: &CopyToken) -> Option<Claim> {
        let claimed = match outages::end(&self.outages.claims, self.now) {
            Some(_) => None,
            None => Some(self.store.claim(attempt, copy)),
        };
        self.note(|| format!("  claims attempt {} of {}: {claimed:?}", attempt.attempt, attempt.delivery));
        if claimed.is_none() {
            let event = self.hands.current().event;
            let unclaimed = self.wanting(event).into_iter().map(|webhook| (event, webhook));
            self.unclaimed.extend(unclaimed);
        }
        claimed
    }

    fn conclude(&mut self, attempt: &ClaimedAttempt<'_>, copy: &CopyToken) {
        let is_noted = outages::end(&self.outages.claims, self.now).is_none();
        if is_noted {
            self.store.conclude(attempt, copy);
        }
        self.note(|| format!("  concludes attempt {} of {}: {is_noted}", attempt.attempt, attempt.delivery));
    }

    fn disable_gone(&mut self, webhook: &WebhookId) -> bool {
        let (index, now) = (self.store.index(webhook), self.now);
        let is_written = outages::end(&self.outages.store, now).is_none();
        if is_written {
            self.store.disable(index, now);
        }
        self.note(|| format!("  disables webhook {index}: {is_written}"));
        is_written
    }

    fn next_fate(&mut self) -> Fate {
        if let Some(fate) = self.broker.fates.pop_front() {
            return fate;
        }
        if self.nature.faults_left == 0 || !self.dice.is_one_in(8) {
            return Fate::Usual;
        }
        self.nature.faults_left -= 1;
        let error = *self.dice.pick(&[PublishError::Interrupted, PublishError::TimedOut]);
        *self.dice.pick(&[Fate::Refused, Fate::Vanished(error), Fate::StoredUnseen(error)])
    }

    /// A worker is about to send. What it must not do is seen here, before the first byte.
    ///
    /// * returns its stay.
    fn begin_request(&mut self, webhook: usize, revision: usize) -> usize {
        let (now, hand) = (self.now, self.hands.current());
        let (event, worker) = (hand.event, hand.worker);
        if hand.is_lost {
            self.violate(format!(
                "event {event} is sent to webhook {webhook} from a session known to be lost"
            ));
        }
        if outages::end(&self.outages.publishing, now).is_some() {
            self.violate(format!(
                "event {event} is sent to webhook {webhook} while its result could not be stored"
            ));
        }
        if !self.wanting(event).contains(&webhook) {
            self.violate(format!("event {event} is sent to webhook {webhook}, which does not want it"));
        }
        let under_way = self.endpoints.stays.at(worker, webhook, None);
        if self.places_max <= under_way {
            self.violate(format!("worker {worker} has {under_way} requests under way at webhook {webhook}"));
        }
        self.judge_lane(webhook);
        if !self.is_still_known(webhook, revision) {
            self.violate(format!(
                "event {event} is sent to revision {revision} of webhook {webhook}, long gone"
            ));
        }
        self.enter_lane(webhook)
    }

    /// Whether a worker may still believe in a webhook's revision: it was in force within the bound on staleness.
    fn is_still_known(&self, webhook: usize, revision: usize) -> bool {
        let reach = STALENESS_MAX + 4 * self.nature.latency_max;
        let then = self.now.saturating_sub(reach)..self.now;
        let is_away = self.outages.store.iter().any(|away| away.start <= then.end && then.start <= away.end);
        let longer = self.now.saturating_sub(STALENESS_MAX_IN_OUTAGE + reach)..self.now;
        self.store.webhooks[webhook].was_in_force(revision, if is_away { &longer } else { &then })
    }

    fn reach_endpoint(&mut self, webhook: usize, revision: usize) -> usize {
        let hand = self.hands.current();
        let (event, worker) = (hand.event, hand.worker);
        let attempt = hand.attempt.expect("a message that was sent says which attempt");
        let is_unlucky = self.nature.faults_left != 0 && self.dice.is_one_in(40);
        let reply = if is_unlucky {
            self.nature.faults_left -= 1;
            Reply::Panic
        } else {
            self.endpoints.reply(webhook, &mut self.dice)
        };
        let call =
            Called { worker, event, webhook, revision, attempt, at: self.now, reply, answered_at: None };
        self.note(|| format!("  attempt {attempt} of event {event} reaches webhook {webhook}: {reply:?}"));
        self.hands.begin([(event, webhook)]);
        self.endpoints.calls.push(call);
        self.endpoints.calls.len() - 1
    }

    fn answer(&mut self, call: usize, stay: usize, took: Duration) -> Reply {
        let Self { endpoints, now, .. } = self;
        let call = &mut endpoints.calls[call];
        call.answered_at = Some(*now);
        let (worker, webhook, reply) = (call.worker, call.webhook, call.reply);
        endpoints.stays.end(stay, *now);
        if reply.outcome().is_some() {
            let is_quick = reply.is_success() && took <= SLOW_AFTER;
            endpoints.see(worker, webhook, Learnt { at: *now, took, is_quick });
        }
        reply
    }
}

/// Unlike `panic!` this prints nothing: thousands of them would bury what a failing seed has to say.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("a panic that a test asked for"))
}
