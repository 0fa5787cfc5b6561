//! What a detour must be: from the fresh lane, of one first attempt, for a reason; and where one must have been made.

use std::time::Duration;

use bellhop_broker::Outgoing;
use bellhop_worker::LaneKind;

use super::State;
use super::endpoints::Called;
use super::stays::{FreshLane, Stay};

/// A webhook is slow whose attempts take longer.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(1);

/// From when on a request may have been under way for so long: the way to the endpoint is part of it.
const SLOW_AFTER_ARRIVAL: Duration = Duration::from_millis(500);

/// How long ago it may have been decided: the way to the broker.
const DECIDED_AGO: Duration = Duration::from_millis(500);

/// How much of a lane old attempts may hold: one part in so many.
const OLD_PARTS: usize = 4;

/// How many requests may be under way at a webhook that nothing speaks for, in all lanes.
const UNPROVEN_AT_ONCE: usize = 2;

/// For how long a quick success speaks for a webhook.
const QUICK_FOR: Duration = Duration::from_secs(60);

/// A worker may forget what it has not seen for longer.
const REMEMBERED: Duration = Duration::from_secs(30 * 60);

impl State {
    /// Judges a message to a slow lane.
    pub(super) fn judge_diversion(&mut self, queue: &str, message: &Outgoing) {
        if !queue.ends_with(".slow") {
            return;
        }
        let header = |name: &str| {
            message.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
        };
        let (is_first, is_one) =
            (header("bellhop-attempt") == Some("1"), header("bellhop-webhook").is_some());
        let hand = self.hands.current();
        let (event, worker, lane) = (hand.event, hand.worker, hand.lane);
        if lane != LaneKind::Fresh {
            self.violate(format!("event {event} is diverted from the lane {}", lane.as_str()));
        }
        if !is_first || !is_one {
            self.violate(format!("event {event} is diverted, but not as the first attempt at one webhook"));
        }
        for (_, webhook) in self.carried(event, message) {
            // What was decided once is only tried again.
            let is_new = self.hands.divert(webhook);
            self.diverted += usize::from(is_new);
            let is_right = self.is_slow(worker, webhook)
                || self.is_suspect(worker, webhook)
                || self.is_crowded(worker, webhook)
                || UNPROVEN_AT_ONCE <= self.under_way_lately(worker, webhook);
            // Whoever waits for a broker that blocks decided long ago.
            if is_new && !is_right && self.outages.publishing.is_empty() {
                self.violate(format!("event {event} is diverted from webhook {webhook} for no reason"));
            }
        }
    }

    /// Judges a request that is about to be made: who is known as slow is not called from the fresh lane.
    pub(super) fn judge_lane(&mut self, webhook: usize) {
        let hand = self.hands.current();
        let (event, worker, lane) = (hand.event, hand.worker, hand.lane);
        // Who waited for the broker asked before that.
        let is_settled = self.outages.publishing.is_empty();
        let seen = self.endpoints.seen(worker, webhook).filter(|seen| self.now <= seen.at + REMEMBERED);
        if lane == LaneKind::Fresh && is_settled && seen.is_some_and(|seen| SLOW_AFTER < seen.shortest) {
            self.violate(format!("event {event} is sent to slow webhook {webhook} from the fresh lane"));
        }
        let is_crowded =
            self.endpoints.stays.is_crowded(self.fresh_lane(worker, webhook), self.lane_max, None);
        if lane == LaneKind::Fresh && is_settled && is_crowded && !self.is_proven(worker, webhook) {
            self.violate(format!("event {event} is sent to webhook {webhook} from a crowded lane"));
        }
        let under_way = self.endpoints.stays.at(worker, webhook, None);
        let is_too_many = UNPROVEN_AT_ONCE <= under_way && !self.is_proven(worker, webhook);
        if lane == LaneKind::Fresh && is_settled && is_too_many {
            self.violate(format!("event {event} joins {under_way} requests at unproven webhook {webhook}"));
        }
    }

    /// Notes a request that is made.
    pub(super) fn enter_lane(&mut self, webhook: usize) -> usize {
        let hand = self.hands.current();
        let (worker, lane) = (hand.worker, hand.lane);
        let (_, mode) = self.fresh_lane(worker, webhook);
        let is_proven = self.is_proven(worker, webhook);
        self.endpoints.stays.begin(Stay { worker, mode, lane, webhook, is_proven }, self.now)
    }

    fn fresh_lane(&self, worker: usize, webhook: usize) -> FreshLane {
        (worker, self.store.webhooks[webhook].scope.0)
    }

    fn is_proven(&self, worker: usize, webhook: usize) -> bool {
        let quick_at = self.endpoints.seen(worker, webhook).and_then(|seen| seen.quick_at);
        quick_at.is_some_and(|at| self.now <= at + QUICK_FOR)
    }

    fn is_slow(&self, worker: usize, webhook: usize) -> bool {
        let decided_since = self.now.saturating_sub(DECIDED_AGO);
        // While the lane is filling, a request may be old enough when it has only just arrived.
        let fresh = self.fresh_lane(worker, webhook);
        let is_filling = self.endpoints.stays.is_filling(fresh, self.lane_max, decided_since);
        let is_old = |call: &Called| match call.answered_at {
            Some(at) => SLOW_AFTER_ARRIVAL <= at - call.at || is_filling && decided_since <= at,
            None => SLOW_AFTER_ARRIVAL <= self.now - call.at || is_filling,
        };
        self.calls_of(worker).any(|call| call.webhook == webhook && is_old(call))
    }

    fn is_crowded(&self, worker: usize, webhook: usize) -> bool {
        let is_old = |call: &&Called| {
            let ended_at = call.answered_at.unwrap_or(self.now);
            self.now <= ended_at + DECIDED_AGO && SLOW_AFTER_ARRIVAL <= ended_at - call.at
        };
        let decided_since = self.now.saturating_sub(DECIDED_AGO);
        let fresh = self.fresh_lane(worker, webhook);
        self.lane_max < self.calls_of(worker).filter(is_old).count() * OLD_PARTS
            || self.endpoints.stays.is_crowded(fresh, self.lane_max, Some(decided_since))
    }

    /// How many requests at a webhook were under way at some time since a diversion may have been decided.
    fn under_way_lately(&self, worker: usize, webhook: usize) -> usize {
        let decided_since = self.now.saturating_sub(DECIDED_AGO);
        self.endpoints.stays.at(worker, webhook, Some(decided_since))
    }

    fn calls_of(&self, worker: usize) -> impl Iterator<Item = &Called> {
        self.endpoints.calls.iter().filter(move |call| call.worker == worker)
    }
}
