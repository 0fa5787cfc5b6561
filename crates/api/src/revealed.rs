//! What was sent to an endpoint and what it answered, to the byte: health data, opened on purpose and on record.

use axum::http::StatusCode;
use bellhop_model::{AnswerRecord, DeliveryId, Event, EventLabels, RequestId, SentRequest};
use bellhop_store::{LoggedAttempt, RevealedRequest};

use crate::identity::Caller;
use crate::problem::Problem;
use crate::state::Api;

/// How every request is sent.
pub(crate) const METHOD: &str = "POST";

/// A request as it was sent, and the beginning of what was answered.
#[derive(Debug)]
pub(crate) struct Revealed {
    /// What was noted of it.
    pub(crate) attempt: LoggedAttempt,
    /// The headers in the order in which they were sent.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body, byte for byte.
    pub(crate) body: String,
    /// What was answered, as far as it is kept, with what would harm a reader made visible.
    pub(crate) answer: Option<AnswerRecord>,
}

impl Revealed {
    /// Opens a request. That the caller looked is on record, whether or not anything is left to be seen.
    ///
    /// # Errors
    /// When there is no such request, or its payload is gone.
    pub(crate) async fn open(
        caller: &Caller,
        api: &Api,
        delivery: &DeliveryId,
        request: RequestId,
    ) -> Result<Self, Problem> {
        let RevealedRequest { attempt, event, answer } =
            caller.organisation(&api.store).reveal_request(delivery, request).await?;
        let event = event.ok_or_else(payload_gone)?;
        let event = Event::parse(&event, Some(caller.mode), &EventLabels::default()).map_err(|error| {
            tracing::error!(%error, delivery.id = %delivery, "the event of a delivery cannot be read");
            Problem::internal()
        })?;
        Ok(Self::of(attempt, &event, answer))
    }

    fn of(attempt: LoggedAttempt, event: &Event, answer: Option<AnswerRecord>) -> Self {
        let sent = attempt.sent();
        let SentRequest { headers, body } = SentRequest::of(event, attempt.attempt, &sent);
        let headers = headers.into_iter().map(|(name, value)| (name, value.into_owned())).collect();
        Self { headers, body, answer, attempt }
    }
}

fn payload_gone() -> Problem {
    let detail =
        "the payload is no longer on record: it is older than payloads are kept, or was removed on request";
    Problem::new(StatusCode::GONE, "payload-gone", "The payload is gone", detail)
}
