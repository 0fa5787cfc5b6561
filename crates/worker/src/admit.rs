//! Before an attempt: a place for it, or a deferral, or a detour, which keep series, attempt and copy.

use std::sync::Arc;

use bellhop_broker::{Outgoing, Owed};
use bellhop_model::Event;
use bellhop_store::ActiveSubscription;
use time::OffsetDateTime;
use tokio::sync::SemaphorePermit;

use crate::isolation::{ASIDE_MIN, Answer, Asking, Deferral, Detour, Place, Refusal, Wait};
use crate::keep::keep;
use crate::options::LaneName;
use crate::ports::Ports;
use crate::process::{Done, InHand, Processor};
use crate::publishing::slow;

/// An attempt that may be made now.
pub(crate) struct Admitted<'a> {
    /// As it is now.
    pub(crate) subscription: Arc<ActiveSubscription>,
    pub(crate) place: Place,
    /// Given back when the request is over.
    pub(crate) socket: SemaphorePermit<'a>,
}

impl<P: Ports> Processor<P> {
    /// Finds a place for the attempt, waits for one, or puts the delivery off or on another lane; returns what became of
    /// the message then.
    ///
    /// What is admitted has been resolved after the last wait, and its result could be stored now.
    pub(crate) async fn admit(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        subscription: &Arc<ActiveSubscription>,
        owed: &Owed,
    ) -> Result<Admitted<'_>, Done> {
        let mut subscription = Arc::clone(subscription);
        let sockets = self.isolation.sockets(LaneName(in_hand.origin.mode, in_hand.origin.lane));
        let socket = match sockets.try_acquire() {
            Ok(socket) => socket,
            Err(_) => {
                let now = self.ports.now();
                // Who is to leave the lane needs none of its sockets.
                if let Some(detour) = self.isolation.detour(&asking(in_hand, &subscription, owed, now), now) {
                    return Err(self.divert(in_hand, owed, detour).await);
                }
                let socket = sockets.acquire().await.expect("nobody closes it");
                subscription = self.resolve_again(in_hand, event, &subscription, owed).await?;
                socket
            }
        };
        loop {
            let now = self.ports.now();
            let place = match self.isolation.ask(&asking(in_hand, &subscription, owed, now), now) {
                Answer::Admitted(place) => Ok(place),
                Answer::Refused(refusal) => Err(refusal),
                Answer::MayWait(waiting) => {
                    let held = waiting.held().await;
                    subscription = self.resolve_again(in_hand, event, &subscription, owed).await?;
                    let now = self.ports.now();
                    self.isolation.admit(held, &asking(in_hand, &subscription, owed, now), now)
                }
            };
            let place = match place {
                Ok(place) => place,
                Err(Refusal::Deferred(deferral)) => return Err(self.put_off(in_hand, owed, deferral).await),
                Err(Refusal::Diverted(detour)) => return Err(self.divert(in_hand, owed, detour).await),
            };
            let called = self.when_ready(in_hand, event, &subscription, owed).await?;
            // A place is for one host; a webhook that moved asks again.
            if origin(&called) == origin(&subscription) {
                return Ok(Admitted { subscription: called, place, socket });
            }
            subscription = called;
        }
    }

    /// Puts a delivery off until its turn has come, or until its webhook may be available again.
    async fn put_off(&self, in_hand: &InHand<'_>, owed: &Owed, deferral: Deferral) -> Done {
        self.metrics.isolation.count_deferral(in_hand.origin.mode, deferral.as_str());
        let Wait { rung, at_most } = deferral.wait(self.ports.now(), &self.ladder);
        let owed = Owed { turn: deferral.turn(), ..owed.clone() };
        let time_to_live = (at_most < rung.wait()).then_some(at_most);
        let chosen = Outgoing { time_to_live, ..self.wait(in_hand, rung, &owed) };
        let longer = self.ladder.rungs().iter().copied().filter(|candidate| rung < *candidate);
        let longer = longer.map(|rung| self.wait(in_hand, rung, &owed));
        let alternatives: Vec<Outgoing> = std::iter::once(chosen).chain(longer).collect();
        let kept = keep(&self.ports, &self.gate, &alternatives, in_hand.is_lost).await;
        Done { is_put_off: true, ..kept.into() }
    }

    /// Hands a delivery to the slow lane, or to the rungs of what is unavailable when that is full.
    async fn divert(&self, in_hand: &InHand<'_>, owed: &Owed, detour: Detour) -> Done {
        let InHand { message, origin, is_lost } = in_hand;
        self.metrics.isolation.count_diversion(origin.mode, detour);
        let diverted = slow(message, origin.mode, owed, self.message_id());
        let later = self.ladder.rungs().iter().copied().filter(|rung| ASIDE_MIN <= rung.wait());
        let later = later.map(|rung| self.wait(in_hand, rung, owed));
        let alternatives: Vec<Outgoing> = std::iter::once(diverted).chain(later).collect();
        let kept = keep(&self.ports, &self.gate, &alternatives, is_lost).await;
        Done { is_put_off: true, ..kept.into() }
    }
}

/// Scheme, host and port that a subscription's requests go to.
pub(crate) fn origin(subscription: &ActiveSubscription) -> &str {
    subscription.subscription.url.origin()
}

fn asking<'a>(
    in_hand: &InHand<'_>,
    subscription: &'a ActiveSubscription,
    owed: &Owed,
    now: OffsetDateTime,
) -> Asking<'a> {
    Asking {
        mode: in_hand.origin.mode,
        lane: in_hand.origin.lane,
        webhook: &subscription.subscription.webhook,
        origin: origin(subscription),
        age: (now - owed.accepted_at).try_into().unwrap_or_default(),
        turn: owed.turn,
    }
}
