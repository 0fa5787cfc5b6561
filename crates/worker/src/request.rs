//! The request to an endpoint: body, signature, headers.

use bellhop_model::{Attempt, Event, Mode};
use bellhop_sender::{HeaderName, HeaderValue, PlainHttp, Request};
use bellhop_store::ActiveSubscription;
use bytes::Bytes;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const EVENT: HeaderName = HeaderName::from_static("webhook-event");
const ATTEMPT: HeaderName = HeaderName::from_static("webhook-attempt");
const MODE: HeaderName = HeaderName::from_static("webhook-mode");

/// Builds the signed request of one attempt.
///
/// * `timestamp`: unix seconds of this attempt.
///
/// # Errors
/// [`PlainHttp`] when a live webhook's URL is not `https`, which registration refuses.
pub(crate) fn build<'a>(
    event: &Event,
    subscription: &'a ActiveSubscription,
    attempt: Attempt,
    timestamp: i64,
) -> Result<Request<'a>, PlainHttp> {
    let body = event.payload.render(subscription.subscription.expansion);
    let signature = subscription.signer.sign(&event.id, timestamp, body.as_bytes());
    let headers = vec![
        (ID, value(event.id.as_str())),
        (TIMESTAMP, HeaderValue::from(timestamp)),
        (SIGNATURE, value(signature.as_str())),
        (EVENT, value(event.event_type.as_str())),
        (ATTEMPT, HeaderValue::from(u16::from(attempt.number()))),
        (MODE, mode(event.mode)),
    ];
    Request::new(&subscription.subscription.url, event.mode, headers, Bytes::from(body))
}

fn mode(mode: Mode) -> HeaderValue {
    HeaderValue::from_static(mode.as_str())
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids, event types and signatures are visible ASCII")
}
