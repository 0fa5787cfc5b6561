//! The messages a worker publishes: next attempts, deferrals, detours, records, and what it parks.

use bellhop_broker::{Incoming, Outgoing, Owed, names};
use bellhop_model::{Mode, Records, Rung, TraceParent};
use bytes::Bytes;
use time::OffsetDateTime;

/// A message to the wait ladder: the event as it came, and what it owes when the wait is over.
///
/// * `message_id`: random; unlike an event's id it tells two copies apart.
pub(crate) fn waiting(
    message: &Incoming,
    mode: Mode,
    rung: Rung,
    owed: &Owed,
    message_id: String,
) -> Outgoing {
    owing(message, mode, names::wait_key(rung), owed, message_id)
}

/// A message to the slow lane: the event as it came, and the delivery that it owes.
pub(crate) fn slow(message: &Incoming, mode: Mode, owed: &Owed, message_id: String) -> Outgoing {
    owing(message, mode, names::SLOW_KEY.to_owned(), owed, message_id)
}

fn owing(message: &Incoming, mode: Mode, routing_key: String, owed: &Owed, message_id: String) -> Outgoing {
    let mut headers = owed.headers();
    headers.extend(kept_headers(message));
    Outgoing {
        exchange: names::mode_exchange(mode),
        routing_key,
        message_id,
        message_type: message.message_type().map(str::to_owned),
        timestamp: timestamp(message),
        time_to_live: None,
        headers,
        body: Bytes::copy_from_slice(&message.body),
    }
}

/// A message to the log.
pub(crate) fn batch(records: Records, now: OffsetDateTime, message_id: String) -> Outgoing {
    Outgoing {
        exchange: names::LOG.to_owned(),
        routing_key: names::LOG.to_owned(),
        message_id,
        message_type: Some("records".to_owned()),
        timestamp: u64::try_from(now.unix_timestamp()).unwrap_or(0),
        time_to_live: None,
        headers: Vec::new(),
        body: records.into_message().into(),
    }
}

/// A message to the parking queue: the bytes as they came, why, and where from.
///
/// * `headers`: what an operator needs to owe it again.
pub(crate) fn parked(
    message: &Incoming,
    (mode, queue): (Mode, &str),
    reason: &str,
    mut headers: Vec<(&'static str, String)>,
    message_id: String,
) -> Outgoing {
    headers.extend(kept_headers(message));
    headers.push((names::REASON_HEADER, reason.to_owned()));
    headers.push((names::ORIGIN_HEADER, queue.to_owned()));
    headers.extend(message.message_id().map(|id| (names::ORIGINAL_ID_HEADER, id.to_owned())));
    headers.push((names::ORIGINAL_KEY_HEADER, message.routing_key.clone()));
    Outgoing {
        exchange: names::mode_exchange(mode),
        routing_key: names::PARKED_KEY.to_owned(),
        message_id,
        message_type: message.message_type().map(str::to_owned),
        timestamp: timestamp(message),
        time_to_live: None,
        headers,
        body: Bytes::copy_from_slice(&message.body),
    }
}

/// The trace that the publisher says the event belongs to. What is no `traceparent` is as good as none: whoever watches
/// traces loses one, and no event is lost to that.
pub(crate) fn trace(message: &Incoming) -> Option<TraceParent> {
    message.header(names::TRACE_HEADER)?.parse().ok()
}

/// The publisher's headers that go with the event wherever it goes.
fn kept_headers(message: &Incoming) -> impl Iterator<Item = (&'static str, String)> {
    let organisation = message.header(names::ORGANISATION_HEADER).map(ToOwned::to_owned);
    let trace = trace(message).map(|trace| trace.to_string());
    let kept = [(names::ORGANISATION_HEADER, organisation), (names::TRACE_HEADER, trace)];
    kept.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

fn timestamp(message: &Incoming) -> u64 {
    message.timestamp().map_or(0, |since_epoch| since_epoch.as_secs())
}
