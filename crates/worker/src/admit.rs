//! Before an attempt: a place for it, or a deferral, or a detour, which keep series, attempt and copy.

use std::sync::Arc;

use bellhop_broker::Owed;
use bellhop_model::Event;
use bellhop_store::ActiveSubscription;
use time::OffsetDateTime;
use tokio::sync::SemaphorePermit;

use crate::isolation::{Answer, Asking, Place, Refusal};
use crate::options::LaneName;
use crate::ports::Ports;
use crate::process::{Done, InHand, Processor};

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
                    return Err(self.divert(in_hand, event, owed, detour).await);
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
                Err(Refusal::Deferred(deferral)) => {
                    return Err(self.put_off(in_hand, event, owed, deferral).await);
                }
                Err(Refusal::Diverted(detour)) => {
                    return Err(self.divert(in_hand, event, owed, detour).await);
                }
            };
            let called = self.when_ready(in_hand, event, &subscription, owed).await?;
            // A place is for one host; a webhook that moved asks again.
            if origin(&called) == origin(&subscription) {
                return Ok(Admitted { subscription: called, place, socket });
            }
            subscription = called;
        }
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
