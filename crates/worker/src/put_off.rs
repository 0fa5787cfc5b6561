//! What becomes of a delivery that is not attempted now: it waits on a rung, or goes by the slow lane. The log is told when
//! that begins, not each time that it goes on.

use std::borrow::Cow;
use std::time::Duration;

use bellhop_broker::{Outgoing, Owed, names};
use bellhop_model::{Addressed, Attempt, Event, Records, Rung, WaitCause, WaitingRecord, micros_of};
use time::OffsetDateTime;

use crate::isolation::{ASIDE_MIN, Deferral, Detour, Wait};
use crate::keep::{Kept, keep, keep_one_of};
use crate::options::LaneKind;
use crate::ports::Ports;
use crate::process::{Done, InHand, Processor};
use crate::publishing::slow;

impl<P: Ports> Processor<P> {
    /// Puts a delivery off until its turn has come, or until its webhook may be available again.
    pub(crate) async fn put_off(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        owed: &Owed,
        deferral: Deferral,
    ) -> Done {
        self.metrics.isolation.count_deferral(in_hand.origin.mode, deferral.as_str());
        let now = self.ports.now();
        let next = Owed {
            turn: deferral.turn(),
            unavailable_since: match deferral {
                Deferral::Busy { .. } => owed.unavailable_since,
                Deferral::Unavailable { .. } => owed.unavailable_since.or(Some(now)),
            },
            ..owed.clone()
        };
        let Wait { rung, at_most } = deferral.wait(now, &self.ladder);
        let longer = self.ladder.rungs().iter().copied().filter(|candidate| rung < *candidate);
        let longer = longer.map(|rung| (rung, rung.wait()));
        let waits: Vec<(Rung, Duration)> = std::iter::once((rung, at_most)).chain(longer).collect();
        let waiting = |(rung, wait): &(Rung, Duration)| Outgoing {
            time_to_live: (*wait < rung.wait()).then_some(*wait),
            ..self.wait(in_hand, *rung, &next)
        };
        let alternatives: Vec<Outgoing> = waits.iter().map(waiting).collect();
        let chosen = keep_one_of(&self.ports, &self.gate, &alternatives, in_hand.is_lost).await;
        let Some((_, wait)) = chosen.map(|chosen| waits[chosen]) else {
            return Done { is_put_off: true, ..Kept::Lost.into() };
        };
        let cause = match deferral {
            Deferral::Busy { .. } => is_begun_here(in_hand, event, owed).then_some(WaitCause::Busy),
            Deferral::Unavailable { .. } => owed
                .unavailable_since
                .is_none()
                .then(|| WaitCause::Unavailable { next_at_us: micros_of(now + wait) }),
        };
        let records = cause.map_or_else(Records::default, |cause| told(event, owed, now, cause));
        Done { is_put_off: true, records, ..Kept::Stored.into() }
    }

    /// Hands a delivery to the slow lane, or to the rungs of what is unavailable when that is full.
    pub(crate) async fn divert(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        owed: &Owed,
        detour: Detour,
    ) -> Done {
        let InHand { message, origin, is_lost } = in_hand;
        self.metrics.isolation.count_diversion(origin.mode, detour);
        let diverted = slow(message, origin.mode, owed, self.message_id());
        let later = self.ladder.rungs().iter().copied().filter(|rung| ASIDE_MIN <= rung.wait());
        let later = later.map(|rung| self.wait(in_hand, rung, owed));
        let alternatives: Vec<Outgoing> = std::iter::once(diverted).chain(later).collect();
        let now = self.ports.now();
        let kept = keep(&self.ports, &self.gate, &alternatives, is_lost).await;
        let records = match kept {
            Kept::Stored => told(event, owed, now, WaitCause::Slow),
            Kept::Lost => Records::default(),
        };
        Done { is_put_off: true, records, ..kept.into() }
    }
}

/// Whether nothing has been told of the delivery yet: the message is the event itself, or the first attempt of a test event
/// that has not been put off before.
fn is_begun_here(in_hand: &InHand<'_>, event: &Event, owed: &Owed) -> bool {
    let InHand { message, origin, .. } = in_hand;
    let is_event = origin.lane == LaneKind::Fresh || !message.has_header(names::WEBHOOK_HEADER);
    let is_put_off = owed.turn.is_some() || owed.unavailable_since.is_some();
    is_event || (owed.is_first_of(event) && !is_put_off)
}

/// What the log is told of a delivery to a webhook that waits.
fn told(event: &Event, owed: &Owed, since: OffsetDateTime, cause: WaitCause) -> Records {
    let Some(webhook) = &owed.webhook else { unreachable!("only a delivery to a webhook asks for a place") };
    let mut records = Records::default();
    records.push_waiting(&WaitingRecord {
        of: Cow::Owned(Addressed::new(event, webhook)),
        series: owed.series,
        attempt: Attempt::try_from(i64::from(owed.attempt.number()) - 1).ok(),
        since_us: micros_of(since),
        cause,
    });
    records
}
