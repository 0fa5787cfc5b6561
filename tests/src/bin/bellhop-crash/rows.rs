//! The matrix: every fault that is tried, in the order of the table.

use bellhop_tests::stack::Service;

use crate::faults::{Striking, broker, cluster, producer, recorders, stores, workers};
use crate::scene::{Scene, Way};

/// One fault.
#[derive(Debug)]
pub(crate) struct Row {
    /// What `ROWS` knows it by.
    pub(crate) name: &'static str,
    /// What the table calls it.
    pub(crate) words: &'static str,
    /// How processes reach the broker meanwhile.
    pub(crate) way: Way,
    /// Does it, heals it, and says how many faults may have caught one delivery.
    pub(crate) strike: for<'s> fn(&'s mut Scene) -> Striking<'s>,
}

/// Names each fault once.
macro_rules! rows {
    ($($name:literal, $words:literal, $way:ident, $strike:expr;)*) => {
        /// All rows.
        pub(crate) const ROWS: &[Row] = &[$(Row {
            name: $name,
            words: $words,
            way: Way::$way,
            strike: |scene| Box::pin($strike(scene)),
        },)*];
    };
}

rows! {
    "worker-killed", "a worker killed", Direct, workers::killed;
    "worker-killed-often", "a worker killed, ten times in a row", Direct, workers::killed_in_a_row;
    "workers-killed", "all workers killed at once", Direct, workers::all_killed;
    "workers-rolled", "all workers replaced by a rollout", Direct, workers::rolled;
    "worker-killed-logged", "a worker killed, with a recorder", Recorded, recorders::worker_killed;
    "recorder-killed", "the recorder killed", Recorded, recorders::killed;
    "producer-killed", "a producer killed while it publishes", Direct, producer::killed;
    "broker-killed", "RabbitMQ killed", Direct, broker::killed;
    "broker-restarted", "RabbitMQ restarted", Direct, broker::restarted;
    "broker-paused", "RabbitMQ paused beyond heartbeats", Beating, broker::paused;
    "memory-alarm", "RabbitMQ short of memory", Direct, broker::short_of_memory;
    "disk-alarm", "RabbitMQ short of disk", Direct, broker::short_of_disk;
    "leader-killed", "the leader of a three-node cluster killed", Clustered, cluster::leader_killed;
    "connections-cut", "connections cut at random bytes", Relayed, broker::cut_off;
    "connections-closed", "connections closed by RabbitMQ", Direct, broker::closed;
    "redis-flushed", "Redis flushed", Direct, stores::redis_flushed;
    "redis-killed", "Redis killed", Direct, |scene| stores::killed(scene, Service::Redis);
    "redis-paused", "Redis paused", Direct, |scene| stores::paused(scene, Service::Redis);
    "postgres-killed", "PostgreSQL killed", Direct, |scene| stores::killed(scene, Service::Postgres);
    "postgres-killed-logged", "PostgreSQL killed, with a recorder", Recorded,
        |scene| stores::killed(scene, Service::Postgres);
    "postgres-paused", "PostgreSQL paused", Direct, |scene| stores::paused(scene, Service::Postgres);
    "servers-killed", "all three servers killed at once", Direct, broker::all_servers_killed;
}
