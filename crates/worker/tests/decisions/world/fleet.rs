//! Workers: the production processor in each, and the hands it holds, polled one turn at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bellhop_broker::{Incoming, Shards};
use bellhop_model::{Ladder, Mode};
use bellhop_worker::{
    Gate, Isolation, LaneKind, LaneName, LaneOptions, Origin, Processor, Settlement, WorkerMetrics,
    WorkerOptions,
};
use tokio_util::sync::CancellationToken;

use super::hands::HandId;
use super::ports::Seat;
use super::{State, World};

type Task = Pin<Box<dyn Future<Output = Settlement> + Send>>;

/// One worker process.
struct Worker {
    processor: Arc<Processor<Seat>>,
    gate: Gate,
    stopping: CancellationToken,
    /// When it has started.
    up_at: Duration,
}

/// All workers and what they have in hand.
pub(crate) struct Fleet {
    world: World,
    options: WorkerOptions,
    metrics: WorkerMetrics,
    workers: Vec<Worker>,
    tasks: BTreeMap<HandId, Task>,
    woken: Woken,
}

/// The hands that can go on although they got no turn: another hand gave back what they waited for.
#[derive(Clone, Default)]
struct Woken(Arc<Mutex<BTreeSet<HandId>>>);

/// Wakes one hand.
struct Alarm {
    hand: HandId,
    woken: Woken,
}

impl Fleet {
    pub(crate) fn new(
        world: &World,
        options: WorkerOptions,
        metrics: &WorkerMetrics,
        workers: usize,
    ) -> Self {
        world.with(|state| {
            state.places_max = usize::from(options.webhook_in_flight_max);
            state.lane_max = usize::from(options.lanes[0].in_flight_max);
        });
        let mut fleet = Self {
            world: world.clone(),
            options,
            metrics: metrics.clone(),
            workers: Vec::new(),
            tasks: BTreeMap::new(),
            woken: Woken::default(),
        };
        fleet.workers = (0..workers).map(|worker| fleet.started(worker, Duration::ZERO)).collect();
        fleet
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn gate(&self, worker: usize) -> &Gate {
        &self.workers[worker].gate
    }

    /// The hands that can go on without a turn.
    pub(crate) fn woken(&self) -> Vec<HandId> {
        let mut woken = self.woken.hands();
        // A hand that has settled, or whose worker crashed, hears no more.
        woken.retain(|hand| self.tasks.contains_key(hand));
        woken.iter().copied().collect()
    }

    /// Lets a hand go on that was woken.
    ///
    /// * returns the hand's settlement once it has one.
    pub(crate) fn wake(&mut self, hand: HandId) -> Option<(HandId, Settlement)> {
        self.world.with(|state| state.note(|| format!("hand {hand} is woken:")));
        self.poll(hand).map(|settlement| (hand, settlement))
    }

    /// Tells a worker to stop: what it has in hand goes on, but waits for nothing it need not wait for.
    pub(crate) fn stop(&self, worker: usize) {
        self.workers[worker].stopping.cancel();
    }

    /// When the next worker has started.
    pub(crate) fn next_at(&self, now: Duration) -> Option<Duration> {
        self.workers.iter().map(|worker| worker.up_at).filter(|at| now < *at).min()
    }

    /// Whether a worker takes messages, as its lanes do: while it is up, keeps no result and has a hand free.
    pub(crate) fn is_taking(&self, worker: usize, hands_max: usize) -> bool {
        self.world.with(|state| {
            let Worker { gate, up_at, .. } = &self.workers[worker];
            *up_at <= state.now && gate.kept() == 0 && state.hands.of(worker).count() < hands_max
        })
    }

    /// Hands a message of a queue to a worker, which begins with it.
    pub(crate) fn take(&mut self, worker: usize, (mode, lane): (Mode, LaneKind), index: usize) -> HandId {
        let queue = lane.queue(mode);
        let (hand, message) = self.world.with(|state| {
            let stored = state.broker.take(&queue, index, state.hands.next());
            let hand = state.hands.open(worker, lane, &stored);
            state.note(|| {
                format!("worker {worker} takes event {} from {queue} into hand {hand}", stored.event)
            });
            let mut message = Incoming::of(&stored.message);
            message.redelivered = stored.is_redelivered;
            (hand, message)
        });
        let (world, processor) = (self.world.clone(), Arc::clone(&self.workers[worker].processor));
        let origin = Origin { mode, lane, queue };
        let task = async move {
            let is_lost = || world.with(|state| state.hands.get(hand).is_lost);
            let processed = processor.process(&message, &origin, &is_lost).await;
            processor.write(processed.records).await;
            // The acknowledgement is on its way, and may yet be lost.
            let at = world.with(|state| state.now);
            world.turn_at(at).await;
            processed.settlement
        };
        self.tasks.insert(hand, Box::pin(task));
        self.poll(hand);
        hand
    }

    /// Gives a turn to the hand that waits for it.
    ///
    /// * returns the hand's settlement once it has one.
    pub(crate) fn grant(&mut self, ticket: u64) -> Option<(HandId, Settlement)> {
        let hand = self.world.with(|state| {
            let hand = state.turns.grant(ticket);
            let worker = state.hands.get(hand).worker;
            state.note(|| format!("worker {worker}, hand {hand}:"));
            hand
        });
        self.poll(hand).map(|settlement| (hand, settlement))
    }

    /// Ends a worker without warning; another one takes its place.
    pub(crate) fn crash(&mut self, worker: usize, away: Duration) {
        let hands = self.world.with(|state| {
            state.note(|| format!("WORKER {worker} CRASHES"));
            state.store.forget(worker);
            state.endpoints.forget(worker);
            state.hands.of(worker).map(|(hand, _)| hand).collect::<Vec<_>>()
        });
        for hand in &hands {
            // Outside the lock: what a task holds may want to look at the world when it is dropped.
            drop(self.tasks.remove(hand));
        }
        let up_at = self.world.with(|state| {
            for hand in hands {
                state.lose(hand);
                state.hands.close(hand);
            }
            state.now + away
        });
        self.workers[worker] = self.started(worker, up_at);
    }

    /// Ends a worker's consuming session; what it has in hand goes on.
    pub(crate) fn lose_session(&mut self, worker: usize) {
        self.world.with(|state| {
            state.note(|| format!("WORKER {worker} LOSES ITS SESSION"));
            let hands: Vec<HandId> = state.hands.of(worker).map(|(hand, _)| hand).collect();
            for hand in hands {
                state.lose(hand);
            }
        });
    }

    fn started(&self, worker: usize, up_at: Duration) -> Worker {
        let (gate, stopping) = (Gate::default(), CancellationToken::new());
        let seat = Seat { world: self.world.clone(), worker };
        let isolation = Isolation::new(&self.options, &self.metrics, stopping.clone());
        let ladder = self.options.ladder.clone();
        let processor = Processor::new(seat, ladder, self.metrics.clone(), gate.clone(), isolation);
        Worker { processor: Arc::new(processor), gate, stopping, up_at }
    }

    fn poll(&mut self, hand: HandId) -> Option<Settlement> {
        self.world.with(|state| state.hands.current = hand);
        self.woken.hands().remove(&hand);
        let waker = Waker::from(Arc::new(Alarm { hand, woken: self.woken.clone() }));
        let task = self.tasks.get_mut(&hand).expect("a hand at work");
        let Poll::Ready(settlement) = task.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return None;
        };
        self.tasks.remove(&hand);
        self.world.with(|state| state.settle(hand, settlement));
        Some(settlement)
    }
}

/// Workers that serve every lane.
///
/// * `webhook_in_flight_max`: most requests under way at one webhook.
/// * `in_flight_max`: most messages in hand per lane; the world keeps no count of it.
pub(crate) fn serving_all(ladder: &Ladder, webhook_in_flight_max: u16, in_flight_max: u16) -> WorkerOptions {
    let lane = |LaneName(mode, kind)| LaneOptions { mode, kind, in_flight_max };
    WorkerOptions {
        shards: Shards::ONE,
        lanes: LaneName::ALL.map(lane).to_vec(),
        ladder: ladder.clone(),
        webhook_in_flight_max,
        sockets_max: u32::MAX,
        publish_timeout: Duration::from_secs(5),
    }
}

impl Woken {
    fn hands(&self) -> std::sync::MutexGuard<'_, BTreeSet<HandId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.woken.hands().insert(self.hand);
    }
}

impl State {
    /// The broker offers a hand's message again, if it has not done so already.
    fn lose(&mut self, hand: HandId) {
        if !self.hands.get(hand).is_lost {
            self.hands.lose(hand);
            self.broker.take_back(hand);
        }
    }

    fn settle(&mut self, hand: HandId, settlement: Settlement) {
        let is_lost = self.hands.get(hand).is_lost;
        self.note(|| format!("  settles: {settlement:?}{}", if is_lost { ", too late" } else { "" }));
        match settlement {
            _ if is_lost => {}
            Settlement::Acknowledge => self.broker.acknowledge(hand),
            Settlement::GiveBack => {
                self.violate(format!("hand {hand} gives back what its session still holds"));
                self.broker.take_back(hand);
            }
        }
        self.hands.close(hand);
    }
}
