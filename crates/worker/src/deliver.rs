//! One delivery: claim, attempt, verdict, and what the verdict asks for.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{Outgoing, Owed};
use bellhop_model::{
    Addressed, Attempt, CopyToken, DeliveryId, End, EndReason, Event, Failure, Outcome, Records, RequestId,
    Rung, Verdict, decide, micros_of,
};
use bellhop_sender::Exchange;
use bellhop_store::{ActiveSubscription, Claim, ClaimedAttempt};
use futures_util::FutureExt as _;

use crate::admit::{Admitted, origin};
use crate::attempted::{Attempted, Made};
use crate::keep::{Kept, keep, keep_one_of};
use crate::metrics::count;
use crate::ports::Ports;
use crate::process::{Done, InHand, Processor};
use crate::publishing::{batch, trace, waiting};
use crate::request::Signed;

impl<P: Ports> Processor<P> {
    /// Makes the owed attempt at one webhook and stores what comes of it.
    pub(crate) async fn deliver(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        subscription: &Arc<ActiveSubscription>,
        owed: &Owed,
    ) -> Done {
        let addressed = Addressed::new(event, &subscription.subscription.webhook);
        let claim = claim_of(&addressed, owed);
        if let Some((attempt, copy)) = claim
            && !self.is_ours(attempt, copy).await
        {
            return Kept::Stored.into();
        }
        let Admitted { subscription, mut place, socket } =
            match self.admit(in_hand, event, subscription, owed).await {
                Ok(admitted) => admitted,
                Err(done) => return done,
            };
        if (in_hand.is_lost)() {
            return Kept::Lost.into();
        }
        place.begin(in_hand.origin.lane, self.ports.now());
        let made = self.attempt(event, &subscription, owed.attempt).await;
        drop(socket);
        place.give_back(origin(&subscription), &made.exchange, self.ports.now());
        let outcome = made.exchange.outcome.label();
        let verdict = decide(owed.attempt, &made.exchange.outcome, &self.ladder);
        let trace = trace(in_hand.message);
        let attempted = Attempted { addressed: &addressed, owed, made, verdict, trace };
        let age = (self.ports.now() - event.occurred_at).as_seconds_f64();
        attempted.observe(&self.metrics, in_hand.origin.lane, age);
        let mut waits_on = None;
        let kept = match verdict {
            Verdict::Delivered => Kept::Stored,
            Verdict::Retry { next, rung } => {
                waits_on = self.owe_again(in_hand, owed, next, rung).await;
                waits_on.map_or(Kept::Lost, |_| Kept::Stored)
            }
            Verdict::Exhausted => {
                let end = (EndReason::AttemptsFailed, outcome.to_owned());
                self.record_end(in_hand, event, owed, end).await
            }
            Verdict::Gone => {
                self.ports.disable_gone(&addressed.webhook).await;
                let end = (EndReason::EndpointGone, outcome.to_owned());
                self.record_end(in_hand, event, owed, end).await
            }
        };
        if let Some((attempt, copy)) = claim.filter(|_| kept == Kept::Stored) {
            self.ports.conclude(attempt, copy).await;
        }
        let mut records = Records::default();
        records.push_attempt(&attempted.into_record(waits_on));
        Done { records, ..Done::from(kept) }
    }

    /// Waits until a result could be stored; returns the subscription as it is then, or what became of the message.
    ///
    /// The broker may block publishers for hours. What was resolved before such a wait no longer holds after it: the
    /// webhook may have been disabled, or its URL or secret changed.
    pub(crate) async fn when_ready(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        subscription: &Arc<ActiveSubscription>,
        owed: &Owed,
    ) -> Result<Arc<ActiveSubscription>, Done> {
        let mut subscription = Arc::clone(subscription);
        while self.ports.ready().now_or_never().is_none() {
            self.ports.ready().await;
            subscription = self.resolve_again(in_hand, event, &subscription, owed).await?;
        }
        Ok(subscription)
    }

    /// Resolves the webhook once more, after a wait; returns its subscription, or what became of the message.
    pub(crate) async fn resolve_again(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        subscription: &ActiveSubscription,
        owed: &Owed,
    ) -> Result<Arc<ActiveSubscription>, Done> {
        if (in_hand.is_lost)() {
            return Err(Kept::Lost.into());
        }
        let Some(subscriptions) = self.ports.subscriptions(event.mode, &event.organisation).await else {
            let kept = self.defer(in_hand, owed).await;
            return Err(Done { is_put_off: true, ..kept.into() });
        };
        let Some(found) = subscriptions.find(&subscription.subscription.webhook) else {
            let end = (EndReason::WebhookInactive, String::new());
            return Err(self.record_end(in_hand, event, owed, end).await.into());
        };
        Ok(Arc::clone(found))
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

    async fn attempt(&self, event: &Event, subscription: &ActiveSubscription, attempt: Attempt) -> Made {
        let started_at = self.ports.now();
        let millis = u64::try_from(started_at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let request = RequestId::new(millis, &self.ports.random());
        let signed = Signed::new(event, subscription, started_at.unix_timestamp());
        let sent = signed.sent(subscription);
        let exchange = match signed.request(event, subscription, attempt) {
            Ok(request) => self.ports.send(request).await,
            Err(error) => {
                tracing::error!(%error, webhook.id = %subscription.subscription.webhook, "a webhook cannot be called as it is");
                Exchange::new(Outcome::Failed(Failure::ForbiddenAddress), Duration::ZERO)
            }
        };
        Made { request, started_at, sent, exchange }
    }

    /// Stores the next attempt on its rung, or on a longer one when that refuses; returns which it was, unless the result
    /// is void.
    async fn owe_again(&self, in_hand: &InHand<'_>, owed: &Owed, next: Attempt, rung: Rung) -> Option<Rung> {
        let copy = CopyToken::from_random(&self.ports.random());
        let next =
            Owed { attempt: next, copy: Some(copy), turn: None, unavailable_since: None, ..owed.clone() };
        let longer = self.ladder.rungs().iter().copied().filter(|candidate| rung <= *candidate);
        let longer: Vec<Rung> = longer.collect();
        let alternatives: Vec<Outgoing> =
            longer.iter().map(|rung| self.wait(in_hand, *rung, &next)).collect();
        let chosen = keep_one_of(&self.ports, &self.gate, &alternatives, in_hand.is_lost).await;
        chosen.map(|chosen| longer[chosen])
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
            ended_at_us: micros_of(self.ports.now()),
            event: in_hand.message.body.clone(),
        };
        let mut records = Records::default();
        records.push_end(&end);
        let unrecorded = Owed { unrecorded: Some((reason, outcome)), ..owed.clone() };
        let alternatives = [
            batch(records, self.ports.now(), self.message_id()),
            self.wait(in_hand, self.ladder.longest(), &unrecorded),
        ];
        self.metrics.ended(event.mode, &event.event_type, reason.state().as_str());
        keep(&self.ports, &self.gate, &alternatives, in_hand.is_lost).await
    }

    pub(crate) fn wait(&self, in_hand: &InHand<'_>, rung: Rung, owed: &Owed) -> Outgoing {
        waiting(in_hand.message, in_hand.origin.mode, rung, owed, self.message_id())
    }
}

/// What has to be claimed before the attempt: nothing for the first of an event, which has no copies but the event itself.
/// The first of a series that somebody asked for is a copy: whoever published it may have had to do so twice.
fn claim_of<'a>(addressed: &'a Addressed, owed: &'a Owed) -> Option<(ClaimedAttempt<'a>, &'a CopyToken)> {
    let copy = owed.copy.as_ref()?;
    let Addressed { mode, delivery, .. } = addressed;
    Some((ClaimedAttempt { mode: *mode, delivery, series: owed.series, attempt: owed.attempt }, copy))
}

/// The attempt that was made last: a delivery that is cancelled when due never made the one it owed.
fn last_attempt(owed: &Owed, reason: EndReason) -> Option<Attempt> {
    match reason {
        EndReason::AttemptsFailed | EndReason::EndpointGone => Some(owed.attempt),
        EndReason::WebhookInactive => Attempt::try_from(i64::from(owed.attempt.number()) - 1).ok(),
    }
}
