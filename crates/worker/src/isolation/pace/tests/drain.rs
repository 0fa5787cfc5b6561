//! A burst for one webhook, played through in a time of its own: how long it takes to drain, and how often the broker is
//! asked to hold a delivery. Places and the room to wait are those of a worker with the defaults, and what waits on a rung
//! leaves it only when those in front have left.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::super::*;
use super::START;

const PLACES: usize = 20;
const ROOM: usize = 2 * PLACES;
const DELIVERIES: usize = 20_000;

/// How fast the worker takes the burst from its queue.
const INTAKE: Duration = Duration::from_micros(200);

/// What happens, and when; the number keeps the order of what happens at once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A delivery asks, perhaps with a turn.
    Asks(Option<OffsetDateTime>),
    /// An attempt ends that began then.
    Ends(OffsetDateTime),
}

#[derive(Debug)]
struct Drain {
    now: OffsetDateTime,
    to_come: BinaryHeap<Reverse<(OffsetDateTime, usize, Happening)>>,
    pace: Pace,
    /// When the last that waits on a rung leaves it.
    leaving: BTreeMap<Rung, OffsetDateTime>,
    under_way: usize,
    waiting: usize,
    ended: usize,
    waits: usize,
    happened: usize,
}

impl Drain {
    /// * `lasts`: how long the attempt of a number lasts that begins at a time.
    fn play(lasts: impl Fn(usize, Duration) -> Duration) -> Self {
        Self::play_many(DELIVERIES, lasts)
    }

    fn play_many(deliveries: usize, lasts: impl Fn(usize, Duration) -> Duration) -> Self {
        let mut drain = Self {
            now: START,
            to_come: BinaryHeap::new(),
            pace: Pace::new(START),
            leaving: BTreeMap::new(),
            under_way: 0,
            waiting: 0,
            ended: 0,
            waits: 0,
            happened: 0,
        };
        for number in 0..deliveries {
            let number = u32::try_from(number).expect("a small number");
            drain.expect(START + INTAKE * number, Happening::Asks(None));
        }
        while let Some(Reverse((at, _, happening))) = drain.to_come.pop() {
            drain.now = at;
            match happening {
                Happening::Asks(turn) => drain.ask(turn, &lasts),
                Happening::Ends(since) => drain.end(since, &lasts),
            }
        }
        assert_eq!(drain.ended, deliveries);
        drain
    }

    fn ask(&mut self, turn: Option<OffsetDateTime>, lasts: &impl Fn(usize, Duration) -> Duration) {
        let may_queue = turn.map_or_else(|| !self.pace.is_booked(self.now), |turn| has_come(turn, self.now));
        if self.under_way < PLACES {
            self.begin(lasts);
        } else if may_queue && self.waiting < ROOM {
            self.waiting += 1;
        } else {
            let held = u32::try_from(self.under_way + self.waiting).expect("a small number");
            let to_come = turn.filter(|turn| !has_come(*turn, self.now));
            let places = u32::try_from(PLACES).expect("a small number");
            let turn = to_come.unwrap_or_else(|| self.pace.book(self.now, places, held));
            self.waits += 1;
            let left = (turn - self.now).try_into().unwrap_or_default();
            let Wait { rung, at_most } = wait(left, &Ladder::default());
            let leaves = self.leaving.entry(rung).or_insert(START);
            *leaves = (*leaves).max(self.now + at_most);
            let at = *leaves;
            self.expect(at, Happening::Asks(Some(turn)));
        }
    }

    fn begin(&mut self, lasts: &impl Fn(usize, Duration) -> Duration) {
        self.under_way += 1;
        let lasts = lasts(self.ended + self.under_way, (self.now - START).unsigned_abs());
        self.expect(self.now + lasts, Happening::Ends(self.now));
    }

    fn end(&mut self, since: OffsetDateTime, lasts: &impl Fn(usize, Duration) -> Duration) {
        self.pace.observe((self.now - since).unsigned_abs());
        self.under_way -= 1;
        self.ended += 1;
        if 0 < self.waiting {
            self.waiting -= 1;
            self.begin(lasts);
        }
    }

    fn expect(&mut self, at: OffsetDateTime, happening: Happening) {
        self.happened += 1;
        self.to_come.push(Reverse((at, self.happened, happening)));
    }

    /// How long it took, in parts of what it takes when every place is always taken by attempts of this length.
    fn share_of_ideal(&self, lasts: Duration) -> f64 {
        let ideal = lasts.as_secs_f64() * self.ended as f64 / PLACES as f64;
        (self.now - START).as_seconds_f64() / ideal
    }

    fn waits_per_delivery(&self) -> f64 {
        self.waits as f64 / self.ended as f64
    }
}

const STEADY: Duration = Duration::from_millis(60);

#[test]
fn a_burst_drains_at_nearly_the_pace_of_its_endpoint() {
    let drain = Drain::play(|_, _| STEADY);
    assert!(drain.share_of_ideal(STEADY) < 1.05, "{}", drain.share_of_ideal(STEADY));
    assert!(drain.waits_per_delivery() < 1.5, "{}", drain.waits_per_delivery());
}

/// A burst for minutes, at an endpoint that takes a fifth less time for one in ten: turns are booked by those, so that some
/// come too early all the time and are booked anew, far behind.
#[test]
fn turns_far_behind_do_not_stand_in_front_of_near_ones() {
    let brisk = STEADY * 4 / 5;
    let drain = Drain::play_many(5 * DELIVERIES, |number, _| if number % 10 == 0 { brisk } else { STEADY });
    assert!(drain.share_of_ideal(STEADY) < 1.2, "{}", drain.share_of_ideal(STEADY));
    assert!(drain.waits_per_delivery() < 6.0, "{}", drain.waits_per_delivery());
}

/// While the worker takes the burst, all but one in fifty attempts last four times as long; the first, which is sent before
/// much is taken, does not.
#[test]
fn a_worker_that_is_held_up_by_the_burst_itself_does_not_stretch_it() {
    let intake = INTAKE * u32::try_from(DELIVERIES).expect("a small number");
    let drain = Drain::play(|number, at| if at < intake && number % 50 != 1 { 4 * STEADY } else { STEADY });
    assert!(drain.share_of_ideal(STEADY) < 1.25, "{}", drain.share_of_ideal(STEADY));
    assert!(drain.waits_per_delivery() < 2.5, "{}", drain.waits_per_delivery());
}

/// One in ten is answered at once, perhaps with an error: no reason to hurry the other nine.
#[test]
fn a_few_quick_answers_do_not_have_the_backlog_go_round() {
    let (quick, slow) = (Duration::from_millis(1), Duration::from_millis(900));
    let drain = Drain::play(|number, _| if number % 10 == 0 { quick } else { slow });
    let mean = (quick + 9 * slow) / 10;
    assert!(drain.share_of_ideal(mean) < 1.1, "{}", drain.share_of_ideal(mean));
    assert!(drain.waits_per_delivery() < 12.0, "{}", drain.waits_per_delivery());
}

/// An endpoint that becomes ten times as slow, or as fast, when half of the burst is through. What is booked already is not
/// brought forward.
#[test]
fn a_change_of_pace_is_followed() {
    for (before, after, share_max) in [(STEADY, 10 * STEADY, 1.05), (10 * STEADY, STEADY, 2.0)] {
        let drain = Drain::play(|number, _| if number < DELIVERIES / 2 { before } else { after });
        let (share, waits) = (drain.share_of_ideal((before + after) / 2), drain.waits_per_delivery());
        assert!(share < share_max && waits < 8.0, "{before:?}, then {after:?}: {share}, {waits} waits");
    }
}
