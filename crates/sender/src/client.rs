//! One attempt: a request out, an answer in, one deadline over both.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bellhop_model::{Answer, Failure, Mode, Outcome};
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::answer::{read_body, read_head};
use crate::classify::failure_of;
use crate::connector::{Connector, Guard};
use crate::request::Request;
use crate::resolver::SystemResolver;
use crate::tls::client_config;
use crate::{SenderError, SenderOptions};

/// Greatest size of an answer's head, and of what is buffered of its body at a time.
const ANSWER_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// Makes attempts. A clone shares the connections.
#[derive(Clone)]
pub struct Sender(Arc<Shared>);

/// What came of one attempt.
pub struct Exchange {
    /// What the endpoint did.
    pub outcome: Outcome,
    /// From the call until the answer was read or given up.
    pub duration: Duration,
    /// The first bytes of the answer's body as received, neither decoded nor decompressed, at most
    /// [`ANSWER_BYTES_MAX`](bellhop_model::limits::ANSWER_BYTES_MAX). It may repeat health data.
    pub answer_excerpt: Bytes,
}

struct Shared {
    // Two pools, so that neither mode waits for, or rides on, a connection of the other.
    live: Pool,
    test: Pool,
    user_agent: HeaderValue,
    request_timeout: Duration,
}

type Pool = Client<Connector, Full<Bytes>>;

impl Sender {
    /// Prepares TLS, resolver and connection pools; opens nothing.
    ///
    /// # Errors
    /// [`SenderError`] when an option is out of range, an extra root unusable, or the system has no usable resolver
    /// configuration.
    pub fn new(options: SenderOptions) -> Result<Self, SenderError> {
        options.check()?;
        let resolver = SystemResolver::from_system().map_err(SenderError::Resolver)?;
        let tls = client_config(&options.extra_roots).map_err(SenderError::Roots)?;
        let connector = Connector::new(Guard {
            resolver: Arc::new(resolver),
            allowed: options.allowed,
            tls: TlsConnector::from(Arc::new(tls)),
            step_timeout: options.step_timeout,
        });
        let pool = || {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(options.idle_timeout)
                .pool_max_idle_per_host(options.idle_connections_per_host_max)
                .http1_max_buf_size(ANSWER_BUFFER_BYTES_MAX)
                // Hand-written servers compare header names by case, and send headers that are none.
                .http1_title_case_headers(true)
                .http1_ignore_invalid_headers_in_responses(true)
                // Sent again is only what was never started, on a kept connection that proved dead.
                .retry_canceled_requests(true)
                .build(connector.clone())
        };
        Ok(Self(Arc::new(Shared {
            live: pool(),
            test: pool(),
            user_agent: options.user_agent,
            request_timeout: options.request_timeout,
        })))
    }

    /// Makes one attempt, which ends by the deadline whatever the endpoint does.
    ///
    /// Redirects are answers, not followed. Success needs the status *and* a body that ends, or reaches
    /// [`ANSWER_BYTES_MAX`](bellhop_model::limits::ANSWER_BYTES_MAX), in time. After a byte was written nothing is
    /// repeated. Dropping the future closes the connection; what the endpoint made of the request is then unknown.
    pub async fn send(&self, request: Request<'_>) -> Exchange {
        let started = Instant::now();
        let mut excerpt = BytesMut::new();
        let attempt = timeout(self.0.request_timeout, self.0.attempt(request, &mut excerpt)).await;
        let outcome = match attempt.unwrap_or(Err(Failure::TimedOut)) {
            Ok(answer) => Outcome::Answered(answer),
            Err(failure) => Outcome::Failed(failure),
        };
        Exchange { outcome, duration: started.elapsed(), answer_excerpt: excerpt.freeze() }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("request_timeout", &self.0.request_timeout).finish_non_exhaustive()
    }
}

impl Exchange {
    /// What came of an attempt that failed before anything was opened.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self { outcome: Outcome::Failed(failure), duration: Duration::ZERO, answer_excerpt: Bytes::new() }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("outcome", &self.outcome)
            .field("duration", &self.duration)
            .field("answer_excerpt_bytes", &self.answer_excerpt.len())
            .finish()
    }
}

impl Shared {
    async fn attempt(&self, request: Request<'_>, excerpt: &mut BytesMut) -> Result<Answer, Failure> {
        let pool = match request.mode() {
            Mode::Live => &self.live,
            Mode::Test => &self.test,
        };
        // What no request can name, no name server can find.
        let request = request.assemble(&self.user_agent).map_err(|_| Failure::Dns)?;
        let response = pool.request(request).await.map_err(|error| {
            tracing::debug!(error = &error as &dyn Error, "an attempt had no answer");
            failure_of(&error)
        })?;
        let answer = read_head(&response, OffsetDateTime::now_utc())?;
        read_body(response.into_body(), excerpt).await?;
        Ok(answer)
    }
}
