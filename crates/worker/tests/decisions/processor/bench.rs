//! One worker, and a world that a test arranges and looks at.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bellhop_broker::{Outgoing, names};
use bellhop_model::{AttemptRecord, End, Ladder, Mode, Record};
use bellhop_worker::{LaneKind, Settlement, WorkerMetrics, WorkerOptions};
use prometheus::Registry;
use prometheus::proto::Metric;

use crate::world::broker::Stored;
use crate::world::endpoints::Reply;
use crate::world::fleet::{Fleet, serving_all};
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
    /// What hands settled with, until somebody asks.
    settled: BTreeMap<HandId, Settlement>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_ladder(&Ladder::default())
    }

    /// * `ladder`: the worker's; the broker has the default one.
    pub(super) fn with_ladder(ladder: &Ladder) -> Self {
        Self::with_options(serving_all(ladder, 20, 100))
    }

    /// * `places`: how many requests may be under way at one webhook.
    /// * `in_flight_max`: how many messages a lane has in hand, of which a part may wait for places.
    pub(super) fn with_places(places: u16, in_flight_max: u16) -> Self {
        Self::with_options(serving_all(&Ladder::default(), places, in_flight_max))
    }

    fn with_options(options: WorkerOptions) -> Self {
        let registry = Registry::new();
        let metrics = WorkerMetrics::register(&registry).expect("an empty registry");
        let world = World::new(0, &Ladder::default());
        Self { fleet: Fleet::new(&world, options, &metrics, 1), world, registry, settled: BTreeMap::new() }
    }

    /// Registers a webhook at a host that it may share with others.
    pub(super) fn webhook_at<const N: usize>(&self, host: &str, replies: [Reply; N]) -> usize {
        self.with(|state| {
            let webhook = state.store.register_at(host, &scope(Mode::Live, "org_a"), &[TYPE], state.now);
            state.endpoints.script(webhook, replies);
            webhook
        })
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
            if self.with(|state| is_reached(state)) || !self.go_on() {
                return hand;
            }
            assert!(!self.settled.contains_key(&hand), "the message was to stay in hand");
        }
        panic!("the worker waits for nothing after {STEPS_MAX} steps");
    }

    /// Goes on with a hand until it settles.
    pub(super) fn finish(&mut self, hand: HandId) -> Settlement {
        for _ in 0..STEPS_MAX {
            if let Some(settlement) = self.settled.remove(&hand) {
                return settlement;
            }
            if !self.go_on() {
                self.with(|state| {
                    let next = state.turns.next_at().filter(|at| *at < Duration::MAX);
                    state.advance(next.expect("the worker waits for something that happens"));
                });
            }
        }
        panic!("nothing is settled after {STEPS_MAX} steps");
    }

    /// Lets one hand go on that can without time passing; `false` when there is none.
    fn go_on(&mut self) -> bool {
        let due = self.with(|state| state.turns.due(state.now).first().copied());
        let settled = match (due, self.fleet.woken().first().copied()) {
            (Some(ticket), _) => self.fleet.grant(ticket),
            (None, Some(hand)) => self.fleet.wake(hand),
            (None, None) => return false,
        };
        self.with(|state| assert_eq!(state.violations, [""; 0]));
        self.settled.extend(settled);
        true
    }

    /// Takes every message of a lane in hand, and does what can be done without time passing.
    pub(super) fn take_all(&mut self, lane: LaneKind) -> Vec<HandId> {
        let queue = lane.queue(Mode::Live);
        let count = self.with(|state| state.broker.queue(&queue).len());
        let hands = (0..count).map(|_| self.fleet.take(0, (Mode::Live, lane), 0)).collect();
        while self.go_on() {}
        hands
    }

    /// Goes on with everything in hand until nothing is.
    pub(super) fn finish_all(&mut self, hands: &[HandId]) {
        for hand in hands {
            assert_eq!(self.finish(*hand), Settlement::Acknowledge);
        }
    }

    /// Takes whatever comes, for as long as anything does.
    pub(super) fn run_dry(&mut self) {
        self.run_until(Duration::MAX);
    }

    /// Takes whatever comes within some time.
    pub(super) fn run_for(&mut self, duration: Duration) {
        let end = self.with(|state| state.now) + duration;
        self.run_until(end);
        self.with(|state| state.advance(end));
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            self.take_all(LaneKind::Fresh);
            self.take_all(LaneKind::Slow);
            self.take_all(LaneKind::Due);
            let Some(next) = self.with(|state| state.next_at()).filter(|at| *at <= end) else { return };
            self.with(|state| state.advance(next.max(state.now)));
        }
    }

    pub(super) fn stop(&mut self) {
        self.fleet.stop(0);
        while self.go_on() {}
    }

    /// Lets so much time pass, and nothing happen meanwhile.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.with(|state| state.advance(state.now + duration));
    }

    /// Ends the worker without warning; another one, which knows nothing yet, is there at once.
    pub(super) fn crash(&mut self) {
        self.fleet.crash(0, Duration::ZERO);
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
        self.shown(name, &[label]).get_counter().get_value()
    }

    /// The series that has all these labels.
    pub(super) fn shown(&self, name: &str, labels: &[&str]) -> Metric {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a metric of that name");
        let has = |metric: &&Metric, label: &str| metric.get_label().iter().any(|pair| pair.value() == label);
        let mut metrics = family.get_metric().iter();
        let metric = metrics.find(|metric| labels.iter().all(|label| has(metric, label)));
        metric.expect("a series with those labels").clone()
    }
}

/// The value of a header.
pub(super) fn header<'a>(stored: &'a Stored, name: &str) -> Option<&'a str> {
    let headers = &stored.message.headers;
    headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}
