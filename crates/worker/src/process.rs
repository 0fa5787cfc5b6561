//! From a message to its settlement: every decision a worker takes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bellhop_broker::{Incoming, Owed, UnreadableOwed, names};
use bellhop_model::{EndReason, Event, EventLabels, Ladder, Mode, Records, TraceParent};
use bellhop_store::{ActiveSubscription, Subscriptions};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use crate::isolation::Isolation;
use crate::keep::{Gate, Kept, Logged, keep, keep_unless_refused};
use crate::metrics::{WorkerMetrics, count};
use crate::options::LaneKind;
use crate::ports::Ports;
use crate::publishing::{batch, parked, trace, waiting};

/// Processes messages. One serves all lanes.
pub struct Processor<P> {
    pub(crate) ports: P,
    pub(crate) ladder: Ladder,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) gate: Gate,
    pub(crate) isolation: Isolation,
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The mode of the queue, which decides.
    pub mode: Mode,
    /// The lane.
    pub lane: LaneKind,
    /// The queue's name.
    pub queue: String,
}

/// What to tell the broker about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Everything it owed is done or stored elsewhere.
    Acknowledge,
    /// Something of it is still owed; the broker offers it again.
    GiveBack,
}

/// What is left to do when a message has been processed: write its records to the log, then settle it.
#[derive(Debug)]
pub struct Processed {
    /// What to tell the broker.
    pub settlement: Settlement,
    /// What happened.
    pub records: Records,
}

/// What became of a message or of one of its deliveries, and what happened on the way.
pub(crate) struct Done {
    pub(crate) kept: Kept,
    pub(crate) records: Records,
    /// Whether a delivery of the event goes on later, by itself: the log must know the event by then.
    pub(crate) is_put_off: bool,
}

/// One message in hand, with what every step needs of it.
pub(crate) struct InHand<'a> {
    pub(crate) message: &'a Incoming,
    pub(crate) origin: &'a Origin,
    pub(crate) is_lost: &'a (dyn Fn() -> bool + Sync),
}

impl<P: Ports> Processor<P> {
    /// Brings decisions and the world together.
    pub fn new(ports: P, ladder: Ladder, metrics: WorkerMetrics, gate: Gate, isolation: Isolation) -> Self {
        Self { ports, ladder, metrics, gate, isolation }
    }

    /// Processes one message until everything it owes is done or stored.
    ///
    /// * `is_lost`: whether the session it came from is gone, so that the broker offers it again anyway.
    ///
    /// A panic is caught: the message is parked with the reason, since the next try would most likely panic too.
    pub async fn process(
        &self,
        message: &Incoming,
        origin: &Origin,
        is_lost: &(dyn Fn() -> bool + Sync),
    ) -> Processed {
        let in_hand = InHand { message, origin, is_lost };
        let processing = AssertUnwindSafe(self.process_in_hand(&in_hand)).catch_unwind();
        let Done { kept, records, .. } = match processing.await {
            Ok(done) => done,
            Err(_) => {
                let headers = self.owed(&in_hand).map(|owed| owed.headers()).unwrap_or_default();
                self.park_panicked(&in_hand, headers).await.into()
            }
        };
        let settlement = match kept {
            Kept::Stored => Settlement::Acknowledge,
            Kept::Lost => Settlement::GiveBack,
        };
        Processed { settlement, records }
    }

    /// Writes records to the log, as one message, and waits until the broker has it or the log refuses it.
    pub async fn write(&self, records: Records) {
        let count = records.len();
        if count == 0 {
            return;
        }
        let batch = batch(records, self.ports.now(), self.message_id());
        let result = match keep_unless_refused(&self.ports, &self.gate, &batch).await {
            Logged::Stored => "stored",
            Logged::Dropped => "dropped",
        };
        self.metrics.records.with_label_values(&[result]).inc_by(count as u64);
    }

    async fn process_in_hand(&self, in_hand: &InHand<'_>) -> Done {
        let owed = match self.owed(in_hand) {
            Ok(owed) => owed,
            Err(unreadable) => return self.park(in_hand, &unreadable.to_string(), Vec::new()).await.into(),
        };
        let event = match decode(in_hand) {
            Ok(event) => event,
            Err(error) => return self.park(in_hand, &error.to_string(), owed.headers()).await.into(),
        };
        if let Some((reason, outcome)) = owed.unrecorded.clone() {
            return self.record_end(in_hand, &event, &owed, (reason, outcome)).await.into();
        }
        match self.ports.subscriptions(event.mode, &event.organisation).await {
            Some(subscriptions) => self.deliver_to(in_hand, &event, &owed, &subscriptions).await,
            None => self.defer(in_hand, &owed).await.into(),
        }
    }

    fn owed(&self, in_hand: &InHand<'_>) -> Result<Owed, UnreadableOwed> {
        match in_hand.origin.lane {
            LaneKind::Fresh => Ok(Owed::fresh(self.ports.now())),
            LaneKind::Slow | LaneKind::Due => Owed::read(in_hand.message),
        }
    }

    /// Makes what is owed to each webhook, all at once; each settles on its own.
    async fn deliver_to(
        &self,
        in_hand: &InHand<'_>,
        event: &Event,
        owed: &Owed,
        subscriptions: &Arc<Subscriptions>,
    ) -> Done {
        let taken_at = self.ports.now();
        let wanting: Vec<_> = match &owed.webhook {
            None => subscriptions.wanting(&event.event_type).collect(),
            Some(webhook) => match subscriptions.find(webhook) {
                Some(subscription) => vec![subscription],
                None => {
                    let end = (EndReason::WebhookInactive, String::new());
                    return self.record_end(in_hand, event, owed, end).await.into();
                }
            },
        };
        if wanting.is_empty() {
            self.count_event(in_hand.origin, "unwanted");
            return Kept::Stored.into();
        }
        let deliver = async |subscription: &Arc<ActiveSubscription>| {
            let owed = Owed { webhook: Some(subscription.subscription.webhook.clone()), ..owed.clone() };
            let delivering = self.deliver(in_hand, event, subscription, &owed);
            match AssertUnwindSafe(delivering).catch_unwind().await {
                Ok(done) => done,
                Err(_) => self.park_panicked(in_hand, owed.headers()).await.into(),
            }
        };
        let done: Vec<Done> = match wanting[..] {
            [only] => vec![deliver(only).await],
            // Each is woken by itself: polling all whenever one has news would cost their number squared.
            _ => wanting.into_iter().map(deliver).collect::<FuturesUnordered<_>>().collect().await,
        };
        self.count_event(in_hand.origin, "processed");
        let mut records = Records::default();
        let is_begun_here = owed.webhook.is_none() || owed.is_first_of(event);
        if is_begun_here && done.iter().any(|done| done.is_put_off || !done.records.is_empty()) {
            records.push_event(event, &in_hand.message.body, taken_at);
        }
        done.iter().for_each(|done| records.append(&done.records));
        let is_lost = done.iter().any(|done| done.kept == Kept::Lost);
        Done { records, ..Done::from(if is_lost { Kept::Lost } else { Kept::Stored }) }
    }

    /// Puts a message off without using up an attempt: who wants it cannot be told, which is not the same as nobody.
    ///
    /// The wait grows with the age, from the shortest rung to the longest.
    pub(crate) async fn defer(&self, in_hand: &InHand<'_>, owed: &Owed) -> Kept {
        let InHand { message, origin, is_lost } = in_hand;
        self.count_event(origin, "deferred");
        self.metrics.isolation.count_deferral(origin.mode, "unknown");
        let age = (self.ports.now() - owed.accepted_at).unsigned_abs();
        let first = self.ladder.at_least(age / 2);
        let rungs = self.ladder.rungs().iter().copied().filter(|rung| first <= *rung);
        let alternatives: Vec<_> =
            rungs.map(|rung| waiting(message, origin.mode, rung, owed, self.message_id())).collect();
        keep(&self.ports, &self.gate, &alternatives, is_lost).await
    }

    /// Sets aside what cannot be processed: original bytes, reason, origin.
    async fn park(
        &self,
        in_hand: &InHand<'_>,
        reason: &str,
        mut headers: Vec<(&'static str, String)>,
    ) -> Kept {
        let InHand { message, origin, is_lost } = in_hand;
        let now_ms = self.ports.now().unix_timestamp_nanos() / 1_000_000;
        headers.push((names::PARKED_AT_HEADER, now_ms.to_string()));
        self.count_event(origin, "parked");
        let trace = trace(message);
        let trace = trace.as_ref().map(TraceParent::trace);
        tracing::warn!(reason, queue = %origin.queue, trace.id = trace, "parked a message that cannot be processed");
        let message = parked(message, (origin.mode, &origin.queue), reason, headers, self.message_id());
        keep(&self.ports, &self.gate, &[message], is_lost).await
    }

    async fn park_panicked(&self, in_hand: &InHand<'_>, headers: Vec<(&'static str, String)>) -> Kept {
        self.metrics.panics.inc();
        self.park(in_hand, "this program panicked while processing the message; its log says where", headers)
            .await
    }

    pub(crate) fn message_id(&self) -> String {
        bellhop_model::CopyToken::from_random(&self.ports.random()).as_str().to_owned()
    }

    fn count_event(&self, origin: &Origin, result: &str) {
        count(&self.metrics.events, &[origin.mode.as_str(), origin.lane.as_str(), result]);
    }
}

impl From<Kept> for Done {
    /// Something came to pass of which there is nothing to tell the log.
    fn from(kept: Kept) -> Self {
        Self { kept, records: Records::default(), is_put_off: false }
    }
}

/// Reads the event and checks it against what the message says outside its body.
///
/// Messages in the other lanes carry names of ours where fresh ones carry the publisher's, so only what is kept is
/// compared there.
fn decode(in_hand: &InHand<'_>) -> Result<Event, bellhop_model::EventError> {
    let InHand { message, origin, .. } = in_hand;
    let organisation = message.header(names::ORGANISATION_HEADER);
    let labels = match origin.lane {
        LaneKind::Fresh => EventLabels {
            routing_key: Some(&message.routing_key),
            message_id: message.message_id(),
            message_type: message.message_type(),
            content_type: message.content_type(),
            organisation,
        },
        LaneKind::Slow | LaneKind::Due => {
            EventLabels { message_type: message.message_type(), organisation, ..EventLabels::default() }
        }
    };
    Event::parse(&message.body, Some(origin.mode), &labels)
}
