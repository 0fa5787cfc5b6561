//! One attempt: a request out, an answer in, one deadline over both.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bellhop_model::{Answer, Failure, Mode, Outcome};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::answer::{read_body, read_head};
use crate::classify::{failure_of, is_unwritten};
use crate::connector::{Connector, Guard};
use crate::excerpt::{AnswerExcerpt, AnswerHeader, keep_body, keep_headers};
use crate::phases::{Phases, has_connected, observe_connecting};
use crate::request::Request;
use crate::resolver::SystemResolver;
use crate::tls::client_config;
use crate::{SenderError, SenderOptions};

/// Greatest size of an answer's head, and of what is buffered of its body at a time.
pub(crate) const ANSWER_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// Makes attempts. A clone shares the connections.
#[derive(Clone)]
pub struct Sender(Arc<Shared>);

/// What came of one attempt.
#[derive(Debug)]
pub struct Exchange {
    /// What the endpoint did.
    pub outcome: Outcome,
    /// From the call until the answer was read or given up.
    pub duration: Duration,
    /// What the duration was spent on.
    pub phases: Phases,
    /// The beginning of the answer, as far as it came. It may repeat health data.
    pub answer: AnswerExcerpt,
}

/// What is known of an attempt that may be given up at any moment.
pub(crate) struct Progress {
    started: Instant,
    head: Option<Duration>,
    headers: Vec<AnswerHeader>,
    body: Vec<u8>,
}

/// Why an attempt has no answer.
struct Unanswered {
    failure: Failure,
    /// Whether it is known that nothing of the request was written.
    is_unwritten: bool,
}

struct Shared {
    // Two pools, so that neither mode waits for, or rides on, a connection of the other.
    live: Pool,
    test: Pool,
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
        let SenderOptions { request_timeout, step_timeout, allowed, idle_timeout, extra_roots, .. } = options;
        let SenderOptions { idle_connections_per_host_max, kept_connections_max, .. } = options;
        let resolver = Arc::new(SystemResolver::from_system(step_timeout).map_err(SenderError::Resolver)?);
        let tls = Arc::new(client_config(&extra_roots).map_err(SenderError::Roots)?);
        let connector = || {
            Connector::new(Guard {
                resolver: Arc::<SystemResolver>::clone(&resolver),
                allowed: allowed.clone(),
                tls: TlsConnector::from(Arc::clone(&tls)),
                step_timeout,
                kept: Arc::new(Semaphore::new(kept_connections_max)),
            })
        };
        let pool = || {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(idle_timeout)
                .pool_max_idle_per_host(idle_connections_per_host_max)
                .http1_max_buf_size(ANSWER_BUFFER_BYTES_MAX)
                // Hand-written servers compare header names by case, and send headers that are none.
                .http1_title_case_headers(true)
                .http1_ignore_invalid_headers_in_responses(true)
                // Sent again is only what was never started, on a kept connection that proved dead.
                .retry_canceled_requests(true)
                .build(connector())
        };
        Ok(Self(Arc::new(Shared { live: pool(), test: pool(), request_timeout })))
    }

    /// Makes one attempt, which ends by the deadline whatever the endpoint does.
    ///
    /// Redirects are answers, not followed. Success needs the status *and* a body that ends, or reaches
    /// [`ANSWER_BYTES_MAX`](bellhop_model::limits::ANSWER_BYTES_MAX), in time. After a byte was written nothing is
    /// repeated. Dropping the future closes the connection; what the endpoint made of the request is then unknown.
    pub async fn send(&self, request: Request<'_>) -> Exchange {
        let mut progress = Progress::begin();
        let attempt = timeout(self.0.request_timeout, self.0.attempt(request, &mut progress));
        let (attempt, connected_at) = observe_connecting(attempt).await;
        progress.conclude(attempt.unwrap_or(Err(Failure::TimedOut)), connected_at)
    }
}

impl Progress {
    /// Nothing is known yet.
    pub(crate) fn begin() -> Self {
        Self { started: Instant::now(), head: None, headers: Vec::new(), body: Vec::new() }
    }

    /// Reads an answer whose head is there.
    pub(crate) async fn read(&mut self, response: Response<Incoming>) -> Result<Answer, Failure> {
        self.head = Some(self.started.elapsed());
        let (head, body) = response.into_parts();
        self.headers = keep_headers(&head.headers);
        let answer = read_head(&head, OffsetDateTime::now_utc())?;
        read_body(body, &mut self.body).await?;
        Ok(answer)
    }

    /// Tells what came of the attempt.
    pub(crate) fn conclude(
        self,
        attempt: Result<Answer, Failure>,
        connected_at: Option<Instant>,
    ) -> Exchange {
        let connected = connected_at.map(|at| at.duration_since(self.started));
        let (body, is_body_cut) = keep_body(&self.body);
        Exchange {
            outcome: attempt.map_or_else(Outcome::Failed, Outcome::Answered),
            duration: self.started.elapsed(),
            phases: Phases { connected, head: self.head },
            answer: AnswerExcerpt { headers: self.headers, body, is_body_cut },
        }
    }
}

impl Exchange {
    /// An exchange of which nothing but outcome and duration is known.
    #[must_use]
    pub fn new(outcome: Outcome, duration: Duration) -> Self {
        Self { outcome, duration, phases: Phases::default(), answer: AnswerExcerpt::default() }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("request_timeout", &self.0.request_timeout).finish_non_exhaustive()
    }
}

impl Shared {
    async fn attempt(&self, request: Request<'_>, progress: &mut Progress) -> Result<Answer, Failure> {
        let pool = match request.mode() {
            Mode::Live => &self.live,
            Mode::Test => &self.test,
        };
        let response = until_begun(|| self.begin(pool, &request)).await.map_err(|error| error.failure)?;
        progress.read(response).await
    }

    async fn begin(&self, pool: &Pool, request: &Request<'_>) -> Result<Response<Incoming>, Unanswered> {
        // What no request can name, no name server can find.
        let assembled =
            request.assemble().map_err(|_| Unanswered { failure: Failure::Dns, is_unwritten: false })?;
        pool.request(assembled).await.map_err(|error| {
            tracing::debug!(error = &error as &dyn Error, "an attempt had no answer");
            Unanswered { failure: failure_of(&error), is_unwritten: is_unwritten(&error) }
        })
    }
}

/// Sends until a request was begun: a kept connection that proves dead before a byte was written uses up no attempt, and
/// the next one may live. A connection of the attempt's own is never repeated; so at the latest that one ends it.
async fn until_begun<T, F>(mut send: impl FnMut() -> F) -> Result<T, Unanswered>
where
    F: Future<Output = Result<T, Unanswered>>,
{
    loop {
        match send().await {
            Err(error) if error.is_unwritten && !has_connected() => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phases::note_connected;

    /// What comes of sending when the first `dead` connections are kept and dead, and how often it was sent.
    async fn sent(dead: usize, then: impl Fn() -> Result<(), Unanswered>) -> (Result<(), Failure>, usize) {
        let mut count = 0;
        let sending = until_begun(|| {
            count += 1;
            assert!(count < 10, "it is repeated without end");
            let is_dead = count <= dead;
            let unwritten = Unanswered { failure: Failure::Connect, is_unwritten: true };
            std::future::ready(if is_dead { Err(unwritten) } else { then() })
        });
        let (result, _) = observe_connecting(sending).await;
        (result.map_err(|error| error.failure), count)
    }

    #[tokio::test]
    async fn dead_kept_connections_are_passed_over_and_nothing_else_is_repeated() {
        let interrupted = || Err(Unanswered { failure: Failure::Interrupted, is_unwritten: false });
        let fresh_and_dead = || {
            note_connected();
            Err(Unanswered { failure: Failure::Connect, is_unwritten: true })
        };
        assert_eq!(sent(3, || Ok(())).await, (Ok(()), 4));
        assert_eq!(sent(0, || Ok(())).await, (Ok(()), 1));
        assert_eq!(sent(1, interrupted).await, (Err(Failure::Interrupted), 2));
        assert_eq!(sent(2, fresh_and_dead).await, (Err(Failure::Connect), 3));
    }
}
