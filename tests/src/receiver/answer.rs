//! What an endpoint answers, and when.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;

/// An answer to one request.
#[derive(Debug, Clone)]
pub struct Answer {
    code: u16,
    headers: HeaderMap,
    hold: Hold,
}

/// A gate that answers wait behind until the test opens it.
#[derive(Debug, Clone, Default)]
pub struct Gate(watch::Sender<bool>);

/// What is waited for before answering.
#[derive(Debug, Clone)]
enum Hold {
    Nothing,
    Time(Duration),
    Gate(Gate),
    Forever,
}

impl Answer {
    /// Answers at once with a status and an empty body.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self { code, headers: HeaderMap::new(), hold: Hold::Nothing }
    }

    /// Never answers, and keeps the connection open.
    #[must_use]
    pub fn never() -> Self {
        Self { hold: Hold::Forever, ..Self::status(200) }
    }

    /// Answers after some time.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self { hold: Hold::Time(time), ..self }
    }

    /// Answers only once the gate is open.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self { hold: Hold::Gate(gate.clone()), ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a test's header value is printable");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(super) fn code(&self) -> u16 {
        self.code
    }

    pub(super) async fn hold(&self) {
        match &self.hold {
            Hold::Nothing => {}
            // waits: an endpoint that takes its time is what is tested.
            Hold::Time(time) => tokio::time::sleep(*time).await,
            Hold::Gate(gate) => gate.pass().await,
            // waits: because that is what this endpoint does.
            Hold::Forever => pending().await,
        }
    }

    pub(super) fn render(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = self.code.try_into().expect("a test's status is one of HTTP's");
        *response.headers_mut() = self.headers;
        response
    }
}

impl Gate {
    /// Lets every answer pass, now and until it is shut.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Has every answer wait from now on.
    pub fn shut(&self) {
        self.0.send_replace(false);
    }

    /// How many answers wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.receiver_count()
    }

    async fn pass(&self) {
        // An error means that no sender is left, but this value holds one.
        let _ = self.0.subscribe().wait_for(|is_open| *is_open).await;
    }
}
