//! Messages on their way out and in, without the client library's types.

use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

/// A message to publish. Always persistent, mandatory and confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Exchange to publish to.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// What the message is called; returns are told apart by it, so it is unique among what is in flight.
    pub message_id: String,
    /// Property `type`, if any.
    pub message_type: Option<String>,
    /// Unix seconds.
    pub timestamp: u64,
    /// How long it stays in a queue at most; a shorter time to live of the queue itself counts. It goes only from the
    /// head of a queue, so that what is in front may hold it up, as long as the queue's own time to live allows.
    pub time_to_live: Option<Duration>,
    /// Headers, as text.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// A message as received.
#[derive(Debug)]
pub struct Incoming {
    /// Exchange it was published to, or dead-lettered through.
    pub exchange: String,
    /// Routing key it came with.
    pub routing_key: String,
    /// Whether it was handed out before.
    pub redelivered: bool,
    /// The body. Health data: not for logs.
    pub body: Vec<u8>,
    properties: BasicProperties,
}

impl Outgoing {
    pub(crate) fn properties(&self) -> BasicProperties {
        let mut headers = FieldTable::default();
        for (name, value) in &self.headers {
            headers.insert((*name).into(), AMQPValue::LongString(LongString::from(value.as_bytes())));
        }
        let mut properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(self.message_id.as_str().into())
            .with_timestamp(self.timestamp)
            .with_headers(headers);
        if let Some(time_to_live) = self.time_to_live {
            properties = properties.with_expiration(time_to_live.as_millis().to_string().into());
        }
        match &self.message_type {
            Some(message_type) => properties.with_type(message_type.as_str().into()),
            None => properties,
        }
    }
}

impl Incoming {
    /// The message as a consumer would receive it, for driving a consumer's decisions without a broker.
    #[must_use]
    pub fn of(message: &Outgoing) -> Self {
        Self {
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
            redelivered: false,
            body: message.body.to_vec(),
            properties: message.properties(),
        }
    }

    pub(crate) fn new(delivery: lapin::message::Delivery) -> (Self, lapin::Acker) {
        let incoming = Self {
            exchange: delivery.exchange.to_string(),
            routing_key: delivery.routing_key.to_string(),
            redelivered: delivery.redelivered,
            body: delivery.data,
            properties: delivery.properties,
        };
        (incoming, delivery.acker)
    }

    /// Property `message_id`.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.properties.message_id().as_ref().map(ShortString::as_str)
    }

    /// Property `type`.
    #[must_use]
    pub fn message_type(&self) -> Option<&str> {
        self.properties.kind().as_ref().map(ShortString::as_str)
    }

    /// Property `content_type`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.properties.content_type().as_ref().map(ShortString::as_str)
    }

    /// Property `timestamp`, as time since the epoch.
    #[must_use]
    pub fn timestamp(&self) -> Option<Duration> {
        self.properties.timestamp().map(Duration::from_secs)
    }

    /// When it came into the queue that it was taken from, as whole seconds since the epoch.
    ///
    /// What waited on a rung came when the broker dead-lettered it, which `x-death` tells; anything else when it was
    /// published, by the publisher's own clock. `None` when neither tells.
    #[must_use]
    pub fn queued_at(&self) -> Option<Duration> {
        let dead_lettered_at = newest_death(&self.properties).and_then(died_at);
        dead_lettered_at.map(Duration::from_secs).or_else(|| self.timestamp())
    }

    /// A header that is UTF-8 text; `None` when absent or of another type.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.properties.headers().as_ref()?.inner().get(name)? {
            AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok(),
            AMQPValue::ShortString(value) => Some(value.as_str()),
            _ => None,
        }
    }

    /// Whether there is a header of this name, of whatever type.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.properties.headers().as_ref().is_some_and(|headers| headers.contains_key(name))
    }
}

/// What `x-death` tells of how a message left a queue last; the newest death is the first.
pub(crate) fn newest_death(properties: &BasicProperties) -> Option<&FieldTable> {
    let AMQPValue::FieldArray(deaths) = properties.headers().as_ref()?.inner().get("x-death")? else {
        return None;
    };
    match deaths.as_slice().first()? {
        AMQPValue::FieldTable(death) => Some(death),
        _ => None,
    }
}

/// When a death was, in seconds since the epoch.
pub(crate) fn died_at(death: &FieldTable) -> Option<u64> {
    match death.inner().get("time")? {
        AMQPValue::Timestamp(seconds) => Some(*seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;

    use super::*;

    /// A message that was published in second 100.
    fn incoming(headers: FieldTable) -> Incoming {
        let properties = BasicProperties::default().with_timestamp(100).with_headers(headers);
        let (exchange, routing_key) = ("bellhop.test".to_owned(), "due".to_owned());
        Incoming { exchange, routing_key, redelivered: false, body: Vec::new(), properties }
    }

    fn death(time: AMQPValue) -> AMQPValue {
        let mut death = FieldTable::default();
        death.insert("queue".into(), AMQPValue::LongString("bellhop.test.wait.30s".into()));
        death.insert("time".into(), time);
        AMQPValue::FieldTable(death)
    }

    fn dead_lettered(deaths: Vec<AMQPValue>) -> FieldTable {
        let mut headers = FieldTable::default();
        headers.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::from(deaths)));
        headers
    }

    #[test]
    fn what_waited_was_queued_when_it_was_dead_lettered_last() {
        let deaths = [700, 130].map(|seconds| death(AMQPValue::Timestamp(seconds))).to_vec();
        assert_eq!(incoming(dead_lettered(deaths)).queued_at(), Some(Duration::from_secs(700)));
    }

    #[test]
    fn anything_else_was_queued_when_it_was_published() {
        let published = Some(Duration::from_secs(100));
        let mut untrue = FieldTable::default();
        untrue.insert("x-death".into(), AMQPValue::LongString("never".into()));
        let untold = dead_lettered(vec![death(AMQPValue::Boolean(true))]);
        for headers in [FieldTable::default(), untrue, dead_lettered(Vec::new()), untold] {
            assert_eq!(incoming(headers).queued_at(), published);
        }
    }
}
