//! A broker in small: exchanges and bindings, and the queues that an event reaches by them.

use std::collections::BTreeSet;

use super::*;

/// Stands for the hashes of as many organisations.
const HASHES: usize = 6;

/// What a broker has of one mode's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct World {
    exchanges: BTreeSet<String>,
    bindings: BTreeSet<(String, String, String)>,
    queues: BTreeSet<u16>,
}

impl World {
    /// Where a fleet begins: with its queues, and nothing that leads to them.
    fn with_queues(shards: Shards) -> Self {
        Self { queues: shards.numbers().collect(), ..Self::default() }
    }

    /// What `bellhop topology` sees before it changes the way. It declares the wanted queues first.
    fn look(&mut self, way: Way) -> Found {
        self.queues.extend(way.shards.numbers());
        let left_over = way.shards.numbers_beyond().filter(|shard| self.queues.contains(shard)).collect();
        Found { is_hashing: self.exchanges.contains(&shards_exchange(way.mode)), left_over }
    }

    fn make(&mut self, step: &Step) {
        let triple = |b: &BindingSpec| (b.exchange.clone(), b.destination.clone(), b.key.clone());
        match step {
            Step::Declare(exchange) => drop(self.exchanges.insert(exchange.name.clone())),
            Step::Bind(binding) => {
                self.ensure_ends(binding);
                self.bindings.insert(triple(binding));
            }
            Step::Unbind(binding) => {
                self.ensure_ends(binding);
                self.bindings.remove(&triple(binding));
            }
            Step::Settle => {}
            Step::Delete(name) => {
                self.exchanges.remove(name);
                self.bindings.retain(|(from, to, _)| from != name && to != name);
            }
        }
    }

    /// The broker refuses to bind or unbind what does not exist.
    fn ensure_ends(&self, binding: &BindingSpec) {
        let is_there = |name: &str| {
            name == EVENTS_EXCHANGE
                || self.exchanges.contains(name)
                || self.queues.iter().any(|shard| events_queue(Mode::Live, *shard) == name)
        };
        assert!(is_there(&binding.exchange) && is_there(&binding.destination), "{binding:?} in {self:?}");
    }

    fn destinations(&self, exchange: &str) -> Vec<String> {
        self.bindings.iter().filter(|(from, ..)| from == exchange).map(|(_, to, _)| to.clone()).collect()
    }

    /// The queues that store an event of an organisation with this hash.
    ///
    /// * `before`: the state in which the event left the first exchange; it finds the second one as it is now.
    fn route(&self, before: &Self, hash: usize) -> BTreeSet<String> {
        let mut stored = BTreeSet::new();
        for destination in before.destinations(EVENTS_EXCHANGE) {
            if destination != shards_exchange(Mode::Live) {
                stored.insert(destination);
                continue;
            }
            if !self.exchanges.contains(&destination) {
                continue;
            }
            let ring = self.destinations(&destination);
            match ring.len() {
                0 => stored.extend(self.destinations(&fallback_exchange(Mode::Live))),
                shards => drop(stored.insert(ring[hash % shards].clone())),
            }
        }
        stored
    }
}

fn way(shards: u16) -> Way {
    Way { mode: Mode::Live, shards: Shards::new(shards).expect("a legal number") }
}

/// Makes a change, but for the last `skipped` steps, and looks after each step what becomes of an event that comes now,
/// or came in any state since the last pause and is still under way.
fn change(world: &mut World, way: Way, skipped: usize) -> usize {
    let steps = way.steps(&world.look(way));
    let made = steps.len().saturating_sub(skipped);
    let mut since_pause = vec![world.clone()];
    for step in &steps[..made] {
        world.make(step);
        if *step == Step::Settle {
            since_pause.clear();
        }
        since_pause.push(world.clone());
        for (before, hash) in
            since_pause.iter().flat_map(|before| (0..HASHES).map(move |hash| (before, hash)))
        {
            let stored = world.route(before, hash);
            assert_eq!(stored.len(), 1, "to {} shards, after {step:?}: stored in {stored:?}", way.shards);
        }
    }
    steps.len()
}

fn settled(shards: u16) -> World {
    let mut world = World::with_queues(way(shards).shards);
    let steps = way(shards).steps(&world.look(way(shards)));
    steps.iter().for_each(|step| world.make(step));
    world
}

fn ensure_settled(world: &World, way: Way) {
    let expected = way.bindings().into_iter().map(|b| (b.exchange, b.destination, b.key)).collect();
    assert_eq!(world.bindings, expected);
    assert_eq!(world.exchanges, way.exchanges().into_iter().map(|exchange| exchange.name).collect());
}

#[test]
fn from_any_number_to_any_other_each_event_is_stored_once_after_every_step() {
    for from in 1..=6 {
        for to in 1..=6 {
            let mut world = settled(from);
            change(&mut world, way(to), 0);
            ensure_settled(&world, way(to));
        }
    }
}

/// Two changes, of which the first is given up after any step, and then a third that is completed.
#[test]
fn a_change_that_is_interrupted_anywhere_can_be_completed_or_turned_into_another() {
    for (from, to, next) in [(1, 4, 1), (1, 4, 4), (1, 4, 2), (4, 1, 4), (4, 1, 1), (4, 1, 2), (4, 2, 3)] {
        let steps = change(&mut settled(from), way(to), 0);
        for skipped in 0..=steps {
            for skipped_again in 0..=13 {
                let mut world = settled(from);
                change(&mut world, way(to), skipped);
                change(&mut world, way(next), skipped_again);
                change(&mut world, way(3), 0);
                ensure_settled(&world, way(3));
                change(&mut world, way(1), 0);
                ensure_settled(&world, way(1));
            }
        }
    }
}

#[test]
fn declaring_the_same_number_again_changes_nothing() {
    for shards in [1, 2, 7, Shards::MAX] {
        let mut world = settled(shards);
        let before = world.clone();
        change(&mut world, way(shards), 0);
        assert_eq!(world, before);
    }
}

/// RabbitMQ's table of shards can be empty although the bindings are there.
#[test]
fn what_the_hash_knows_no_shard_for_goes_to_the_first() {
    let mut world = settled(4);
    world.bindings.retain(|(from, ..)| *from != shards_exchange(Mode::Live));
    assert_eq!(world.route(&world, 3), BTreeSet::from([events_queue(Mode::Live, 0)]));
}

#[test]
fn a_number_of_shards_has_bounds() {
    assert_eq!(Shards::new(0), None);
    assert_eq!(Shards::new(1), Some(Shards::ONE));
    assert_eq!(Shards::new(Shards::MAX).map(Shards::get), Some(64));
    assert_eq!(Shards::new(Shards::MAX + 1), None);
}
