//! One delivery: claim, attempt, verdict, and what the verdict asks for.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::Outgoing;
use bellhop_model::{
    Attempt, CopyToken, DeliveryId, End, EndReason, Event, Failure, Outcome, Rung, Verdict, decide,
};
use bellhop_store::{ActiveSubscription, Claim, ClaimedAttempt};
use futures_util::FutureExt as _;

use crate::keep::{Kept, keep};
use crate::metrics::count;
use crate::owed::Owed;
use crate::ports::Ports;
use crate::process::{InHand, Processor};
use crate::publishing::{record, waiting};
use crate::request;

impl<P: Ports> Processor<P> {
    /// Makes the owed attempt at one webhook and stores what comes of it.
    pub(crate) async fn deliver(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        subscription: &Arc<ActiveSubscription>,
        owed: &Owed,
    ) -> Kept {
        let webhook = &subscription.subscription.webhook;
        let delivery = DeliveryId::derive(event.mode, &event.organisation, &event.id, webhook);
        let claim = claim_of(event, &delivery, owed);
        if let Some((attempt, copy)) = claim
            && !self.is_ours(attempt, copy).await
        {
            return Kept::Stored;
        }
        let subscription = match self.when_ready(in_hand, event, subscription, owed).await {
            Ok(subscription) => subscription,
            Err(kept) => return kept,
        };
        if (in_hand.is_lost)() {
            return Kept::Lost;
        }
        let (outcome, duration) = self.attempt(event, &subscription, owed.attempt).await;
        let verdict = decide(owed.attempt, &outcome, &self.ladder);
        self.observe(&Attempted { event, owed, delivery: &delivery, outcome: &outcome, duration, verdict });
        let kept = match verdict {
            Verdict::Delivered => Kept::Stored,
            Verdict::Retry { next, rung } => self.owe_again(in_hand, owed, next, rung).await,
            Verdict::Exhausted => {
                let end = (EndReason::AttemptsFailed, outcome.label().to_owned());
                self.record_end(in_hand, event, owed, end).await
            }
            Verdict::Gone => {
                self.ports.disable_gone(webhook).await;
                let end = (EndReason::EndpointGone, outcome.label().to_owned());
                self.record_end(in_hand, event, owed, end).await
            }
        };
        if let Some((attempt, copy)) = claim.filter(|_| kept == Kept::Stored) {
            self.ports.conclude(attempt, copy).await;
        }
        kept
    }

    /// Waits until a result could be stored; returns the subscription as it is then, or what became of the message.
    ///
    /// The broker may block publishers for hours. What was resolved before such a wait no longer holds after it: the
    /// webhook may have been disabled, or its URL or secret changed.
    async fn when_ready(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        subscription: &Arc<ActiveSubscription>,
        owed: &Owed,
    ) -> Result<Arc<ActiveSubscription>, Kept> {
        let mut subscription = Arc::clone(subscription);
        while self.ports.ready().now_or_never().is_none() {
            self.ports.ready().await;
            if (in_hand.is_lost)() {
                return Err(Kept::Lost);
            }
            let Some(subscriptions) = self.ports.subscriptions(event.mode, &event.organisation).await else {
                return Err(self.defer(in_hand, owed).await);
            };
            let Some(found) = subscriptions.find(&subscription.subscription.webhook) else {
                let end = (EndReason::WebhookInactive, String::new());
                return Err(self.record_end(in_hand, event, owed, end).await);
            };
            subscription = Arc::clone(found);
        }
        Ok(subscription)
    }

    /// Whether this copy may make the attempt.
    ///
    /// A crash between publishing a next attempt and acknowledging the last makes two copies of the next; the first to
    /// claim it goes on, and the other ends here, because its owner is alive. A broker that crashed offers a copy again
    /// whose acknowledgement it forgot; it ends here if what came of it is stored. Nobody to ask means: make it.
    async fn is_ours(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> bool {
        let (is_ours, result) = match self.ports.claim(attempt, copy).await {
            Some(Claim::Granted) => (true, "granted"),
            Some(Claim::OwnedBySameCopy) => (true, "own"),
            Some(Claim::OwnedByAnother) => (false, "another"),
            Some(Claim::Concluded) => (false, "concluded"),
            None => (true, "unknown"),
        };
        count(&self.metrics.claims, &[attempt.mode.as_str(), result]);
        is_ours
    }

    async fn attempt(
        &self,
        event: &Event,
        subscription: &ActiveSubscription,
        attempt: Attempt,
    ) -> (Outcome, Duration) {
        let timestamp = self.ports.now().unix_timestamp();
        match request::build(event, subscription, attempt, timestamp) {
            Ok(request) => {
                let exchange = self.ports.send(request).await;
                (exchange.outcome, exchange.duration)
            }
            Err(error) => {
                tracing::error!(%error, webhook.id = %subscription.subscription.webhook, "a webhook cannot be called as it is");
                (Outcome::Failed(Failure::ForbiddenAddress), Duration::ZERO)
            }
        }
    }

    /// Stores the next attempt on its rung, or on a longer one when that refuses.
    async fn owe_again(&self, in_hand: &InHand<'_>, owed: &Owed, next: Attempt, rung: Rung) -> Kept {
        let copy = CopyToken::from_random(&self.ports.random());
        let next = Owed { attempt: next, copy: Some(copy), ..owed.clone() };
        let longer = self.ladder.rungs().iter().copied().filter(|candidate| rung <= *candidate);
        let alternatives: Vec<Outgoing> = longer.map(|rung| self.wait(in_hand, rung, &next)).collect();
        keep(&self.ports, &self.gate, &alternatives, in_hand.is_lost).await
    }

    /// Stores the end of a delivery in the log, or, when the log refuses, on the longest rung, to try again from there.
    pub(crate) async fn record_end(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        owed: &Owed,
        (reason, outcome): (EndReason, String),
    ) -> Kept {
        let Some(webhook) = owed.webhook.clone() else {
            unreachable!("only a delivery to a webhook ends, not an event")
        };
        let end = End {
            delivery: DeliveryId::derive(event.mode, &event.organisation, &event.id, &webhook),
            mode: event.mode,
            organisation: event.organisation.clone(),
            webhook,
            series: owed.series,
            attempt: last_attempt(owed, reason),
            reason,
            outcome: outcome.clone(),
            ended_at: self.ports.now(),
            event: in_hand.message.body.clone(),
        };
        let unrecorded = Owed { unrecorded: Some((reason, outcome)), ..owed.clone() };
        let alternatives = [
            record(end.encode(), in_hand.message, self.message_id()),
            self.wait(in_hand, self.ladder.longest(), &unrecorded),
        ];
        count(&self.metrics.deliveries, &[event.mode.as_str(), reason.state().as_str()]);
        keep(&self.ports, &self.gate, &alternatives, in_hand.is_lost).await
    }

    fn wait(&self, in_hand: &InHand<'_>, rung: Rung, owed: &Owed) -> Outgoing {
        waiting(in_hand.message, in_hand.origin.mode, rung, owed, self.message_id())
    }

    /// One line and a few counts per attempt.
    fn observe(&self, attempted: &Attempted<'_>) {
        let Attempted { event, owed, delivery, outcome, duration, verdict } = attempted;
        let mode = event.mode.as_str();
        let number = ["1", "2", "3"][usize::from(owed.attempt.number() - 1)];
        count(&self.metrics.attempts, &[mode, number, outcome.label()]);
        self.metrics.attempt_duration.with_label_values(&[mode]).observe(duration.as_secs_f64());
        if *verdict == Verdict::Delivered {
            count(&self.metrics.deliveries, &[mode, "delivered"]);
            let age = (self.ports.now() - event.occurred_at).as_seconds_f64().max(0.0);
            self.metrics.delivery_age.with_label_values(&[mode]).observe(age);
        }
        let (next, wait) = match verdict {
            Verdict::Delivered => ("delivered", None),
            Verdict::Retry { rung, .. } => ("retry", Some(rung.wait())),
            Verdict::Exhausted => ("exhausted", None),
            Verdict::Gone => ("gone", None),
        };
        tracing::info!(
            delivery.id = %delivery,
            webhook.id = owed.webhook.as_ref().map(tracing::field::display),
            organisation.id = %event.organisation,
            event.id = %event.id,
            event.r#type = %event.event_type,
            mode,
            series = owed.series.0,
            attempt = owed.attempt.number(),
            outcome = outcome.label(),
            status = outcome.status(),
            duration_ms = duration.as_secs_f64() * 1000.0,
            verdict = next,
            wait_ms = wait.map(|wait| wait.as_millis()),
            "made an attempt"
        );
    }
}

/// What has to be claimed before the attempt: nothing for the first, which has no copies but the event itself.
fn claim_of<'a>(
    event: &Event,
    delivery: &'a DeliveryId,
    owed: &'a Owed,
) -> Option<(ClaimedAttempt<'a>, &'a CopyToken)> {
    let copy = owed.copy.as_ref().filter(|_| owed.attempt != Attempt::FIRST)?;
    Some((ClaimedAttempt { mode: event.mode, delivery, series: owed.series, attempt: owed.attempt }, copy))
}

/// The attempt that was made last: a delivery that is cancelled when due never made the one it owed.
fn last_attempt(owed: &Owed, reason: EndReason) -> Option<Attempt> {
    match reason {
        EndReason::AttemptsFailed | EndReason::EndpointGone => Some(owed.attempt),
        EndReason::WebhookInactive => Attempt::try_from(i64::from(owed.attempt.number()) - 1).ok(),
    }
}

/// What is told about one attempt.
struct Attempted<'a> {
    event: &'a Event,
    owed: &'a Owed,
    delivery: &'a DeliveryId,
    outcome: &'a Outcome,
    duration: Duration,
    verdict: Verdict,
}
