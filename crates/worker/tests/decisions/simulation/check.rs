//! The promises, checked once the queues have run empty.

use std::collections::BTreeSet;
use std::time::Duration;

use bellhop_broker::names;
use bellhop_model::{EndReason, Ladder, Mode, Record, Verdict, decide};

use super::run::{Run, may_stay};
use crate::world::State;
use crate::world::endpoints::{Called, Reply};
use crate::world::hands::Delivery;
use crate::world::records;

/// How far back a view may reach at the worst.
const REACH: Duration = Duration::from_secs(60 * 60 + 10);

/// Writes a violation for every promise that was broken.
pub(super) fn promises(state: &mut State, ladder: &Ladder) {
    let mut broken = Vec::new();
    for (queue, held) in state.broker.filled().filter(|(queue, _)| !may_stay(queue)) {
        broken.push(format!("`{queue}` still holds {} at the end", held.len()));
    }
    broken.extend(records_are_true(state));
    for event in 0..state.events.len() {
        broken.extend(bytes_are_kept(state, event));
        broken.extend(only_what_must_is_parked(state, event));
        broken.extend(events_are_on_record(state, event));
        for webhook in state.wanting(event) {
            let ends = Ends::of(state, (event, webhook));
            broken.extend(ends.are_right(state));
            broken.extend(attempts_are_few(state, (event, webhook)));
            broken.extend(requests_are_on_record(state, (event, webhook)));
            broken.extend(attempts_are_in_order(state, (event, webhook), ladder));
        }
    }
    for text in broken {
        state.violate(text);
    }
}

/// How much happened.
pub(super) fn tally(state: &State) -> Run {
    let calls = &state.endpoints.calls;
    let is_repeat = |index: &usize| {
        let same = |earlier: &Called| {
            let call = &calls[*index];
            (earlier.event, earlier.webhook, earlier.attempt) == (call.event, call.webhook, call.attempt)
        };
        calls[..*index].iter().any(same)
    };
    let deliveries = (0..state.events.len())
        .flat_map(|event| state.wanting(event).into_iter().map(move |webhook| (event, webhook)));
    Run {
        calls: calls.len(),
        repeats: (0..calls.len()).filter(is_repeat).count(),
        busy: state.busy,
        unavailable: state.unavailable,
        diverted: state.diverted,
        faults: deliveries.map(|delivery| state.hands.faults(delivery)).sum(),
        ..Run::default()
    }
}

/// How a delivery ended, and how often.
struct Ends {
    delivery: Delivery,
    delivered: usize,
    recorded: usize,
    parked: usize,
}

impl Ends {
    fn of(state: &State, delivery: Delivery) -> Self {
        let (event, webhook) = delivery;
        let told = |queue: &str| {
            let queue = state.broker.queue(queue).iter();
            let told = queue.filter(|stored| stored.event == event);
            told.filter(|stored| state.carried(event, &stored.message).contains(&(event, webhook))).count()
        };
        Self {
            delivery,
            delivered: calls(state, delivery).filter(|call| call.reply.is_success()).count(),
            recorded: told(names::LOG),
            parked: Mode::ALL.into_iter().map(|mode| told(&names::parked_queue(mode))).sum(),
        }
    }

    fn are_right(&self, state: &State) -> Option<String> {
        let Self { delivery: (event, webhook), delivered, recorded, parked } = *self;
        let ends = delivered + recorded + parked;
        let published_at = state.events[event].at;
        let is_owed = state.store.webhooks[webhook]
            .was_always_in_force(&(published_at.saturating_sub(REACH)..state.now));
        let is_struck = state.hands.faults((event, webhook)) != 0;
        // A webhook that is disabled between a crash and the repeat it causes: nobody is left to owe the event to.
        let has_begun = calls(state, (event, webhook)).next().is_some() && !is_struck;
        if ends == 0 && (is_owed || has_begun) {
            return Some(format!("event {event} never ended for webhook {webhook}"));
        }
        if 1 < ends && !is_struck {
            return Some(format!(
                "event {event} ended more than once for webhook {webhook} without a fault: \
                 {delivered} delivered, {recorded} recorded, {parked} parked"
            ));
        }
        None
    }
}

/// No attempt above the third, and no more requests than three and one for each fault.
fn attempts_are_few(state: &State, (event, webhook): Delivery) -> Option<String> {
    let made = calls(state, (event, webhook)).count();
    if let Some(call) = calls(state, (event, webhook)).find(|call| !(1..=3).contains(&call.attempt)) {
        return Some(format!("attempt {} of event {event} at webhook {webhook}", call.attempt));
    }
    let faults = state.hands.faults((event, webhook));
    let is_bounded = !state.unclaimed.contains(&(event, webhook));
    let is_over = is_bounded && 3 + faults < made;
    is_over.then(|| format!("{made} requests of event {event} at webhook {webhook} with {faults} faults"))
}

/// Without a fault, attempts are numbered 1, 2, 3, each one waits as long as it should, and none follows the last.
fn attempts_are_in_order(state: &State, (event, webhook): Delivery, ladder: &Ladder) -> Option<String> {
    if state.hands.faults((event, webhook)) != 0 {
        return None;
    }
    let mut may_begin = Some((1, Duration::ZERO));
    for call in calls(state, (event, webhook)) {
        let is_due = may_begin.is_some_and(|(attempt, at)| call.attempt == attempt && at <= call.at);
        if !is_due {
            return Some(format!("attempt {} of event {event} at webhook {webhook} is early", call.attempt));
        }
        let (Some(outcome), Some(answered_at)) = (call.reply.outcome(), call.answered_at) else {
            may_begin = None;
            continue;
        };
        let attempt = i64::from(call.attempt).try_into().expect("checked above");
        may_begin = match decide(attempt, &outcome, ladder) {
            Verdict::Retry { next, rung } => Some((next.number(), answered_at + rung.wait())),
            Verdict::Delivered | Verdict::Exhausted | Verdict::Gone => None,
        };
    }
    None
}

/// Every record carries the event as it was published, and says nothing that did not happen.
fn records_are_true(state: &State) -> Vec<String> {
    let log = state.records().filter_map(|(event, record)| Some((event, records::end(record)?)));
    let is_false = |event: usize, record: &bellhop_model::End| {
        let webhook = state.store.index(&record.webhook);
        let mut made = calls(state, (event, webhook));
        let published = &state.events[event];
        let since = published.at.saturating_sub(REACH)..state.now;
        let happened = match record.reason {
            EndReason::AttemptsFailed => made.any(|call| call.attempt == 3 && !call.reply.is_success()),
            EndReason::EndpointGone => made.any(|call| call.reply.is_gone()),
            EndReason::WebhookInactive => !state.store.webhooks[webhook].was_always_in_force(&since),
        };
        !happened || record.event != published.message.body
    };
    log.filter(|(event, record)| is_false(*event, record))
        .map(|(event, record)| format!("the log says of event {event} what is not true: {:?}", record.reason))
        .collect()
}

/// Every request is on record, as what it was, unless its worker crashed or the log refused; and no record is made up.
fn requests_are_on_record(state: &State, (event, webhook): Delivery) -> Option<String> {
    let id = &state.store.webhooks[webhook].id;
    let told: Vec<_> = state
        .records()
        .filter(|(of, _)| *of == event)
        .filter_map(|(_, record)| records::attempt(record))
        .filter(|record| record.of.webhook == *id)
        .collect();
    let requests: BTreeSet<_> = told.iter().map(|record| record.request).collect();
    let outcomes = |attempt: u8| {
        let made = calls(state, (event, webhook)).filter(move |call| call.attempt == attempt);
        made.filter_map(|call| call.reply.outcome().map(|outcome| outcome.label()))
    };
    let is_made_up = |record: &&bellhop_model::AttemptRecord<'_>| {
        !outcomes(record.attempt.number()).any(|label| label == record.outcome)
    };
    if let Some(record) = told.iter().find(is_made_up) {
        return Some(format!("the log tells of a request of event {event} that nobody made: {record:?}"));
    }
    let answered = calls(state, (event, webhook)).filter(|call| call.reply.outcome().is_some()).count();
    let is_excused = state.hands.faults((event, webhook)) != 0 || state.refused.contains(&event);
    let is_wrong = answered < requests.len() || (requests.len() != answered && !is_excused);
    is_wrong.then(|| {
        format!("{answered} requests of event {event} at webhook {webhook}, {} on record", requests.len())
    })
}

/// An event that the log tells a request of is on record itself, unless a fault struck it or the log refused.
fn events_are_on_record(state: &State, event: usize) -> Option<String> {
    let mut told = state.records().filter(|(of, _)| *of == event).map(|(_, record)| record);
    let is_told = told.any(|record| matches!(record, Record::Attempt(_)));
    let mut events = state.records().filter(|(of, _)| *of == event).map(|(_, record)| record);
    let is_known = events.any(|record| matches!(record, Record::Event(_)));
    let is_struck = state.wanting(event).into_iter().any(|webhook| state.hands.faults((event, webhook)) != 0);
    let is_missing = is_told && !is_known && !is_struck && !state.refused.contains(&event);
    is_missing.then(|| format!("the log tells of requests of event {event} and not of the event"))
}

/// What is parked has its bytes; what is malformed is parked.
fn bytes_are_kept(state: &State, event: usize) -> Option<String> {
    let published = &state.events[event];
    let queues = Mode::ALL.map(names::parked_queue);
    let mut parked = queues.iter().flat_map(|queue| state.broker.queue(queue)).filter(|it| it.event == event);
    if published.event.is_none() && parked.clone().next().is_none() {
        return Some(format!("event {event} is malformed and was not parked"));
    }
    let is_changed = parked.any(|stored| stored.message.body != published.message.body);
    is_changed.then(|| format!("event {event} was parked with other bytes"))
}

/// An event that is well formed is parked only where the program panicked.
fn only_what_must_is_parked(state: &State, event: usize) -> Option<String> {
    state.events[event].event.as_ref()?;
    let queues = Mode::ALL.map(names::parked_queue);
    let mut parked = queues.iter().flat_map(|queue| state.broker.queue(queue)).filter(|it| it.event == event);
    let has_panicked =
        |delivery: &Delivery| calls(state, *delivery).any(|call| matches!(call.reply, Reply::Panic));
    let is_wrong = parked.any(|stored| !state.carried(event, &stored.message).iter().all(has_panicked));
    is_wrong.then(|| format!("event {event} was parked without need"))
}

fn calls(state: &State, (event, webhook): Delivery) -> impl Iterator<Item = &Called> {
    state.endpoints.calls.iter().filter(move |call| (call.event, call.webhook) == (event, webhook))
}
