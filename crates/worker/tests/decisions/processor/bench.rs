//! One worker, and a world that a test arranges and looks at.

use std::collections::VecDeque;
use std::time::Duration;

use bellhop_broker::{Outgoing, names};
use bellhop_model::{AttemptRecord, End, Ladder, Mode, Record};
use bellhop_worker::{LaneKind, Settlement, WorkerMetrics};
use prometheus::Registry;

use crate::world::broker::Stored;
use crate::world::endpoints::Reply;
use crate::world::fleet::Fleet;
use crate::world::hands::HandId;
use crate::world::records;
use crate::world::{State, World, event, scope};

/// What the webhooks of these tests want, unless said otherwise.
pub(super) const TYPE: &str = "appointment.scheduled";

/// A worker that does not settle within this many steps goes round in circles.
const STEPS_MAX: usize = 1_000;

/// One worker and its world: an organisation in live mode.
pub(super) struct Bench {
    world: World,
    fleet: Fleet,
    registry: Registry,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_ladder(&Ladder::default())
    }

    /// * `ladder`: the worker's; the broker has the default one.
    pub(super) fn with_ladder(ladder: &Ladder) -> Self {
        let registry = Registry::new();
        let metrics = WorkerMetrics::register(&registry).expect("an empty registry");
        let world = World::new(0, &Ladder::default());
        Self { fleet: Fleet::new(&world, ladder, &metrics, 1), world, registry }
    }

    /// Registers a webhook whose endpoint gives these replies, then 200s.
    pub(super) fn webhook<const N: usize>(&self, replies: [Reply; N]) -> usize {
        self.with(|state| {
            let webhook = state.store.register(&scope(Mode::Live, "org_a"), &[TYPE], state.now);
            state.endpoints.script(webhook, replies);
            webhook
        })
    }

    /// An event that these webhooks want, not published yet.
    pub(super) fn event(&self) -> Outgoing {
        self.with(|state| event(&scope(Mode::Live, "org_a"), TYPE, state.events.len(), state.wall()))
    }

    /// The event that was published last, as it was.
    pub(super) fn event_published(&self) -> Outgoing {
        self.with(|state| state.events.last().expect("an event was published").message.clone())
    }

    pub(super) fn publish(&self, message: Outgoing) {
        self.with(|state| state.publish_event(message));
    }

    /// Puts a message with these headers into the due lane.
    pub(super) fn owe(&self, headers: &[(&'static str, &str)]) {
        let mut message = self.event();
        message.headers.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.with(|state| state.place("bellhop.live.due", message));
    }

    /// Publishes an event and has it processed.
    pub(super) fn deliver(&mut self) -> Settlement {
        self.publish(self.event());
        self.process(LaneKind::Fresh)
    }

    /// Waits until a message is due, and has it processed.
    pub(super) fn deliver_due(&mut self) -> Settlement {
        let due = self.with(|state| state.broker.next_at()).expect("a message waits");
        self.with(|state| state.advance(due));
        self.process(LaneKind::Due)
    }

    /// Has the first message of a lane processed, however long that takes.
    pub(super) fn process(&mut self, lane: LaneKind) -> Settlement {
        self.process_in(Mode::Live, lane)
    }

    /// The same in either mode.
    pub(super) fn process_in(&mut self, mode: Mode, lane: LaneKind) -> Settlement {
        let hand = self.fleet.take(0, (mode, lane), 0);
        self.finish(hand)
    }

    /// Lets the worker take the first message of a lane, and do what it can without time passing.
    pub(super) fn take(&mut self, lane: LaneKind) -> HandId {
        self.take_until(lane, |_| false)
    }

    /// The same, but no further than to the moment a test waits for.
    pub(super) fn take_until(&mut self, lane: LaneKind, is_reached: impl Fn(&State) -> bool) -> HandId {
        let hand = self.fleet.take(0, (Mode::Live, lane), 0);
        for _ in 0..STEPS_MAX {
            let Some(ticket) = self.due().filter(|_| self.with(|state| !is_reached(state))) else {
                return hand;
            };
            assert_eq!(self.fleet.grant(ticket), None, "the message was to stay in hand");
        }
        panic!("the worker waits for nothing after {STEPS_MAX} steps");
    }

    /// Goes on with a hand until it settles.
    pub(super) fn finish(&mut self, hand: HandId) -> Settlement {
        for _ in 0..STEPS_MAX {
            match self.due() {
                Some(ticket) => {
                    if let Some((settled, settlement)) = self.fleet.grant(ticket) {
                        assert_eq!(settled, hand);
                        assert!(self.with(|state| state.violations.is_empty()));
                        return settlement;
                    }
                }
                None => self.with(|state| {
                    let next = state.turns.next_at().filter(|at| *at < Duration::MAX);
                    state.advance(next.expect("the worker waits for something that happens"));
                }),
            }
        }
        panic!("nothing is settled after {STEPS_MAX} steps");
    }

    pub(super) fn lose_session(&mut self) {
        self.fleet.lose_session(0);
    }

    /// How many results the worker keeps because the broker did not take them.
    pub(super) fn kept(&self) -> usize {
        self.fleet.gate(0).kept()
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        self.world.with(act)
    }

    /// The names of the queues that hold anything, each as often as it holds something; the log as often as it holds
    /// an end.
    pub(super) fn filled(&self) -> Vec<String> {
        self.with(|state| {
            let is_owed = |name: &str, stored: &Stored| {
                name != names::LOG
                    || records::of(&stored.message).any(|record| records::end(record).is_some())
            };
            let queues = state.broker.filled();
            let counted = |(name, held): (&str, &VecDeque<Stored>)| {
                let count = held.iter().filter(|stored| is_owed(name, stored)).count();
                vec![name.to_owned(); count]
            };
            queues.flat_map(counted).collect()
        })
    }

    /// The only message of a queue.
    pub(super) fn only(&self, queue: &str) -> Stored {
        let held = self.with(|state| state.broker.queue(queue).clone());
        assert_eq!(held.len(), 1, "messages in `{queue}`");
        held[0].clone()
    }

    /// The only end in the log.
    pub(super) fn end(&self) -> End {
        let mut ends = self.logged(records::end);
        assert_eq!(ends.len(), 1, "ends in the log");
        ends.remove(0)
    }

    /// The requests that the log tells of.
    pub(super) fn requests(&self) -> Vec<AttemptRecord<'static>> {
        self.logged(records::attempt)
    }

    /// What the log holds of one kind.
    pub(super) fn logged<T>(&self, kind: fn(Record) -> Option<T>) -> Vec<T> {
        self.with(|state| state.records().filter_map(|(_, record)| kind(record)).collect())
    }

    /// The requests that reached endpoints: webhook and attempt.
    pub(super) fn calls(&self) -> Vec<(usize, u8)> {
        self.with(|state| state.endpoints.calls.iter().map(|call| (call.webhook, call.attempt)).collect())
    }

    pub(super) fn webhook_id(&self, webhook: usize) -> String {
        self.with(|state| state.store.webhooks[webhook].id.to_string())
    }

    /// The value of a counter without labels.
    pub(super) fn counted(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a metric of that name");
        family.get_metric()[0].get_counter().get_value()
    }

    /// The value of a counter with one label.
    pub(super) fn counted_as(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a metric of that name");
        let mut metrics = family.get_metric().iter();
        let metric = metrics.find(|metric| metric.get_label().iter().any(|pair| pair.value() == label));
        metric.expect("a series with that label").get_counter().get_value()
    }

    fn due(&self) -> Option<u64> {
        self.with(|state| state.turns.due(state.now).first().copied())
    }
}

/// The value of a header.
pub(super) fn header<'a>(stored: &'a Stored, name: &str) -> Option<&'a str> {
    let headers = &stored.message.headers;
    headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}
