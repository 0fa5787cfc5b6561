//! Where a parked message came from, and what it looked like there.
//!
//! What a worker or recorder parked says so in headers of ours. What the broker parked itself, because it was handed out
//! too often, says so in `x-death`. What fits no queue still has the exchange and the key it was published with.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::message::{Incoming, died_at, newest_death};
use crate::names;

/// Headers that only tell of the parking.
const OF_PARKING: [&str; 5] = [
    names::REASON_HEADER,
    names::ORIGIN_HEADER,
    names::ORIGINAL_ID_HEADER,
    names::ORIGINAL_KEY_HEADER,
    names::PARKED_AT_HEADER,
];

/// What the broker's own headers begin with. RabbitMQ before 4 believes an `x-death` that a publisher sends.
const OF_BROKER: [&str; 5] =
    ["x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count"];

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The queue it was taken from; for what fits no queue, the exchange it was published to.
    pub queue: String,
    /// Why it was set aside, in words.
    pub reason: String,
    /// When, in milliseconds since the epoch, if that is known.
    pub parked_at_ms: Option<i64>,
    /// What it was called there.
    pub message_id: Option<String>,
    pub(super) exchange: String,
    pub(super) routing_key: String,
}

impl Origin {
    /// Reads it from a message.
    pub(super) fn of(message: &Incoming, properties: &BasicProperties) -> Option<Self> {
        Self::told_by_us(message)
            .or_else(|| Self::told_by_broker(message, properties))
            .or_else(|| Self::unroutable(message))
    }

    /// The message's properties as they were there.
    pub(super) fn restored(&self, properties: BasicProperties) -> BasicProperties {
        let headers = properties.headers().clone().unwrap_or_default();
        let mut kept = FieldTable::default();
        for (name, value) in headers.inner() {
            let is_of_broker = OF_BROKER.iter().any(|prefix| name.as_str().starts_with(prefix));
            if !is_of_broker && !OF_PARKING.contains(&name.as_str()) {
                kept.insert(name.clone(), value.clone());
            }
        }
        let properties = properties.with_headers(kept).with_delivery_mode(2);
        match &self.message_id {
            Some(id) => properties.with_message_id(id.as_str().into()),
            None => properties,
        }
    }

    fn told_by_us(message: &Incoming) -> Option<Self> {
        let queue = message.header(names::ORIGIN_HEADER)?.to_owned();
        let original_key = message.header(names::ORIGINAL_KEY_HEADER)?.to_owned();
        let (exchange, routing_key) = way_to(&queue, original_key)?;
        Some(Self {
            queue,
            reason: message.header(names::REASON_HEADER).unwrap_or("no reason was given").to_owned(),
            parked_at_ms: message.header(names::PARKED_AT_HEADER).and_then(|text| text.parse().ok()),
            message_id: message.header(names::ORIGINAL_ID_HEADER).map(str::to_owned),
            exchange,
            routing_key,
        })
    }

    fn told_by_broker(message: &Incoming, properties: &BasicProperties) -> Option<Self> {
        let death = newest_death(properties)?;
        let queue = text(death.inner().get("queue")?)?;
        let reason = text(death.inner().get("reason")?)?;
        let AMQPValue::FieldArray(keys) = death.inner().get("routing-keys")? else { return None };
        let (exchange, routing_key) = way_to(&queue, text(keys.as_slice().first()?)?)?;
        let parked_at = died_at(death).and_then(|seconds| i64::try_from(seconds).ok());
        Some(Self {
            reason: match reason.as_str() {
                "delivery_limit" => {
                    "it was handed out too often without being settled: whoever takes it dies".to_owned()
                }
                other => format!("the broker set it aside ({other})"),
            },
            queue,
            parked_at_ms: parked_at.map(|seconds| seconds * 1_000),
            message_id: message.message_id().map(str::to_owned),
            exchange,
            routing_key,
        })
    }

    /// What came by the alternate exchange.
    fn unroutable(message: &Incoming) -> Option<Self> {
        (message.exchange == names::EVENTS_EXCHANGE).then(|| Self {
            queue: message.exchange.clone(),
            reason: format!("no queue is bound for the routing key `{}`", shown(&message.routing_key)),
            parked_at_ms: None,
            message_id: message.message_id().map(str::to_owned),
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        })
    }
}

/// The exchange and the key that lead to a queue of ours: users may write to our exchanges, not to the default one.
///
/// * `original_key`: what the message came to the queue with, which is what it was published with unless it waited.
fn way_to(queue: &str, original_key: String) -> Option<(String, String)> {
    if queue == names::LOG {
        return Some((names::LOG.to_owned(), names::LOG.to_owned()));
    }
    let (mode, rest) = queue.strip_prefix("bellhop.")?.split_once('.')?;
    let mode = mode.parse().ok()?;
    if rest.starts_with("events.") {
        return Some((names::EVENTS_EXCHANGE.to_owned(), original_key));
    }
    // Rungs lead to the due lane, and so does every other lane of what is owed.
    Some((names::mode_exchange(mode), names::DUE_KEY.to_owned()))
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned),
        AMQPValue::ShortString(value) => Some(value.to_string()),
        _ => None,
    }
}

/// What a stranger wrote, cut and escaped.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Outgoing;

    fn parked(headers: Vec<(&'static str, String)>) -> Incoming {
        Incoming::of(&Outgoing {
            exchange: names::mode_exchange(bellhop_model::Mode::Test),
            routing_key: names::PARKED_KEY.to_owned(),
            message_id: "random".to_owned(),
            message_type: Some("appointment.scheduled".to_owned()),
            timestamp: 0,
            time_to_live: None,
            headers,
            body: Bytes::new(),
        })
    }

    #[test]
    fn what_we_parked_goes_back_the_way_it_came() {
        let cases = [
            ("bellhop.test.events.3", "test.appointment.x", (names::EVENTS_EXCHANGE, "test.appointment.x")),
            ("bellhop.live.due", "due", ("bellhop.live", "due")),
            ("bellhop.log", "bellhop.log", (names::LOG, names::LOG)),
        ];
        for (queue, key, (exchange, routing_key)) in cases {
            let told = [
                (names::ORIGIN_HEADER, queue),
                (names::ORIGINAL_KEY_HEADER, key),
                (names::ORIGINAL_ID_HEADER, "evt_1"),
                (names::REASON_HEADER, "because"),
                (names::PARKED_AT_HEADER, "1700"),
            ];
            let message = parked(told.map(|(name, value)| (name, value.to_owned())).to_vec());
            let origin = Origin::of(&message, &BasicProperties::default()).expect("it says so");
            assert_eq!((origin.exchange.as_str(), origin.routing_key.as_str()), (exchange, routing_key));
            assert_eq!((origin.reason.as_str(), origin.parked_at_ms), ("because", Some(1_700)));
            assert_eq!(origin.message_id.as_deref(), Some("evt_1"));
        }
    }

    #[test]
    fn what_the_broker_parked_says_so_in_its_own_header() {
        let mut death = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        death.insert("queue".into(), text("bellhop.test.events.0"));
        death.insert("reason".into(), text("delivery_limit"));
        death.insert("routing-keys".into(), AMQPValue::FieldArray(vec![text("test.a.b")].into()));
        death.insert("time".into(), AMQPValue::Timestamp(1_700));
        let mut headers = FieldTable::default();
        headers.insert("x-death".into(), AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into()));
        headers.insert("x-first-death-queue".into(), text("bellhop.test.events.0"));
        headers.insert("organisation-id".into(), text("org_a"));
        let properties = BasicProperties::default().with_headers(headers);
        let origin = Origin::of(&parked(Vec::new()), &properties).expect("it says so");
        assert_eq!((origin.exchange.as_str(), origin.routing_key.as_str()), ("bellhop.events", "test.a.b"));
        assert_eq!(origin.parked_at_ms, Some(1_700_000));
        let restored = origin.restored(properties);
        let names: Vec<String> =
            restored.headers().as_ref().expect("some").inner().keys().map(ToString::to_string).collect();
        assert_eq!(names, ["organisation-id"]);
    }

    #[test]
    fn what_does_not_say_where_it_came_from_is_not_guessed_at() {
        for queue in ["", "bellhop", "bellhop.staging.due", "other.live.due"] {
            let headers = vec![
                (names::ORIGIN_HEADER, queue.to_owned()),
                (names::ORIGINAL_KEY_HEADER, "due".to_owned()),
            ];
            assert_eq!(Origin::of(&parked(headers), &BasicProperties::default()), None, "{queue}");
        }
    }
}
