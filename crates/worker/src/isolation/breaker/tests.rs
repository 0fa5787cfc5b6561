use proptest::prelude::*;

use super::*;

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn at(seconds: u64) -> OffsetDateTime {
    START + Duration::from_secs(seconds)
}

/// A breaker that opened at second 0.
fn open() -> Breaker {
    let mut breaker = Breaker::new(START);
    for _ in 0..FAILURES_TO_OPEN {
        breaker.observe(Evidence::Bad, Passage::Free, START);
    }
    assert!(breaker.is_open());
    breaker
}

#[test]
fn one_failure_less_than_it_takes_opens_nothing() {
    let mut breaker = Breaker::new(START);
    for _ in 1..FAILURES_TO_OPEN {
        breaker.observe(Evidence::Bad, Passage::Free, START);
    }
    assert_eq!(breaker.ask(START), Passage::Free);
    breaker.observe(Evidence::Bad, Passage::Free, START);
    assert_eq!(breaker.ask(START), Passage::Refused(COOL_DOWN_MIN));
}

#[test]
fn a_good_sign_begins_the_count_anew_and_silence_does_not() {
    let run = |between| {
        let mut breaker = Breaker::new(START);
        for evidence in [Evidence::Bad; 4].into_iter().chain([between, Evidence::Bad]) {
            breaker.observe(evidence, Passage::Free, START);
        }
        breaker.is_open()
    };
    assert!(!run(Evidence::Good));
    assert!(run(Evidence::Silent));
}

#[test]
fn failures_far_apart_prove_nothing() {
    let mut breaker = Breaker::new(START);
    for number in 0..100 {
        breaker.observe(Evidence::Bad, Passage::Free, at(number * 76));
        assert!(!breaker.is_open(), "after failure {number}");
    }
}

#[test]
fn after_the_cool_down_one_probe_passes_at_a_time() {
    let mut breaker = open();
    assert_eq!(breaker.ask(at(9)), Passage::Refused(Duration::from_secs(1)));
    assert_eq!(breaker.ask(at(10)), Passage::Probe);
    assert_eq!(breaker.ask(at(11)), Passage::Refused(PROBE_WAIT));
    breaker.abandon();
    assert_eq!(breaker.ask(at(12)), Passage::Probe);
}

#[test]
fn cool_downs_grow_to_a_bound() {
    let mut breaker = open();
    let mut now = START;
    let mut cool_downs = Vec::new();
    for _ in 0..8 {
        let Passage::Refused(cool_down) = breaker.ask(now) else { panic!("it has just opened") };
        cool_downs.push(cool_down.as_secs());
        now += cool_down;
        assert_eq!(breaker.ask(now), Passage::Probe);
        breaker.observe(Evidence::Bad, Passage::Probe, now);
    }
    assert_eq!(cool_downs, [10, 20, 40, 80, 160, 320, 600, 600]);
}

#[test]
fn what_was_under_way_when_it_opened_makes_no_cool_down_longer_and_may_close_it() {
    let mut breaker = open();
    breaker.observe(Evidence::Bad, Passage::Free, at(20));
    breaker.observe(Evidence::Silent, Passage::Free, at(20));
    assert_eq!(breaker.ask(at(30)), Passage::Probe);
    breaker.observe(Evidence::Bad, Passage::Free, at(31));
    assert_eq!(breaker.ask(at(31)), Passage::Refused(PROBE_WAIT));
    breaker.observe(Evidence::Good, Passage::Free, at(32));
    assert_eq!(breaker.ask(at(32)), Passage::Free);
}

#[test]
fn a_probe_that_proves_nothing_closes_it() {
    let mut breaker = open();
    assert_eq!(breaker.ask(at(30)), Passage::Probe);
    breaker.observe(Evidence::Silent, Passage::Probe, at(31));
    assert_eq!(breaker.ask(at(31)), Passage::Free);
}

#[test]
fn a_clock_that_is_set_back_makes_no_cool_down_longer() {
    let mut breaker = Breaker::new(at(1_000_000));
    for _ in 0..FAILURES_TO_OPEN {
        breaker.observe(Evidence::Bad, Passage::Free, at(1_000_000));
    }
    assert_eq!(breaker.ask(START), Passage::Refused(COOL_DOWN_MIN));
    assert_eq!(breaker.ask(at(30)), Passage::Probe);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Ask,
    Observe(Evidence),
    Abandon,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let evidence = prop_oneof![Just(Evidence::Good), Just(Evidence::Silent), Just(Evidence::Bad)];
    let step = prop_oneof![
        (0u64..700).prop_map(Step::Wait),
        Just(Step::Ask),
        Just(Step::Observe(Evidence::Bad)),
        evidence.prop_map(Step::Observe),
        Just(Step::Abandon),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happened, nobody is told to wait longer than the longest cool-down; there is never a second probe beside
    /// the first; and one good sign lets everything pass.
    #[test]
    fn it_is_total_and_closes(steps in steps()) {
        let mut breaker = Breaker::new(START);
        let (mut now, mut is_probing) = (START, false);
        for step in steps {
            match step {
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
                Step::Ask => match breaker.ask(now) {
                    Passage::Free => prop_assert!(!breaker.is_open()),
                    Passage::Probe => {
                        prop_assert!(!is_probing);
                        is_probing = true;
                    }
                    Passage::Refused(wait) => prop_assert!(breaker.is_open() && wait <= COOL_DOWN_MAX),
                },
                Step::Observe(evidence) => {
                    let passage = if is_probing { Passage::Probe } else { Passage::Free };
                    breaker.observe(evidence, passage, now);
                    is_probing = false;
                }
                Step::Abandon if is_probing => {
                    breaker.abandon();
                    is_probing = false;
                }
                Step::Abandon => {}
            }
        }
        if is_probing {
            breaker.abandon();
        }
        prop_assert_ne!(breaker.ask(now + COOL_DOWN_MAX), Passage::Refused(PROBE_WAIT));
        breaker.observe(Evidence::Good, Passage::Free, now);
        prop_assert_eq!(breaker.ask(now), Passage::Free);
        prop_assert!(breaker.is_blank());
    }
}
