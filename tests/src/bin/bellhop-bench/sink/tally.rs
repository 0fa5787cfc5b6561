//! The count of what arrived: which deliveries, how often, how long after they were published.

use bellhop_tests::measuring::event::Stamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// What a run is made of.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// The number that its events carry; others are strays.
    pub(crate) run: u32,
    /// How many events.
    pub(crate) events: usize,
    /// How many webhooks want each.
    pub(crate) fan_out: usize,
    /// How many organisations take turns.
    pub(crate) organisations: usize,
}

/// One request.
pub(super) struct Arrival<'a> {
    pub(super) path: &'a str,
    pub(super) id: &'a str,
    pub(super) is_signed: bool,
    pub(super) bytes: usize,
    pub(super) at_ns: u64,
}

/// What has come so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Arrivals {
    /// Deliveries, each counted once.
    pub(crate) distinct: usize,
    /// Requests for deliveries that had come before.
    pub(crate) repeats: usize,
    /// Requests that no webhook should have had: of another run, to the wrong organisation, or unsigned.
    pub(crate) strays: usize,
    /// Mean size of a request's body.
    pub(crate) body_bytes: usize,
    /// Connections that endpoints accepted.
    pub(crate) connections: u64,
    /// From the first delivery to the last, in nanoseconds.
    pub(crate) span_ns: u64,
    /// Publish to arrival, in microseconds: the median, the 99th percentile, the longest.
    pub(crate) latency_us: [u32; 3],
}

/// Counts one run.
#[derive(Default)]
pub(super) struct Tally {
    expected: Expected,
    seen: Vec<bool>,
    latencies_us: Vec<u32>,
    repeats: usize,
    strays: usize,
    bytes: usize,
    connections: u64,
    span_ns: Option<(u64, u64)>,
    waiting: Vec<(usize, oneshot::Sender<()>)>,
}

impl Tally {
    /// Makes room for a run, so that counting allocates nothing.
    pub(super) fn expecting(expected: Expected) -> Self {
        let deliveries = expected.events * expected.fan_out;
        Self {
            expected,
            seen: vec![false; deliveries],
            latencies_us: Vec::with_capacity(deliveries),
            ..Self::default()
        }
    }

    /// Counts one request.
    pub(super) fn count(&mut self, arrival: &Arrival<'_>) {
        let Some((delivery, stamp)) = self.delivery(arrival) else {
            self.strays += 1;
            return;
        };
        if std::mem::replace(&mut self.seen[delivery], true) {
            self.repeats += 1;
            return;
        }
        let latency_us = arrival.at_ns.saturating_sub(stamp.published_ns) / 1_000;
        self.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
        self.bytes += arrival.bytes;
        let first = self.span_ns.map_or(arrival.at_ns, |(first, _)| first);
        self.span_ns = Some((first, arrival.at_ns));
        let distinct = self.latencies_us.len();
        for (_, reached) in self.waiting.extract_if(.., |(count, _)| *count <= distinct) {
            // Who asked may have gone.
            let _ = reached.send(());
        }
    }

    /// Counts one connection.
    pub(super) fn count_connection(&mut self) {
        self.connections += 1;
    }

    /// Ends when as many distinct deliveries have come.
    pub(super) fn reached(&mut self, count: usize) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if count <= self.latencies_us.len() {
            let _ = sender.send(());
        } else {
            self.waiting.push((count, sender));
        }
        receiver
    }

    /// What has come so far.
    pub(super) fn arrivals(&self) -> Arrivals {
        let mut latencies_us = self.latencies_us.clone();
        latencies_us.sort_unstable();
        let last = latencies_us.len().saturating_sub(1);
        let at = |percent: usize| latencies_us.get(last * percent / 100).copied().unwrap_or_default();
        Arrivals {
            distinct: latencies_us.len(),
            repeats: self.repeats,
            strays: self.strays,
            body_bytes: self.bytes / latencies_us.len().max(1),
            connections: self.connections,
            span_ns: self.span_ns.map_or(0, |(first, last)| last.saturating_sub(first)),
            latency_us: [at(50), at(99), at(100)],
        }
    }

    /// Which of the run's deliveries a request is; none when it is none of them.
    fn delivery(&self, arrival: &Arrival<'_>) -> Option<(usize, Stamp)> {
        let Expected { run, events, fan_out, organisations } = self.expected;
        let stamp = Stamp::read(arrival.id)?;
        let (organisation, webhook) = arrival.path.strip_prefix('/')?.split_once('/')?;
        let (organisation, webhook): (usize, usize) = (organisation.parse().ok()?, webhook.parse().ok()?);
        let is_due = arrival.is_signed
            && stamp.run == run
            && stamp.number < events
            && stamp.number % organisations == organisation
            && webhook < fan_out;
        is_due.then_some((stamp.number * fan_out + webhook, stamp))
    }
}
