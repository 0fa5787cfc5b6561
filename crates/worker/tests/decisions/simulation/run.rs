//! One run of one seed, from the first event to empty queues.

use std::time::Duration;

use bellhop_broker::names;
use bellhop_model::{Ladder, Mode};
use bellhop_worker::{LaneName, WorkerMetrics};

use super::check;
use super::scenario::{Happening, Scenario};
use crate::world::fleet::{Fleet, serving_all};
use crate::world::hands::HandId;
use crate::world::{State, World, event};

/// Over this many steps a run is going round in circles: the longest of a hundred thousand take a fraction of it.
const STEPS_MAX: usize = 200_000;

/// Longest time until a worker that crashed is replaced.
const RESTART_MAX: Duration = Duration::from_secs(5);

/// What came of a run.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The promises that were broken.
    pub(super) violations: Vec<String>,
    /// What happened, when it was to be told.
    pub(super) history: Vec<String>,
    /// Requests that reached an endpoint.
    pub(super) calls: usize,
    /// Those of them that an earlier one had the same attempt number as.
    pub(super) repeats: usize,
    /// Faults that struck a delivery.
    pub(super) faults: usize,
    /// Deliveries put off because their webhook was busy.
    pub(super) busy: usize,
    /// The same because it was unavailable.
    pub(super) unavailable: usize,
    /// Deliveries handed to a slow lane.
    pub(super) diverted: usize,
}

/// The stage with a scenario on it.
struct Stage {
    world: World,
    fleet: Fleet,
    scenario: Scenario,
    /// How many of the scenario's happenings have happened.
    happened: usize,
}

/// Something that can happen now.
#[derive(Clone, Copy)]
enum Step {
    /// A hand gets its turn.
    Grant(u64),
    /// A hand goes on that was woken.
    Wake(HandId),
    /// A worker takes a message from a lane.
    Take(usize, LaneName),
}

/// Runs one seed.
pub(super) fn simulate(seed: u64, metrics: &WorkerMetrics, is_told: bool) -> Run {
    let ladder = Ladder::default();
    let world = World::new(seed, &ladder);
    world.with(|state| state.history = is_told.then(Vec::new));
    let scenario = Scenario::draw(&world, &ladder);
    world.with(|state| {
        let outages = format!("{:?}", state.outages);
        state.note(|| format!("{scenario:?} {outages}"));
    });
    let options = serving_all(&ladder, scenario.places_max, scenario.lane_max);
    let fleet = Fleet::new(&world, options, metrics, scenario.workers);
    let mut stage = Stage { world, fleet, scenario, happened: 0 };
    let has_ended = (0..STEPS_MAX).any(|_| !stage.step());
    stage.world.with(|state| {
        if !has_ended {
            state.violate(format!("nothing has ended after {STEPS_MAX} steps"));
        } else if state.violations.is_empty() {
            check::promises(state, &ladder);
        }
        Run {
            violations: state.violations.clone(),
            history: state.history.take().unwrap_or_default(),
            ..check::tally(state)
        }
    })
}

impl Stage {
    /// Does one thing that can be done now, or waits for the next; `false` when there is nothing to wait for.
    fn step(&mut self) -> bool {
        if self.world.with(|state| !state.violations.is_empty()) {
            return false;
        }
        self.happen();
        self.strike();
        let steps = self.steps();
        if steps.is_empty() {
            return self.wait();
        }
        match self.world.with(|state| *state.dice.pick(&steps)) {
            Step::Grant(ticket) => {
                self.fleet.grant(ticket);
            }
            Step::Wake(hand) => {
                self.fleet.wake(hand);
            }
            Step::Take(worker, LaneName(mode, lane)) => {
                // Any message, not the first: requeued and redelivered ones overtake each other.
                let index = self.world.with(|state| {
                    let held = state.broker.queue(&lane.queue(mode)).len();
                    state.dice.below(held)
                });
                self.fleet.take(worker, (mode, lane), index);
            }
        }
        true
    }

    fn steps(&self) -> Vec<Step> {
        let due = self.world.with(|state| state.turns.due(state.now));
        let mut steps: Vec<Step> = due.into_iter().map(Step::Grant).collect();
        steps.extend(self.fleet.woken().into_iter().map(Step::Wake));
        let is_filled = |LaneName(mode, lane): &LaneName| {
            self.world.with(|state| !state.broker.queue(&lane.queue(*mode)).is_empty())
        };
        let filled: Vec<LaneName> = LaneName::ALL.into_iter().filter(is_filled).collect();
        if !filled.is_empty() {
            let taking = (0..self.fleet.workers())
                .filter(|worker| self.fleet.is_taking(*worker, self.scenario.hands_max));
            for worker in taking {
                steps.extend(filled.iter().map(|lane| Step::Take(worker, *lane)));
            }
        }
        steps
    }

    /// Waits for whatever comes next.
    fn wait(&mut self) -> bool {
        let planned = self.scenario.happenings.get(self.happened).map(|(at, _)| *at);
        let next = self.world.with(|state| {
            [planned, state.next_at(), self.fleet.next_at(state.now)].into_iter().flatten().min()
        });
        if let Some(next) = next {
            self.world.with(|state| state.advance(next));
        }
        next.is_some()
    }

    /// Lets happen what is planned for now.
    fn happen(&mut self) {
        let now = self.world.with(|state| state.now);
        while let Some((_, happening)) =
            self.scenario.happenings.get(self.happened).filter(|(at, _)| *at <= now)
        {
            self.world.with(|state| state.happen(happening));
            self.happened += 1;
        }
    }

    /// Lets a fault happen, sometimes, as long as there are any left.
    fn strike(&mut self) {
        let struck = self.world.with(|state| {
            if state.nature.faults_left == 0 || !state.dice.is_one_in(30) {
                return None;
            }
            state.nature.faults_left -= 1;
            Some((state.dice.below(3), state.dice.below(self.fleet.workers()), state.dice.up_to(RESTART_MAX)))
        });
        match struck {
            None => {}
            Some((0, worker, away)) => self.fleet.crash(worker, away),
            Some((1, worker, _)) => self.fleet.lose_session(worker),
            Some(_) => self.world.with(State::repeat_something),
        }
    }
}

impl State {
    fn happen(&mut self, happening: &Happening) {
        let now = self.now;
        self.note(|| format!("{happening:?}"));
        match happening {
            Happening::Publish { scope, event_type, is_malformed } => {
                let mut message = event(scope, event_type, self.events.len(), self.wall());
                if *is_malformed {
                    message.body.truncate(message.body.len() / 2);
                }
                self.publish_event(message);
            }
            Happening::Disable(webhook) => self.store.disable(*webhook, now),
            Happening::Enable(webhook) => self.store.enable(*webhook, now),
            Happening::Heal(webhook) => self.endpoints.heal(*webhook),
            Happening::FlushClaims => {
                self.store.flush_claims();
                let all = 0..self.store.webhooks.len();
                let events = 0..self.events.len();
                self.unclaimed
                    .extend(events.flat_map(|event| all.clone().map(move |webhook| (event, webhook))));
            }
        }
    }

    /// The broker stores something twice: a fresh event after a publisher tried again, or what was dead-lettered.
    fn repeat_something(&mut self) {
        let sources: Vec<String> = LaneName::ALL
            .into_iter()
            .map(|LaneName(mode, lane)| lane.queue(mode))
            .filter(|queue| !self.broker.queue(queue).is_empty())
            .collect();
        if sources.is_empty() {
            return;
        }
        let queue = self.dice.pick(&sources).clone();
        let index = self.dice.below(self.broker.queue(&queue).len());
        let stored = self.broker.repeat(&queue, index);
        let carried = self.carried(stored.event, &stored.message);
        self.note(|| format!("THE BROKER REPEATS event {} in {queue}", stored.event));
        self.hands.strike(carried);
    }
}

/// The queues that may hold something when all is over.
pub(super) fn may_stay(queue: &str) -> bool {
    queue == names::LOG || Mode::ALL.into_iter().any(|mode| queue == names::parked_queue(mode))
}
