//! The request to an endpoint: rendered and signed once, and what of it is noted.

use bellhop_model::{Attempt, Event, PayloadLevel, Sent, Signature, webhook_headers};
use bellhop_sender::{HeaderName, HeaderValue, PlainHttp, Request, USER_AGENT};
use bellhop_store::ActiveSubscription;
use bytes::Bytes;

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

    /// What the log has to know of it to show it.
    pub(crate) fn sent(&self, subscription: &ActiveSubscription) -> Sent<'static> {
        Sent {
            payload: self.payload,
            timestamp: self.timestamp,
            signature: self.signature.as_str().to_owned().into(),
            user_agent: Some(USER_AGENT.into()),
            origin: Some(subscription.subscription.url.origin().to_owned().into()),
        }
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
        let headers = webhook_headers(event, attempt, self.timestamp, self.signature.as_str());
        let headers =
            headers.into_iter().map(|(name, text)| (HeaderName::from_static(name), value(&text))).collect();
        Request::new(&subscription.subscription.url, event.mode, headers, Bytes::from(self.body))
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids, event types and signatures are visible ASCII")
}
