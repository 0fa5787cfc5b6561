//! Handing events to the broker, and telling who asked what became of them.

use std::future::Future;
use std::time::Duration;

use axum::http::StatusCode;
use bellhop_producer::ProducerError;

use crate::problem::Problem;
use crate::state::Api;

/// When to ask again for what the broker did not confirm.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Does work in a task of its own, which is finished although the caller hangs up or gives up: an event that the broker
/// has must be noted, and one that it may have must not be forgotten half way.
pub(crate) async fn to_the_end<T: Send + 'static>(
    api: &Api,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    match api.in_hand.spawn(work).await {
        Ok(done) => done,
        // The runtime cancels tasks only when it ends, and this one with them.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What to tell of an event that the broker has not confirmed.
pub(crate) fn unconfirmed(error: &ProducerError) -> Problem {
    let detail = match error {
        ProducerError::Blocked | ProducerError::TimedOut => {
            tracing::warn!(%error, "an event was not confirmed");
            "the broker did not confirm the event in time, and may have it or not: send it again, with the same id"
        }
        ProducerError::Refused => {
            tracing::warn!(%error, "an event was refused");
            "the broker takes no events at the moment, and does not have this one: send it again later"
        }
        ProducerError::Connect(_)
        | ProducerError::Unroutable
        | ProducerError::NoExchange
        | ProducerError::Forbidden => {
            tracing::error!(%error, "an event cannot be published");
            "events cannot be published until the operator has mended the broker; it does not have this one"
        }
    };
    let title = "The event is not published";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unpublished", title, detail).retrying_after(RETRY_AFTER)
}
