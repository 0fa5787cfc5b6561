//! What a deferral must be: for a reason, and within its bounds.

use std::time::Duration;

use bellhop_broker::Outgoing;
use bellhop_model::Failure;

use super::State;
use super::endpoints::{Called, Reply};

/// From when on a delivery is attempted although its webhook is unavailable.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How many failures it takes to call a webhook, or a host, unavailable.
const EVIDENCE_MIN: usize = 5;

impl State {
    /// Judges a message to a rung that owes the same attempt again.
    pub(super) fn judge_deferral(&mut self, queue: &str, message: &Outgoing) {
        let header = |name: &str| {
            message.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
        };
        let hand = self.hands.current();
        let attempt = header("bellhop-attempt").and_then(|number| number.parse().ok());
        let is_deferral = queue.contains(".wait.")
            && attempt == hand.attempt
            && header("bellhop-webhook").is_some()
            && header("bellhop-unrecorded").is_none();
        if !is_deferral || hand.is_untold {
            return;
        }
        if header("bellhop-turn-at").is_some() {
            self.busy += 1;
            return;
        }
        let (event, worker) = (hand.event, hand.worker);
        if self.carried(event, message).iter().any(|(_, webhook)| hand.diverted.contains(webhook)) {
            // The slow lane refused it.
            return;
        }
        self.unavailable += 1;
        let accepted_at = header("bellhop-accepted-at").and_then(|millis| millis.parse::<i128>().ok());
        let accepted_at = accepted_at.expect("every message to a rung says when its event was accepted");
        let age = self.wall().unix_timestamp_nanos() / 1_000_000 - accepted_at;
        if AGE_MAX.as_millis() <= age.unsigned_abs() {
            self.violate(format!("event {event} is put off although it is a day old"));
        }
        for (_, webhook) in self.carried(event, message) {
            if !self.is_suspect(worker, webhook) {
                self.violate(format!("webhook {webhook} is called unavailable without evidence"));
            }
        }
    }

    /// Whether a worker has seen enough of a webhook, or of its host, to call it unavailable. What a neighbour at the
    /// same host does to its requests is no evidence.
    pub(super) fn is_suspect(&self, worker: usize, webhook: usize) -> bool {
        let host = |webhook: usize| &self.store.webhooks[webhook].host;
        let hangs = |call: &&Called| {
            call.webhook == webhook && matches!(call.reply, Reply::Failure(Failure::TimedOut))
        };
        let is_unreachable = |call: &&Called| {
            host(call.webhook) == host(webhook)
                && matches!(call.reply, Reply::Failure(Failure::Dns | Failure::Connect | Failure::Tls))
        };
        let seen = || self.endpoints.calls.iter().filter(|call| call.worker == worker);
        EVIDENCE_MIN <= seen().filter(hangs).count() || EVIDENCE_MIN <= seen().filter(is_unreachable).count()
    }
}
