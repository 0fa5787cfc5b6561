//! Messages as any AMQP client would publish and read them.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use time::OffsetDateTime;

use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};

/// A message to publish. The fields are public so that a case can spoil each of them.
#[derive(Debug, Clone)]
pub struct Message {
    /// The exchange, `bellhop.events` in the contract.
    pub exchange: String,
    /// `<mode>.<event type>` in the contract.
    pub routing_key: String,
    /// Properties, headers among them.
    pub properties: BasicProperties,
    /// The body.
    pub body: Vec<u8>,
}

/// A message that lay in a queue.
#[derive(Debug, Clone)]
pub struct Received {
    /// Properties, headers among them.
    pub properties: BasicProperties,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

impl Message {
    /// An event as the contract asks for it.
    ///
    /// * `data`: the appointment's JSON, whose `organisationId` is [`ORGANISATION`].
    #[must_use]
    pub fn event(mode: &str, event_type: &str, id: &str, data: &str) -> Self {
        let body = format!(
            r#"{{"id":"{id}","type":"{event_type}","mode":"{mode}","organisationId":"{ORGANISATION}","occurredAt":"2024-02-06T17:20:59Z","data":{data}}}"#
        );
        let seconds = OffsetDateTime::now_utc().unix_timestamp().unsigned_abs();
        let mut headers = FieldTable::default();
        headers.insert("organisation-id".into(), AMQPValue::LongString(ORGANISATION.into()));
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(id.into())
            .with_type(event_type.into())
            .with_timestamp(seconds)
            .with_headers(headers);
        Self {
            exchange: "bellhop.events".to_owned(),
            routing_key: format!("{mode}.{event_type}"),
            properties,
            body: body.into_bytes(),
        }
    }
}

impl Message {
    /// An event in Test Mode, of another organisation than usual.
    #[must_use]
    pub fn of(organisation: &str, id: &str) -> Self {
        let usual = Self::event("test", SCHEDULED, id, APPOINTMENT);
        let body =
            String::from_utf8(usual.body).expect("an event is text").replace(ORGANISATION, organisation);
        let mut headers = FieldTable::default();
        headers.insert("organisation-id".into(), AMQPValue::LongString(organisation.into()));
        Self { properties: usual.properties.with_headers(headers), body: body.into_bytes(), ..usual }
    }

    /// A message of the log.
    #[must_use]
    pub fn of_log(body: Vec<u8>) -> Self {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id("log-1".into())
            .with_type("records".into());
        Self { exchange: "bellhop.log".to_owned(), routing_key: "bellhop.log".to_owned(), properties, body }
    }
}

impl Received {
    /// The message whose wait is over, as the broker dead-letters it; it stands in for an hour on the longest rung.
    #[must_use]
    pub fn into_due(self, mode: &str) -> Message {
        let Self { properties, body } = self;
        Message { exchange: format!("bellhop.{mode}"), routing_key: "due".to_owned(), properties, body }
    }

    /// A header's text; none when there is no such header or it holds something else.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        match self.properties.headers().as_ref()?.inner().get(name)? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            AMQPValue::ShortString(text) => Some(text.to_string()),
            _ => None,
        }
    }
}

impl From<Delivery> for Received {
    fn from(delivery: Delivery) -> Self {
        Self { properties: delivery.properties, body: delivery.data }
    }
}
