use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What one attempt says, and when.
fn attempt(series: u32, number: i64, since_us: i64, state: DeliveryState) -> Standing {
    let millis = since_us.unsigned_abs();
    Standing {
        series: Series(series),
        state,
        attempt: Attempt::try_from(number).ok(),
        since_us,
        request: Some(RequestId::new(millis, &[7; 16])),
        status: Some(if state == DeliveryState::Delivered { 200 } else { 500 }),
        outcome: if state == DeliveryState::Delivered { "2xx" } else { "5xx" }.to_owned(),
    }
}

fn end(series: u32, number: i64, since_us: i64, reason: EndReason) -> Standing {
    Standing {
        request: None,
        status: None,
        ..attempt(series, number, since_us, DeliveryState::Ended(reason))
    }
}

const fn retrying(next_at_us: i64) -> DeliveryState {
    DeliveryState::Retrying { next_at_us }
}

const fn deferred(next_at_us: i64) -> DeliveryState {
    DeliveryState::Deferred { next_at_us }
}

/// What is told when a webhook is unavailable.
fn waiting(number: Option<i64>, since_us: i64) -> Standing {
    Standing {
        attempt: number.and_then(|number| Attempt::try_from(number).ok()),
        request: None,
        status: None,
        outcome: String::new(),
        ..attempt(1, 1, since_us, deferred(since_us + 10))
    }
}

fn settled(standings: impl IntoIterator<Item = Standing>) -> Standing {
    standings.into_iter().reduce(Standing::after).expect("at least one record")
}

/// Series as they really happen, in order; the last record says where the delivery stands.
fn histories() -> Vec<(Vec<Standing>, DeliveryStateName)> {
    let (failed, inactive) = (EndReason::AttemptsFailed, EndReason::WebhookInactive);
    let exhausted = vec![
        attempt(1, 1, 10, retrying(40)),
        attempt(1, 2, 50, retrying(90)),
        attempt(1, 3, 95, DeliveryState::Ended(failed)),
        end(1, 3, 96, failed),
    ];
    let mut redelivered = exhausted.clone();
    redelivered.push(attempt(2, 1, 200, DeliveryState::Delivered));
    let mut begun_again = exhausted.clone();
    begun_again.push(Standing::of_series(Series(2), 150));
    let mut owed_again = exhausted.clone();
    owed_again.push(Standing::of_series(Series(2), 150));
    owed_again.push(attempt(2, 1, 200, retrying(230)));
    let pending = Standing { state: DeliveryState::Pending, ..waiting(None, 5) };
    let lasts = vec![pending.clone(), waiting(None, 10)];
    let mut heals = lasts.clone();
    heals.push(attempt(1, 1, 200, DeliveryState::Delivered));
    let mut fails = lasts.clone();
    fails.push(attempt(1, 1, 200, retrying(230)));
    let mut fails_and_lasts = fails.clone();
    fails_and_lasts.push(waiting(Some(1), 231));
    let mut third_fails = fails_and_lasts.clone();
    third_fails.push(attempt(1, 2, 300, retrying(900)));
    third_fails.push(waiting(Some(2), 901));
    third_fails.push(attempt(1, 3, 950, DeliveryState::Ended(failed)));
    vec![
        (vec![pending], DeliveryStateName::Pending),
        (lasts, DeliveryStateName::Deferred),
        (heals, DeliveryStateName::Delivered),
        (fails, DeliveryStateName::Retrying),
        (fails_and_lasts, DeliveryStateName::Deferred),
        (third_fails, DeliveryStateName::Exhausted),
        (vec![waiting(None, 10), end(1, 1, 11, inactive)], DeliveryStateName::Cancelled),
        (vec![attempt(1, 1, 10, DeliveryState::Delivered)], DeliveryStateName::Delivered),
        (vec![attempt(1, 1, 10, retrying(40)), end(1, 1, 41, inactive)], DeliveryStateName::Cancelled),
        // A killed worker repeats what it could not acknowledge; the endpoint has had the event all the while.
        (
            vec![attempt(1, 1, 10, DeliveryState::Delivered), attempt(1, 1, 30, retrying(60))],
            DeliveryStateName::Delivered,
        ),
        (vec![attempt(1, 1, 10, retrying(40)), attempt(1, 1, 20, retrying(50))], DeliveryStateName::Retrying),
        (exhausted, DeliveryStateName::Exhausted),
        (redelivered, DeliveryStateName::Delivered),
        (begun_again, DeliveryStateName::Pending),
        (owed_again, DeliveryStateName::Retrying),
    ]
}

fn state() -> impl Strategy<Value = DeliveryState> {
    prop_oneof![
        Just(DeliveryState::Pending),
        (0i64..3).prop_map(retrying),
        (0i64..3).prop_map(deferred),
        Just(DeliveryState::Ended(EndReason::AttemptsFailed)),
        Just(DeliveryState::Ended(EndReason::WebhookInactive)),
        Just(DeliveryState::Ended(EndReason::EndpointGone)),
        Just(DeliveryState::Delivered),
    ]
}

/// Any record at all, from so few values that many are alike in all but one.
fn standing() -> impl Strategy<Value = Standing> {
    let request = prop::option::of((0u64..2).prop_map(|millis| RequestId::new(millis, &[0; 16])));
    let status = prop::option::of(0u16..2);
    (1u32..3, state(), 0i64..4, -1i64..2, request, status, "[a-b]{0,2}").prop_map(
        |(series, state, number, since_us, request, status, outcome)| Standing {
            series: Series(series),
            state,
            attempt: Attempt::try_from(number).ok(),
            since_us,
            request,
            status,
            outcome,
        },
    )
}

#[test]
fn each_history_ends_where_a_person_would_say() {
    for (records, expected) in histories() {
        assert_eq!(settled(records.clone()).state.name(), expected, "{records:?}");
    }
}

#[test]
fn words_are_read_back() {
    for name in DeliveryStateName::ALL {
        assert_eq!(name.as_str().parse(), Ok(name));
    }
    assert!("delivering".parse::<DeliveryStateName>().is_err());
}

proptest! {
    #[test]
    fn a_history_settles_alike_in_any_order_and_however_often_repeated(
        which: Index,
        order in prop::collection::vec(any::<Index>(), 0..24),
    ) {
        let histories = histories();
        let (records, _) = which.get(&histories);
        let shuffled = order.iter().map(|index| index.get(records).clone());
        // Whatever was drawn, each record comes at least once, in the end the first ones.
        let all = shuffled.chain(records.iter().rev().cloned());
        prop_assert_eq!(settled(all), settled(records.clone()));
    }

    #[test]
    fn any_records_settle_alike_in_any_order(records in prop::collection::vec(standing(), 1..8), turn: Index) {
        let mut turned = records.clone();
        turned.rotate_left(turn.index(records.len()));
        turned.reverse();
        prop_assert_eq!(settled(turned), settled(records));
    }

    #[test]
    fn equal_ranks_are_equal_standings(one in standing(), other in standing()) {
        prop_assert_eq!(one.rank() == other.rank(), one == other);
    }
}
