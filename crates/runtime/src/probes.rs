//! What Kubernetes and Prometheus ask of a process, over HTTP/1.1: `/livez`, `/readyz` and `/metrics`.
//!
//! `/livez` answers 200 whenever the runtime gets around to it. `/readyz` answers 200 or 503 and lists the
//! conditions. The port is meant for the cluster, not for strangers; it is bounded all the same, since a
//! probe that cannot get through restarts the process.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Key, Settings};
use crate::health::Health;
use crate::metrics::{self, Metrics};

/// Connections served at once; further ones wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 32;

/// Time for the head of a request to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a whole connection, which carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request; the least that hyper allows, and far more than any probe sends.
const HEAD_BYTES_MAX: usize = 8192;

/// Most header fields of a request.
const HEADERS_MAX: usize = 64;

/// Pause after a failed accept: without descriptors to spare it would fail again at once, for ever.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Where the probes are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    /// Address and port; `0.0.0.0:9464` by default, since the kubelet does not come by loopback.
    pub listen: SocketAddr,
}

impl ProbeConfig {
    /// Reads section `[probes]`.
    pub fn read(settings: &mut Settings) -> Self {
        let mut probes = settings
            .section("probes", "Where every process answers /livez, /readyz and /metrics over plain HTTP.");
        let listen = probes.parsed(
            Key {
                name: "listen",
                meaning: "Address and port. On a loopback address neither Kubernetes nor Prometheus gets \
                    through; never reachable from the internet, since metrics tell how much is going on. \
                    Port 0 takes any free one.",
            },
            "an address with a port, such as `0.0.0.0:9464` or `[::]:9464`",
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9464)),
        );
        Self { listen }
    }
}

/// Why the probes cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The port is taken.
    #[error(
        "listen on `{address}`, which is taken: stop what holds it, or set BELLHOP_PROBES_LISTEN to another"
    )]
    Taken {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The address is not ours, or the port may not be opened.
    #[error(
        "listen on `{address}`: set BELLHOP_PROBES_LISTEN to an address of this host and a port above 1023"
    )]
    Refused {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// A bound port whose probes are not answered yet.
#[derive(Debug)]
pub struct ProbeServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl ProbeServer {
    /// Binds the port. Callers queue from here on, and are answered by [`ProbeServer::serve`].
    ///
    /// # Errors
    /// [`ProbeError::Taken`] or [`ProbeError::Refused`], both with the address and what to do.
    pub async fn bind(config: ProbeConfig) -> Result<Self, ProbeError> {
        let address = config.listen;
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ProbeError::Taken { address, source },
            _ => ProbeError::Refused { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address })
    }

    /// The address that was bound, with its real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers probes until `stop` is cancelled, then finishes the answers under way, which takes 10 s at
    /// most.
    ///
    /// Stop it last: a process that drains is still alive and still measured.
    pub async fn serve(self, health: Health, metrics: Metrics, stop: CancellationToken) {
        let answers = Arc::new(Answers { health, metrics });
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let connections = TaskTracker::new();
        while let Some((stream, permit)) = self.accept(&permits, &stop).await {
            connections.spawn(serve_connection(stream, Arc::clone(&answers), stop.clone(), permit));
        }
        drop(self.listener);
        connections.close();
        connections.wait().await;
    }

    /// Takes the next connection; none when it is time to stop.
    async fn accept(
        &self,
        permits: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        stop.run_until_cancelled(async {
            let permit = Arc::clone(permits).acquire_owned().await.expect("nobody closes the semaphore");
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => return (stream, permit),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection to the probes; trying again");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        })
        .await
    }
}

/// Serves the one request of a connection: probes are rare, and without idle connections a deadline covers
/// all.
async fn serve_connection(
    stream: TcpStream,
    answers: Arc<Answers>,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answers.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let whole = async {
        tokio::select! {
            result = connection.as_mut() => result,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    match tokio::time::timeout(CONNECTION_TIMEOUT, whole).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the probes failed"),
        Err(_) => tracing::debug!("a connection to the probes took too long"),
    }
}

/// What the answers are made of.
struct Answers {
    health: Health,
    metrics: Metrics,
}

impl Answers {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let answer: fn(&Self) -> Response<Full<Bytes>> = match path {
            "/livez" => |_| respond(StatusCode::OK, PLAIN_TEXT, "alive\n"),
            "/readyz" => Self::ready,
            "/metrics" => Self::measure,
            _ => return respond(StatusCode::NOT_FOUND, PLAIN_TEXT, "try /livez, /readyz or /metrics\n"),
        };
        if method == Method::GET || method == Method::HEAD {
            return answer(self);
        }
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, PLAIN_TEXT, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let readiness = self.health.readiness();
        let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        respond(status, PLAIN_TEXT, readiness.to_string())
    }

    fn measure(&self) -> Response<Full<Bytes>> {
        match self.metrics.encode() {
            Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(error) => {
                tracing::error!(%error, "cannot render the metrics");
                respond(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    PLAIN_TEXT,
                    "cannot render the metrics; see the log\n",
                )
            }
        }
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
