//! The scenarios: what harms, whom it must not harm, and what is compared with what.

mod bursts;
mod dead;
mod neighbours;
mod recovery;

use std::time::Duration;

use bellhop_model::Mode;

use crate::conditions::Conditions;
use crate::plan::{FleetName, Part, Plan, Stream, Until};
use crate::webhook::{Conduct, Webhook};

pub(crate) use self::bursts::ideal_seconds;
pub(crate) use self::dead::memory_at_marks;

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What `ROWS` knows it by.
    pub(crate) name: &'static str,
    /// What it is about, and what each half is.
    pub(crate) words: &'static str,
    /// Its halves.
    pub(crate) halves: fn(&Conditions) -> Vec<Plan>,
    /// Which half is held against which, what the scenario is about first; nothing is where there is one half.
    pub(crate) comparisons: &'static [(&'static str, &'static str)],
}

/// What harms, held against its absence.
const HARMED: (&str, &str) = ("with", "without");

/// What harms, held against the same load that comes from elsewhere on this machine.
const SHARED: (&str, &str) = ("with", "apart");

/// Both, and what the machine has to do with it.
const BESIDE: &[(&str, &str)] = &[HARMED, SHARED, ("apart", "without")];

/// All scenarios, in the order of the table.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "mixed",
        words: "RATE events/s evenly over 100 webhooks: 70 healthy, 10 hang, 10 answer after 5 s, 10 refuse; \
                without: the 30 are healthy, too, so that load is the same and only badness differs; apart: the 30 are a \
                vhost's and a worker's of their own, so that only the machine is shared",
        halves: neighbours::mixed,
        comparisons: BESIDE,
    },
    Scenario {
        name: "burst",
        words: "50 organisations trickle while one publishes EVENTS at once, with eight shards, those on the shard of the \
                burst told apart; without: it does not; apart: in a vhost and by a worker of its own, so that only the \
                machine is shared; one shard: for all",
        halves: bursts::burst,
        comparisons: &[HARMED, SHARED, ("apart", "without"), ("one shard", "without")],
    },
    Scenario {
        name: "test-flood",
        words: "50 live organisations trickle over TLS while EVENTS for 50 in Test Mode come at once; without: none \
                do; apart: in a vhost and by a worker of their own; separated: a worker for the lanes of each mode",
        halves: bursts::flood,
        comparisons: &[HARMED, SHARED, ("apart", "without"), ("separated", "apart")],
    },
    Scenario {
        name: "slow-drain",
        words: "EVENTS at once for an endpoint that serves 16 requests at once in 50 ms each, 320/s",
        halves: bursts::drain,
        comparisons: &[],
    },
    Scenario {
        name: "shared-host",
        words: "RATE events/s on one host: 7/8 for 70 healthy webhooks, 1/8 for 100 that hang; without: the 100 are \
                healthy, too; apart: in a vhost and by a worker of their own",
        halves: neighbours::shared_host,
        comparisons: BESIDE,
    },
    Scenario {
        name: "recovery",
        words: "50 organisations trickle while RECOVER exhausted deliveries of one are owed again, PACE a second, a \
                recorder running; without: none are; published: as many fresh events instead, at the same pace, so that \
                load is the same; apart: in a vhost and a database, by a worker and a recorder of its own",
        halves: recovery::recovery,
        comparisons: &[HARMED, ("with", "published"), SHARED, ("apart", "without")],
    },
    Scenario {
        name: "dead-memory",
        words: "ten events for each of DEAD endpoints, on as many hosts, that refuse, hang, or have no address; \
                deadline 500 ms instead of 15 s, so that each is found out within minutes",
        halves: dead::memory,
        comparisons: &[],
    },
];

/// The lanes of one worker that serves all.
const ONE_WORKER: &[Option<&str>] = &[None];

/// How long what is healthy may be late before nobody waits for it.
const HEALTHY_PATIENCE: Duration = Duration::from_secs(120);

fn plan(name: &'static str, webhooks: Vec<Webhook>, streams: Vec<Stream>) -> Plan {
    let until = Until::Taken { at_most: HEALTHY_PATIENCE };
    Plan { name, webhooks, streams, lanes: ONE_WORKER, settings: &[], is_recorded: false, until }
}

fn quick(count: usize) -> impl Iterator<Item = Webhook> {
    std::iter::repeat_n(Webhook::test(Conduct::Quick), count)
}

/// A stream of some events per second for as long as a half lasts.
fn steady(
    webhooks: std::ops::Range<usize>,
    per_second: usize,
    conditions: &Conditions,
    part: Part,
) -> Stream {
    let per_second = per_second.max(1);
    let events = per_second * conditions.seconds;
    Stream {
        webhooks: webhooks.collect(),
        events,
        per_second: Some(per_second),
        after: Duration::ZERO,
        part,
        fleet: FleetName::Measured,
    }
}

/// The same, where only the machine is shared.
fn apart(stream: Stream) -> Stream {
    Stream { fleet: FleetName::Apart, ..stream }
}

/// Everything at once.
fn at_once(webhooks: std::ops::Range<usize>, events: usize, after: Duration) -> Stream {
    Stream {
        webhooks: webhooks.collect(),
        events,
        per_second: None,
        after,
        part: Part::Burst,
        fleet: FleetName::Measured,
    }
}

/// Live webhooks that answer at once.
fn live(count: usize) -> impl Iterator<Item = Webhook> {
    quick(count).map(|webhook| Webhook { mode: Mode::Live, ..webhook })
}
