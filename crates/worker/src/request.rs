//! The request to an endpoint: body, signature, headers.

use bellhop_model::{Attempt, Event, Mode, PayloadLevel, Sent, Signature};
use bellhop_sender::{HeaderName, HeaderValue, PlainHttp, Request};
use bellhop_store::ActiveSubscription;
use bytes::Bytes;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const EVENT: HeaderName = HeaderName::from_static("webhook-event");
const ATTEMPT: HeaderName = HeaderName::from_static("webhook-attempt");
const TEST_EVENT: HeaderName = HeaderName::from_static("webhook-test-event");
const MODE: HeaderName = HeaderName::from_static("webhook-mode");

/// A rendered body with its signature.
pub(crate) struct Signed {
    body: String,
    signature: Signature,
    timestamp: i64,
    payload: PayloadLevel,
}

impl Signed {
    /// Renders the body that a webhook wants, and signs it.
    ///
    /// * `timestamp`: unix seconds of this attempt.
    pub(crate) fn new(event: &Event, subscription: &ActiveSubscription, timestamp: i64) -> Self {
        let payload = subscription.subscription.payload;
        let body = event.payload.render(payload);
        let signature = subscription.signer.sign(&event.id, timestamp, body.as_bytes());
        Self { body, signature, timestamp, payload }
    }

    /// What the log has to know of it.
    pub(crate) fn sent(&self) -> Sent<'static> {
        let signature = self.signature.as_str().to_owned().into();
        Sent { payload: self.payload, timestamp: self.timestamp, signature }
    }

    /// The request of one attempt.
    ///
    /// # Errors
    /// [`PlainHttp`] when a live webhook's URL is not `https`, which registration refuses.
    pub(crate) fn request<'a>(
        self,
        event: &Event,
        subscription: &'a ActiveSubscription,
        attempt: Attempt,
    ) -> Result<Request<'a>, PlainHttp> {
        let mut headers = vec![
            (ID, value(event.id.as_str())),
            (TIMESTAMP, HeaderValue::from(self.timestamp)),
            (SIGNATURE, value(self.signature.as_str())),
            (EVENT, value(event.event_type.as_str())),
            (ATTEMPT, HeaderValue::from(u16::from(attempt.number()))),
            (MODE, mode(event.mode)),
        ];
        if event.is_test {
            headers.push((TEST_EVENT, HeaderValue::from_static("true")));
        }
        Request::new(&subscription.subscription.url, event.mode, headers, Bytes::from(self.body))
    }
}

fn mode(mode: Mode) -> HeaderValue {
    HeaderValue::from_static(mode.as_str())
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids, event types and signatures are visible ASCII")
}
