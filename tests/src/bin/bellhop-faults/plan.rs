//! What a half of a comparison is made of: webhooks, streams of events, workers, and an end.

use std::time::Duration;

use crate::figures::{Drain, Healthy};
use crate::sink::{Expected, Run, RunTally};
use crate::webhook::Webhook;

/// Events that each timed webhook gets before anything is timed: connections are open and copies cached by then.
const WARM_UP_ROUNDS: usize = 5;

/// The setting that says over how many queues events are spread.
pub(crate) const SHARDS: &str = "BELLHOP_AMQP_SHARDS";

/// What a half is made of.
pub(crate) struct Plan {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// Each is the only one of its organisation.
    pub(crate) webhooks: Vec<Webhook>,
    /// What is published.
    pub(crate) streams: Vec<Stream>,
    /// The lanes of each worker; none is all.
    pub(crate) lanes: &'static [Option<&'static str>],
    /// Settings that are not production's.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Whether a recorder takes what the workers tell the log.
    pub(crate) is_recorded: bool,
    /// When it is over.
    pub(crate) until: Until,
}

/// Events that are published together.
pub(crate) struct Stream {
    /// Whom they are for, in turn.
    pub(crate) webhooks: Vec<usize>,
    /// How many.
    pub(crate) events: usize,
    /// How many in a second; none is as fast as the broker confirms.
    pub(crate) per_second: Option<usize>,
    /// How long after the others it begins.
    pub(crate) after: Duration,
    /// Why it is published.
    pub(crate) part: Part,
    /// Who delivers it.
    pub(crate) fleet: FleetName,
}

/// Who delivers a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FleetName {
    /// The workers that are measured.
    Measured,
    /// A worker with a vhost, a database and, where one is needed, a recorder of its own: only the machine is shared.
    Apart,
}

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It must not suffer.
    Healthy,
    /// It is as healthy, but shares a shard with a burst.
    Beside,
    /// It ought to be taken, however long that takes.
    Burst,
    /// It is on record as exhausted, and a recovery owes it again; nobody publishes it.
    Recovered,
    /// It will not be taken, or only much later.
    Dead,
}

/// When a half is over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// Everything that is to be taken was, or so long after it was published.
    Taken { at_most: Duration },
    /// A worker has had every event, or so long after; and then it is watched for a while.
    Had { at_most: Duration, then: Duration },
}

impl Plan {
    /// The warm-up first, and then the streams.
    pub(crate) fn expected(&self) -> Expected {
        let turns = self.warm_up();
        let warm_up = Run { events: turns.len() * WARM_UP_ROUNDS, turns, is_timed: false };
        let streams = self.streams.iter().map(|stream| Run {
            events: stream.events,
            turns: stream.webhooks.clone(),
            is_timed: stream.part != Part::Dead,
        });
        Expected { runs: [warm_up].into_iter().chain(streams).collect() }
    }

    /// Over how many queues the events of each mode are spread.
    pub(crate) fn shards(&self) -> u16 {
        let setting = self.settings.iter().find(|(name, _)| *name == SHARDS);
        setting.and_then(|(_, shards)| shards.parse().ok()).unwrap_or(1)
    }

    /// Who delivers what is for a webhook.
    pub(crate) fn fleet_of(&self, webhook: usize) -> FleetName {
        let mut streams = self.streams.iter().filter(|stream| stream.webhooks.contains(&webhook));
        streams.next().map_or(FleetName::Measured, |stream| stream.fleet)
    }

    fn warm_up(&self) -> Vec<usize> {
        let is_healthy = |stream: &&Stream| matches!(stream.part, Part::Healthy | Part::Beside);
        self.streams.iter().filter(is_healthy).flat_map(|stream| stream.webhooks.clone()).collect()
    }
}

impl Stream {
    /// How it fared, if it is one of the healthy.
    pub(crate) fn healthy(&self, run: &RunTally) -> Healthy {
        let per_second = self.per_second.unwrap_or(1).max(1);
        let window = Duration::from_secs(1) * u32::try_from(self.events).unwrap_or(u32::MAX)
            / u32::try_from(per_second).unwrap_or(u32::MAX);
        Healthy::of(&run.times_ns, self.events, window)
    }

    /// How it was worked off, if it is a burst.
    pub(crate) fn drain(&self, run: &RunTally) -> Drain {
        Drain::of(&run.times_ns, self.events)
    }
}
