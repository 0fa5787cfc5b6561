//! The worker's decisions, as production runs them, in a world that lies in memory: broker, store, endpoints, clock.
//!
//! `processor` holds one claim per test. `simulation` lets chance, from a seed, do what it wants to whole fleets.

mod world;

mod processor;
mod simulation;
