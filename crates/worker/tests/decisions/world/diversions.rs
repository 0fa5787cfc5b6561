//! What a detour must be: from the fresh lane, of one first attempt, for a reason; and where one must have been made.

use std::time::Duration;

use bellhop_broker::Outgoing;
use bellhop_worker::LaneKind;

use super::State;
use super::endpoints::Called;

/// A webhook is slow whose attempts take longer.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// From when on a request may have been under way for so long: the way to the endpoint is part of it.
const SLOW_AFTER_ARRIVAL: Duration = Duration::from_millis(500);

/// How long ago it may have been decided: the way to the broker.
const DECIDED_AGO: Duration = Duration::from_millis(500);

/// How much of a lane old attempts may hold: one part in so many.
const OLD_PARTS: usize = 4;

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
            let is_right =
                self.is_slow(worker, webhook) || self.is_suspect(worker, webhook) || self.is_crowded(worker);
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
    }

    fn is_slow(&self, worker: usize, webhook: usize) -> bool {
        let took = |call: &Called| call.answered_at.unwrap_or(self.now) - call.at;
        self.calls_of(worker).any(|call| call.webhook == webhook && SLOW_AFTER_ARRIVAL <= took(call))
    }

    fn is_crowded(&self, worker: usize) -> bool {
        let is_old = |call: &&Called| {
            let ended_at = call.answered_at.unwrap_or(self.now);
            self.now <= ended_at + DECIDED_AGO && SLOW_AFTER_ARRIVAL <= ended_at - call.at
        };
        self.lane_max < self.calls_of(worker).filter(is_old).count() * OLD_PARTS
    }

    fn calls_of(&self, worker: usize) -> impl Iterator<Item = &Called> {
        self.endpoints.calls.iter().filter(move |call| call.worker == worker)
    }
}
