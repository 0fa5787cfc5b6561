//! An event about to be published.

use std::fmt;

use bellhop_broker::Outgoing;
use bellhop_broker::names::{EVENTS_EXCHANGE, ORGANISATION_HEADER, TRACE_HEADER};
use bellhop_model::{Event, EventError, EventId, EventLabels, EventType, Mode, OrganisationId, TraceParent};
use bytes::Bytes;
use time::OffsetDateTime;
use uuid::Uuid;

/// An event that every worker will accept: it was checked when it was made.
#[derive(Clone)]
pub struct NewEvent {
    pub(crate) id: EventId,
    pub(crate) event_type: EventType,
    pub(crate) mode: Mode,
    pub(crate) organisation: OrganisationId,
    pub(crate) occurred_at: OffsetDateTime,
    pub(crate) body: Bytes,
    pub(crate) trace: Option<TraceParent>,
}

impl NewEvent {
    /// Makes an event that happened now, with a new id.
    ///
    /// * `data`: the appointment as JSON text in its fullest form; it is carried as it is, byte for byte, and says
    ///   itself which organisation it belongs to (`organisationId`).
    ///
    /// # Errors
    /// [`EventError`] when no worker would accept it: not JSON, too large, or without an organisation.
    pub fn new(event_type: &EventType, mode: Mode, data: &str) -> Result<Self, EventError> {
        let id = EventId::from_uuid(Uuid::now_v7().as_bytes());
        Self::with_id(&id, event_type, mode, OffsetDateTime::now_utc(), data)
    }

    /// Makes an event with an id and a time of the platform's own, as an outbox does.
    ///
    /// * `id`: unique within organisation and mode; the same on every try to publish the same event, and what
    ///   receivers drop repeats by.
    ///
    /// # Errors
    /// As [`NewEvent::new`].
    pub fn with_id(
        id: &EventId,
        event_type: &EventType,
        mode: Mode,
        occurred_at: OffsetDateTime,
        data: &str,
    ) -> Result<Self, EventError> {
        Self::read(Event::encode(id, event_type, mode, occurred_at, data)?)
    }

    /// Takes the body of a message.
    pub(crate) fn read(body: Vec<u8>) -> Result<Self, EventError> {
        let Event { id, event_type, mode, organisation, occurred_at, .. } =
            Event::parse(&body, None, &EventLabels::default())?;
        Ok(Self { id, event_type, mode, organisation, occurred_at, body: body.into(), trace: None })
    }

    /// Says which trace the event belongs to. Workers name it in the line of each attempt, and tell no endpoint.
    #[must_use]
    pub fn traced(self, parent: TraceParent) -> Self {
        Self { trace: Some(parent), ..self }
    }

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// Whose event it is.
    #[must_use]
    pub fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }
}

impl NewEvent {
    /// The message, as the contract has it.
    pub(crate) fn outgoing(&self) -> Outgoing {
        let mut headers = vec![(ORGANISATION_HEADER, self.organisation.to_string())];
        headers.extend(self.trace.map(|trace| (TRACE_HEADER, trace.to_string())));
        Outgoing {
            exchange: EVENTS_EXCHANGE.to_owned(),
            routing_key: format!("{}.{}", self.mode, self.event_type),
            message_id: self.id.to_string(),
            message_type: Some(self.event_type.to_string()),
            timestamp: u64::try_from(self.occurred_at.unix_timestamp()).unwrap_or(0),
            time_to_live: None,
            headers,
            body: self.body.clone(),
        }
    }
}

impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEvent")
            .field("id", &self.id)
            .field("event_type", &self.event_type)
            .field("mode", &self.mode)
            .field("organisation", &self.organisation)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
