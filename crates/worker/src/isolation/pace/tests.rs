mod drain;

use proptest::prelude::*;

use super::*;

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pace at which attempts last this long.
fn pace(duration: Duration) -> Pace {
    let mut pace = Pace::new(START);
    pace.observe(duration);
    pace
}

#[test]
fn turns_follow_each_other_at_the_measured_rate_behind_what_is_held() {
    let mut pace = pace(seconds(2));
    let turns = [(); 3].map(|()| pace.book(START, 20, 60) - START);
    // 20 places, 2 s each: one ends every 100 ms, and 60 come first.
    assert_eq!(turns.map(|turn| turn.whole_milliseconds()), [6_100, 6_200, 6_300]);
}

#[test]
fn a_turn_that_has_passed_is_no_longer_waited_behind() {
    let mut pace = pace(seconds(2));
    pace.book(START, 20, 60);
    assert!(pace.is_booked(START + seconds(6)));
    let later = START + seconds(7);
    assert!(!pace.is_booked(later));
    assert_eq!(pace.book(later, 20, 0) - later, Duration::from_millis(100));
}

#[test]
fn the_pace_follows_what_is_measured() {
    let mut pace = pace(seconds(8));
    for _ in 0..40 {
        pace.observe(seconds(1));
    }
    let turn = pace.book(START, 1, 0) - START;
    assert!(seconds(1) <= turn && turn < seconds(2), "{turn}");
}

#[test]
fn a_clock_that_is_set_back_leaves_no_turn_beyond_the_bound() {
    let mut pace = pace(seconds(2));
    pace.book(START + seconds(1_000_000), 20, 60);
    assert_eq!(pace.book(START, 20, 60) - START, BOOKED_AHEAD_MAX);
}

#[test]
fn a_near_turn_is_waited_for_exactly_and_a_far_one_on_whole_rungs_that_do_not_pass_it() {
    let short = Ladder::with_waits(&[seconds(10), seconds(120)]).expect("a ladder");
    for (ladder, left, rung, at_most) in [
        (Ladder::default(), 0, "10s", 100),
        (Ladder::default(), 1_500, "10s", 1_500),
        (Ladder::default(), 10_000, "10s", 10_000),
        (Ladder::default(), 10_001, "2m", 10_001),
        (Ladder::default(), 120_000, "2m", 120_000),
        // Not with those that are near, who would wait behind it.
        (Ladder::default(), 120_001, "30s", 30_000),
        (Ladder::default(), 599_999, "30s", 30_000),
        (Ladder::default(), 600_000, "10m", 600_000),
        (Ladder::default(), 7_200_000, "1h", 3_600_000),
        // Retries use other rungs here.
        (short.clone(), 1_500, "30s", 1_500),
        (short.clone(), 45_000, "30s", 30_000),
        (short, 130_000, "2m", 120_000),
    ] {
        let Wait { rung: found, at_most: waited } = wait(Duration::from_millis(left), &ladder);
        assert_eq!((found.to_string().as_str(), waited.as_millis()), (rung, at_most), "{left} ms");
    }
}

#[test]
fn what_is_unavailable_waits_aside_and_no_longer_than_needed() {
    let ladder = Ladder::default();
    for (needed, rung) in [(2, "30s"), (10, "30s"), (30, "30s"), (40, "2m"), (600, "10m")] {
        let Wait { rung: found, at_most } = wait_aside(seconds(needed), &ladder);
        assert_eq!((found.to_string().as_str(), at_most), (rung, seconds(needed)));
    }
}

proptest! {
    /// A message leaves its rung only when those in front have left. Where some wait no longer than needed, nobody else does.
    #[test]
    fn near_turns_share_no_rung_with_far_ones_or_retries(near in 0u64..=120_000, far in 120_001u64..100_000_000) {
        let ladder = Ladder::default();
        let [near, far] = [near, far].map(|left| wait(Duration::from_millis(left), &ladder).rung);
        let retries = [Attempt::FIRST, Attempt::FIRST.next().expect("a second")];
        let retries = retries.map(|failed| ladder.before(failed.next().expect("one more")));
        prop_assert!(near != far && !retries.contains(&near), "{near} {far}");
    }

    #[test]
    fn turns_never_go_back_and_none_is_beyond_the_bound(
        steps in prop::collection::vec((0u64..100_000, 0u64..60_000, 0u32..200), 1..100),
    ) {
        let (mut pace, mut now, mut last) = (Pace::new(START), START, START);
        for (waited, duration, held) in steps {
            now += Duration::from_millis(waited);
            pace.observe(Duration::from_millis(duration));
            let turn = pace.book(now, 20, held);
            prop_assert!(last <= turn && now <= turn && turn <= now + BOOKED_AHEAD_MAX);
            last = turn;
        }
    }

    /// A delivery is there at its turn after as few waits as the longest rung allows.
    #[test]
    fn a_turn_is_reached_in_few_waits(left in 0u64..86_400_000) {
        let ladder = Ladder::default();
        let turn = START + Duration::from_millis(left);
        let (mut now, mut waits) = (START, 0);
        while !has_come(turn, now) {
            now += wait((turn - now).unsigned_abs(), &ladder).at_most;
            waits += 1;
        }
        prop_assert!(now < turn + WAIT_MIN);
        // Up to ten minutes in steps of half a minute, up to an hour in steps of ten.
        prop_assert!(waits <= 25 + left / 3_600_000, "{waits} waits for {left} ms");
    }
}
