//! A world in memory: everything a worker can reach, on one virtual clock.

pub(crate) mod broker;
mod deferrals;
pub(crate) mod dice;
mod diversions;
pub(crate) mod endpoints;
pub(crate) mod fleet;
pub(crate) mod hands;
pub(crate) mod outages;
mod ports;
pub(crate) mod records;
pub(crate) mod stays;
pub(crate) mod store;
mod turns;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bellhop_broker::{Outgoing, PublishError, names};
use bellhop_model::{Event, EventId, EventLabels, Ladder, Mode, OrganisationId, Record};
use time::OffsetDateTime;

use broker::{Broker, Fate};
use dice::Dice;
use endpoints::Endpoints;
use hands::{Delivery, Hands};
use outages::Outages;
use store::{Scope, Store};
use turns::Turns;

/// When the virtual clock starts, in unix seconds.
const BEGINNING: i64 = 1_700_000_000;

/// The world. A clone is the same world.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

/// Everything in it.
pub(crate) struct State {
    /// Time since the beginning.
    pub(crate) now: Duration,
    pub(crate) dice: Dice,
    pub(crate) nature: Nature,
    pub(crate) turns: Turns,
    pub(crate) hands: Hands,
    pub(crate) broker: Broker,
    pub(crate) store: Store,
    pub(crate) endpoints: Endpoints,
    pub(crate) outages: Outages,
    /// How many requests a worker may have under way at one webhook.
    pub(crate) places_max: usize,
    /// How many messages a lane believes it may have in hand.
    pub(crate) lane_max: usize,
    /// How many deliveries were handed to a slow lane.
    pub(crate) diverted: usize,
    /// How many deliveries were put off because their webhook was busy.
    pub(crate) busy: usize,
    /// The same because it was unavailable.
    pub(crate) unavailable: usize,
    /// What was published, in order; events are known by their index.
    pub(crate) events: Vec<Published>,
    /// Events of which the log refused to hear something.
    pub(crate) refused: BTreeSet<usize>,
    /// Deliveries for which nobody could say, at least once, whose an attempt was.
    pub(crate) unclaimed: BTreeSet<Delivery>,
    /// What must never happen and did.
    pub(crate) violations: Vec<String>,
    /// What happened, if anybody wants to know.
    pub(crate) history: Option<Vec<String>>,
}

/// A published event.
pub(crate) struct Published {
    pub(crate) message: Outgoing,
    /// What it says; `None` of a malformed one.
    pub(crate) event: Option<Event>,
    pub(crate) at: Duration,
}

/// How much of what may go wrong by itself does; nothing of it unless told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nature {
    /// Longest time that store, claims and broker take.
    pub(crate) latency_max: Duration,
    /// Longest time that an endpoint takes.
    pub(crate) answer_time_max: Duration,
    /// How far views may be behind the truth.
    pub(crate) staleness_max: Duration,
    /// How many more faults happen.
    pub(crate) faults_left: usize,
}

impl World {
    pub(crate) fn new(seed: u64, ladder: &Ladder) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Duration::ZERO,
            dice: Dice::new(seed),
            nature: Nature::default(),
            turns: Turns::default(),
            hands: Hands::default(),
            broker: Broker::new(ladder),
            store: Store::default(),
            endpoints: Endpoints::default(),
            outages: Outages::default(),
            places_max: 0,
            lane_max: 0,
            diverted: 0,
            busy: 0,
            unavailable: 0,
            events: Vec::new(),
            refused: BTreeSet::new(),
            unclaimed: BTreeSet::new(),
            violations: Vec::new(),
            history: None,
        })))
    }

    /// Looks at or changes the world, for a moment.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// The wall clock.
    pub(crate) fn wall(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(BEGINNING).expect("in range") + self.now
    }

    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            history.push(format!("{:>9.3} s  {}", self.now.as_secs_f64(), text()));
        }
    }

    pub(crate) fn violate(&mut self, text: String) {
        self.note(|| format!("VIOLATION: {text}"));
        self.violations.push(text);
    }

    /// Lets a publisher hand over a message to the events exchange.
    pub(crate) fn publish_event(&mut self, message: Outgoing) -> usize {
        let queue =
            self.broker.route(&message.exchange, &message.routing_key).expect("topic exchanges route");
        self.place(&queue, message)
    }

    /// Puts a message that no worker has had yet straight into a queue.
    pub(crate) fn place(&mut self, queue: &str, message: Outgoing) -> usize {
        let (index, now) = (self.events.len(), self.now);
        self.broker.store(queue, message.clone(), index, now);
        let event = Event::parse(&message.body, None, &EventLabels::default()).ok();
        self.events.push(Published { message, event, at: now });
        self.note(|| format!("event {index} is published to {queue}"));
        index
    }

    /// Publishes for the current hand, as chance and script will have it.
    pub(crate) fn publish(&mut self, message: Outgoing, fate: Fate) -> Result<(), PublishError> {
        let (now, event) = (self.now, self.hands.current().event);
        let Some(queue) = self.broker.route(&message.exchange, &message.routing_key) else {
            return Err(PublishError::Unroutable);
        };
        let is_refusing = self.outages.is_refusing(&queue, now) || fate == Fate::Refused;
        let (is_stored, result) = match fate {
            Fate::Vanished(error) => (false, Err(error)),
            _ if is_refusing => (false, Err(PublishError::Refused)),
            Fate::StoredUnseen(error) => (true, Err(error)),
            Fate::Usual | Fate::Refused => (true, Ok(())),
        };
        self.note(|| format!("  publishes to {queue}: {result:?}, stored: {is_stored}"));
        self.judge_deferral(&queue, &message);
        self.judge_diversion(&queue, &message);
        if queue == names::LOG && result == Err(PublishError::Refused) {
            self.refused.insert(event);
        }
        if is_stored {
            let carried = self.carried(event, &message);
            if result.is_err() {
                self.hands.strike(carried.iter().copied());
            }
            self.hands.begin(carried);
            self.broker.store(&queue, message, event, now);
        }
        result
    }

    /// The deliveries that a message tells of: one, or all of its event.
    pub(crate) fn carried(&self, event: usize, message: &Outgoing) -> Vec<Delivery> {
        if message.exchange == names::LOG {
            // What may be dropped owes nobody anything.
            let ends = records::of(message).filter_map(records::end);
            return ends.map(|end| (event, self.store.index(&end.webhook))).collect();
        }
        let header = message.headers.iter().find(|(name, _)| *name == "bellhop-webhook");
        match header.and_then(|(_, id)| id.parse().ok()) {
            Some(webhook) => vec![(event, self.store.index(&webhook))],
            None => self.wanting(event).into_iter().map(|webhook| (event, webhook)).collect(),
        }
    }

    /// The webhooks that want an event, whatever their status.
    pub(crate) fn wanting(&self, event: usize) -> BTreeSet<usize> {
        self.events[event].event.as_ref().map_or_else(BTreeSet::new, |event| {
            self.store.wanting(&(event.mode, event.organisation.clone()), &event.event_type)
        })
    }

    /// Every record in the log, each with the index of its event.
    pub(crate) fn records(&self) -> impl Iterator<Item = (usize, Record)> {
        let log = self.broker.queue(names::LOG).iter();
        log.flat_map(|stored| records::of(&stored.message).map(|record| (stored.event, record)))
    }

    /// The next moment at which something happens by itself.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        let next = [self.turns.next_at(), self.broker.next_at()].into_iter().flatten().min();
        next.filter(|at| *at < Duration::MAX)
    }

    /// Turns the clock forward.
    pub(crate) fn advance(&mut self, to: Duration) {
        assert!(self.now <= to, "time does not go back");
        self.now = to;
        self.broker.expire(to);
    }
}

/// An organisation's half of the world.
pub(crate) fn scope(mode: Mode, organisation: &str) -> Scope {
    (mode, organisation.parse::<OrganisationId>().expect("an organisation id"))
}

/// An event as our own producer publishes it.
///
/// * `number`: makes its id.
pub(crate) fn event(
    (mode, organisation): &Scope,
    event_type: &str,
    number: usize,
    at: OffsetDateTime,
) -> Outgoing {
    let id: EventId = format!("evt_{number}").parse().expect("an event id");
    let data = format!(
        r#"{{"id":"apt_{number}","patient":{{"id":"p_1","firstName":"Test"}},"organisationId":"{organisation}"}}"#
    );
    let body = Event::encode(&id, &event_type.parse().expect("an event type"), *mode, at, &data);
    Outgoing {
        exchange: names::EVENTS_EXCHANGE.to_owned(),
        routing_key: format!("{mode}.{event_type}"),
        message_id: id.to_string(),
        message_type: Some(event_type.to_owned()),
        timestamp: u64::try_from(at.unix_timestamp()).expect("after the epoch"),
        time_to_live: None,
        headers: vec![(names::ORGANISATION_HEADER, organisation.to_string())],
        body: body.expect("an event").into(),
    }
}
