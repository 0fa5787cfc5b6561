//! What a seed chooses before anything runs.

use std::time::Duration;

use bellhop_broker::names;
use bellhop_model::{Failure, Ladder, Mode};

use crate::world::World;
use crate::world::dice::Dice;
use crate::world::endpoints::Reply;
use crate::world::outages::{Outages, Window};
use crate::world::store::Scope;
use crate::world::{Nature, State, scope};

const GOOD: &[Reply] = &[Reply::Status(200), Reply::Status(204)];
const BAD: &[Reply] = &[Reply::Status(500), Reply::Status(404), Reply::Failure(Failure::TimedOut)];
const FLAKY: &[Reply] = &[Reply::Status(200), Reply::Status(502), Reply::Failure(Failure::Connect)];
const GOING: &[Reply] = &[Reply::Status(500), Reply::Status(410)];
const BUSY: &[Reply] = &[
    Reply::Status(200),
    Reply::Later(503, Duration::from_secs(45)),
    Reply::Later(429, Duration::from_secs(11 * 60)),
];

const HANGING: &[Reply] = &[Reply::Failure(Failure::TimedOut)];
const STUMBLING: &[Reply] =
    &[Reply::Failure(Failure::TimedOut), Reply::Failure(Failure::TimedOut), Reply::Status(200)];
const REFUSING: &[Reply] = &[Reply::Failure(Failure::Connect), Reply::Failure(Failure::Dns)];

const TYPES: [&str; 2] = ["appointment.created", "appointment.scheduled"];

/// Events are published, and most things go wrong, within this time.
const OPENING: Duration = Duration::from_secs(60);

/// Until then the last attempts are made, unless something delays them.
const PERFORMANCE: Duration = Duration::from_secs(15 * 60);

/// By then every endpoint is well that will be.
const HEALED_BY: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a slow endpoint takes.
const SLOW: Duration = Duration::from_secs(12);

/// Something that happens at a planned time.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// An event is published.
    Publish { scope: Scope, event_type: &'static str, is_malformed: bool },
    /// A webhook is disabled or removed.
    Disable(usize),
    /// A webhook is enabled again, or changed.
    Enable(usize),
    /// An endpoint is well again.
    Heal(usize),
    /// Redis comes back without its data.
    FlushClaims,
}

/// A scenario.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) workers: usize,
    /// How much a worker takes at a time.
    pub(super) hands_max: usize,
    /// How many requests a worker has under way at one webhook at most.
    pub(super) places_max: u16,
    /// How many messages a lane believes it may have in hand, of which a part may wait for places.
    pub(super) lane_max: u16,
    /// In the order of time.
    pub(super) happenings: Vec<(Duration, Happening)>,
}

impl Scenario {
    /// Sets the stage, and plans what will happen on it.
    pub(super) fn draw(world: &World, ladder: &Ladder) -> Self {
        world.with(|state| {
            state.nature = Nature {
                latency_max: Duration::from_millis(500),
                answer_time_max: Duration::from_secs(15),
                staleness_max: Duration::from_secs(5),
                faults_left: state.dice.below(5),
            };
            state.outages = draw_outages(&mut state.dice, ladder);
            let webhooks = register_webhooks(state);
            let mut happenings = draw_events(&mut state.dice, &webhooks);
            let dice = &mut state.dice;
            let is_burst = dice.is_one_in(8);
            if is_burst {
                happenings.extend(draw_burst(dice, &webhooks));
            }
            for webhook in 0..webhooks.len() {
                // Whoever is never well again keeps a burst busy for a day, which takes long to simulate.
                if is_burst || !dice.is_one_in(6) {
                    happenings.push((dice.up_to(HEALED_BY), Happening::Heal(webhook)));
                }
            }
            for _ in 0..dice.below(3) {
                let webhook = dice.below(webhooks.len());
                let change = *dice.pick(&[Happening::Disable, Happening::Enable]);
                happenings.push((some_time(dice), change(webhook)));
            }
            if dice.is_one_in(10) {
                happenings.push((some_time(dice), Happening::FlushClaims));
            }
            happenings.sort_by_key(|(at, _)| *at);
            let hands_max = 1 + if is_burst { dice.below(12) } else { dice.below(4) };
            let places_max = *dice.pick(&[1, 1, 2, 3]);
            let lane_max = *dice.pick(&[places_max, 8, 40]);
            Self { workers: 1 + dice.below(3), hands_max, places_max, lane_max, happenings }
        })
    }
}

fn register_webhooks(state: &mut State) -> Vec<Scope> {
    let scopes = [scope(Mode::Live, "org_a"), scope(Mode::Test, "org_a"), scope(Mode::Live, "org_b")];
    let count = 1 + state.dice.below(3);
    let mut chosen = Vec::new();
    for index in 0..count {
        // Mostly one organisation, so that several webhooks want the same event.
        let scope = if state.dice.is_one_in(4) { state.dice.pick(&scopes) } else { &scopes[0] };
        let types = if state.dice.is_one_in(4) { &TYPES[..1] } else { &TYPES[..] };
        // Often a host that others share.
        let host = if state.dice.is_one_in(2) { "shared".to_owned() } else { format!("w{index}") };
        state.store.register_at(&host, scope, types, Duration::ZERO);
        let moods = [GOOD, BAD, BAD, FLAKY, FLAKY, GOING, BUSY, HANGING, STUMBLING, REFUSING];
        let mood = *state.dice.pick(&moods);
        state.endpoints.set_mood(index, mood);
        if state.dice.is_one_in(4) {
            state.endpoints.set_answer_time(index, SLOW);
        }
        chosen.push(scope.clone());
    }
    chosen
}

fn draw_events(dice: &mut Dice, webhooks: &[Scope]) -> Vec<(Duration, Happening)> {
    let count = 1 + dice.below(4);
    let draw = |_| {
        let at = if dice.is_one_in(2) { Duration::from_secs(1) } else { dice.up_to(OPENING) };
        let scope = dice.pick(webhooks).clone();
        let event_type = *dice.pick(&TYPES);
        (at, Happening::Publish { scope, event_type, is_malformed: dice.is_one_in(30) })
    };
    (0..count).map(draw).collect()
}

/// Many events for one organisation, all at once.
fn draw_burst(dice: &mut Dice, webhooks: &[Scope]) -> Vec<(Duration, Happening)> {
    let (at, scope) = (dice.up_to(OPENING), dice.pick(webhooks).clone());
    let event_type = TYPES[0];
    let publish = Happening::Publish { scope, event_type, is_malformed: false };
    vec![(at, publish); 6 + dice.below(12)]
}

fn draw_outages(dice: &mut Dice, ladder: &Ladder) -> Outages {
    let mut outages = Outages::default();
    if dice.is_one_in(3) {
        outages.store.push(draw_window(dice));
    }
    if dice.is_one_in(5) {
        outages.claims.push(draw_window(dice));
    }
    if dice.is_one_in(3) {
        outages.publishing.push(draw_window(dice));
    }
    if dice.is_one_in(3) {
        let rungs = ladder.rungs().iter().map(|rung| names::wait_queue(Mode::Live, *rung));
        let others = [names::LOG.to_owned(), names::parked_queue(Mode::Live), names::slow_queue(Mode::Live)];
        let mut queues: Vec<String> = rungs.chain(others).collect();
        if dice.is_one_in(2) {
            queues = vec![dice.pick(&queues).clone()];
        }
        let window = draw_window(dice);
        outages.refusing.extend(queues.into_iter().map(|queue| (queue, window.clone())));
    }
    outages
}

fn draw_window(dice: &mut Dice) -> Window {
    let start = some_time(dice);
    let length = *dice.pick(&[Duration::from_secs(1), OPENING, PERFORMANCE]);
    start..start + dice.up_to(length)
}

fn some_time(dice: &mut Dice) -> Duration {
    let until = *dice.pick(&[OPENING, PERFORMANCE]);
    dice.up_to(until)
}
