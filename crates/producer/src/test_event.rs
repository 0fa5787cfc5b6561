//! A test event: a sample for one webhook, so that its owner sees that it is reached.

use bellhop_broker::names::{DUE_KEY, mode_exchange};
use bellhop_broker::{Outgoing, Owed};
use bellhop_model::{Event, EventError, EventId, EventType, Mode, WebhookId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::NewEvent;

/// An event that did not happen, addressed to one webhook: no other of the organisation gets it.
///
/// It is signed, tried three times and logged like any other. Its endpoint is told by the header
/// `webhook-test-event: true`.
#[derive(Debug, Clone)]
pub struct TestEvent {
    event: NewEvent,
    webhook: WebhookId,
}

impl TestEvent {
    /// Makes a test event, with a new id.
    ///
    /// * `webhook`: of the organisation that `data` names, and of this mode; it need not want the type.
    /// * `data`: the appointment as JSON text, in its fullest form.
    ///
    /// # Errors
    /// [`EventError`] when no worker would accept it: not JSON, too large, or without an organisation.
    pub fn new(
        webhook: WebhookId,
        event_type: &EventType,
        mode: Mode,
        data: &str,
    ) -> Result<Self, EventError> {
        let id = EventId::of_test(Uuid::now_v7().as_bytes());
        let now = OffsetDateTime::now_utc();
        let body = Event::encode_test(&id, event_type, mode, now, data)?;
        Ok(Self { event: NewEvent::read(body)?, webhook })
    }

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> &EventId {
        &self.event.id
    }

    /// The webhook that gets it.
    #[must_use]
    pub fn webhook(&self) -> &WebhookId {
        &self.webhook
    }

    /// The message: what a worker would have made of the event for this webhook, due now.
    pub(crate) fn outgoing(&self) -> Outgoing {
        let owed = Owed { webhook: Some(self.webhook.clone()), ..Owed::fresh(self.event.occurred_at) };
        let plain = self.event.outgoing();
        Outgoing {
            exchange: mode_exchange(self.event.mode),
            routing_key: DUE_KEY.to_owned(),
            headers: [plain.headers, owed.headers()].concat(),
            ..plain
        }
    }
}
