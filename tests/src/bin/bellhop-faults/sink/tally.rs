//! The count of what arrived: which deliveries, how often, as which attempt, and whether they were answered.

use bellhop_model::limits::ATTEMPTS_MAX;
use bellhop_tests::measuring::event::Stamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// What a measurement is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// Its runs; one's number is its place here.
    pub(crate) runs: Vec<Run>,
}

/// Events that are published together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// How many.
    pub(crate) events: usize,
    /// The webhooks that they go to, in turn.
    pub(crate) turns: Vec<usize>,
    /// Whether it matters when they arrive.
    pub(crate) is_timed: bool,
}

/// One request.
pub(super) struct Arrival<'a> {
    pub(super) webhook: usize,
    pub(super) id: &'a str,
    pub(super) attempt: u8,
    pub(super) is_signed: bool,
    pub(super) at_ns: u64,
}

/// One delivery that was expected.
pub(super) struct Delivery {
    pub(super) run: usize,
    pub(super) number: usize,
    pub(super) published_ns: u64,
}

/// What an endpoint saw of one delivery, in a byte: a bit for each attempt, one for an answer, and the number of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen(pub(crate) u8);

/// What came of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunTally {
    /// Every event, in the order of publishing.
    pub(crate) seen: Vec<Seen>,
    /// When the timed were published and when they arrived, in nanoseconds since the epoch.
    pub(crate) times_ns: Vec<(u64, u64)>,
    /// Requests that repeated an attempt.
    pub(crate) repeats: usize,
    /// Events that were answered with success.
    pub(crate) taken: usize,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct TallyTold {
    /// In the order in which they were expected.
    pub(crate) runs: Vec<RunTally>,
    /// Requests that no webhook should have had: unexpected, for another webhook, unsigned, or of no possible attempt.
    pub(crate) strays: usize,
}

/// Counts one measurement.
#[derive(Default)]
pub(super) struct Tally {
    expected: Expected,
    told: TallyTold,
    waiting: Vec<(usize, usize, oneshot::Sender<()>)>,
}

impl Seen {
    const TAKEN: u8 = 1 << 3;
    const ONE_REQUEST: u8 = 1 << 4;

    /// The attempts that were seen, the first in the lowest bit.
    pub(crate) const fn attempts(self) -> u8 {
        self.0 & (Self::TAKEN - 1)
    }

    /// Whether one was answered with success.
    pub(crate) const fn is_taken(self) -> bool {
        self.0 & Self::TAKEN != 0
    }

    /// How many requests there were; 15 is that many or more.
    pub(crate) const fn requests(self) -> u8 {
        self.0 / Self::ONE_REQUEST
    }

    /// Counts one request.
    ///
    /// * `attempt`: 1 to 3.
    /// * returns whether it repeats one.
    pub(crate) fn count(&mut self, attempt: u8) -> bool {
        let bit = 1 << (attempt - 1);
        let is_repeat = self.0 & bit != 0;
        self.0 = self.0.checked_add(Self::ONE_REQUEST).unwrap_or(self.0) | bit;
        is_repeat
    }

    fn take(&mut self) -> bool {
        let is_first = !self.is_taken();
        self.0 |= Self::TAKEN;
        is_first
    }
}

impl Tally {
    /// Makes room, so that counting allocates nothing.
    pub(super) fn expecting(expected: Expected) -> Self {
        let tally = |run: &Run| RunTally {
            seen: vec![Seen::default(); run.events],
            times_ns: Vec::with_capacity(if run.is_timed { run.events } else { 0 }),
            ..RunTally::default()
        };
        let runs = expected.runs.iter().map(tally).collect();
        Self { expected, told: TallyTold { runs, strays: 0 }, waiting: Vec::new() }
    }

    /// Counts one request; returns the delivery that it is for.
    pub(super) fn count(&mut self, arrival: &Arrival<'_>) -> Option<Delivery> {
        let delivery = self.delivery(arrival);
        let Some(Delivery { run, number, .. }) = delivery else {
            self.told.strays += 1;
            return None;
        };
        let run = &mut self.told.runs[run];
        run.repeats += usize::from(run.seen[number].count(arrival.attempt));
        delivery
    }

    /// Notes that a delivery is answered with success.
    pub(super) fn take(&mut self, (run, number): (usize, usize), published_ns: u64, arrived_ns: u64) {
        let is_timed = self.expected.runs[run].is_timed;
        let tally = &mut self.told.runs[run];
        if !tally.seen[number].take() {
            return;
        }
        tally.taken += 1;
        if is_timed {
            tally.times_ns.push((published_ns, arrived_ns));
        }
        let taken = tally.taken;
        for (_, _, reached) in self.waiting.extract_if(.., |(of, count, _)| *of == run && *count <= taken) {
            // Who asked may have gone.
            let _ = reached.send(());
        }
    }

    /// Ends when as many events of a run were taken.
    pub(super) fn reached(&mut self, run: usize, count: usize) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if count <= self.taken(run) {
            let _ = sender.send(());
        } else {
            self.waiting.push((run, count, sender));
        }
        receiver
    }

    /// How many events of a run were taken.
    pub(super) fn taken(&self, run: usize) -> usize {
        self.told.runs.get(run).map_or(0, |run| run.taken)
    }

    /// Everything.
    pub(super) fn told(&self) -> &TallyTold {
        &self.told
    }

    fn delivery(&self, arrival: &Arrival<'_>) -> Option<Delivery> {
        let stamp = Stamp::read(arrival.id)?;
        let run = usize::try_from(stamp.run).ok()?;
        let Run { events, turns, .. } = self.expected.runs.get(run)?;
        let is_due = arrival.is_signed
            && (1..=ATTEMPTS_MAX).contains(&arrival.attempt)
            && stamp.number < *events
            && turns[stamp.number % turns.len()] == arrival.webhook;
        is_due.then_some(Delivery { run, number: stamp.number, published_ns: stamp.published_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let timed = Run { events: 4, turns: vec![5, 6], is_timed: true };
        let other = Run { events: 1, turns: vec![7], is_timed: false };
        Tally::expecting(Expected { runs: vec![timed, other] })
    }

    /// Event 2 of run 0, which is for webhook 5, published at 10.
    fn arrival(attempt: u8) -> Arrival<'static> {
        Arrival { webhook: 5, id: "0-2-10", attempt, is_signed: true, at_ns: 25 }
    }

    #[test]
    fn a_delivery_is_counted_by_attempt_and_taken_once() {
        let mut tally = tally();
        for attempt in [1, 2] {
            let delivery = tally.count(&arrival(attempt)).expect("it was expected");
            tally.take((delivery.run, delivery.number), delivery.published_ns, 25);
        }
        let run = &tally.told().runs[0];
        assert_eq!((run.repeats, tally.taken(0), run.times_ns.as_slice()), (0, 1, &[(10, 25)][..]));
        let seen = run.seen[2];
        assert_eq!((seen.requests(), seen.attempts(), seen.is_taken()), (2, 0b11, true));
        assert_eq!(run.seen[0], Seen::default());
    }

    #[test]
    fn an_attempt_that_comes_twice_is_a_repeat() {
        let mut tally = tally();
        tally.count(&arrival(3));
        tally.count(&arrival(3));
        assert_eq!((tally.told().runs[0].repeats, tally.told().runs[0].seen[2].requests()), (1, 2));
    }

    #[test]
    fn requests_are_counted_up_to_a_bound() {
        let mut seen = Seen::default();
        for _ in 0..100 {
            seen.count(1);
        }
        assert_eq!((seen.requests(), seen.attempts(), seen.is_taken()), (15, 1, false));
    }

    #[test]
    fn what_no_webhook_should_have_had_is_a_stray() {
        let sound = || arrival(1);
        for stray in [
            Arrival { webhook: 6, ..sound() },
            Arrival { id: "2-0-10", ..sound() },
            Arrival { id: "0-4-10", ..sound() },
            Arrival { id: "other", ..sound() },
            Arrival { is_signed: false, ..sound() },
            Arrival { attempt: 4, ..sound() },
            Arrival { attempt: 0, ..sound() },
        ] {
            let mut tally = tally();
            assert!(tally.count(&stray).is_none());
            assert_eq!(tally.told().strays, 1);
        }
    }

    #[test]
    fn who_waits_for_a_run_is_told_by_that_run() {
        let mut tally = tally();
        let mut reached = tally.reached(1, 1);
        tally.take((0, 0), 1, 2);
        assert!(reached.try_recv().is_err());
        tally.take((1, 0), 1, 2);
        assert!(reached.try_recv().is_ok());
    }
}
