//! The server: a bounded number of connections, each with deadlines, and an end that finishes what is under way.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bellhop_producer::{LinkState, Producer};
use bellhop_runtime::health::{Condition, Health};
use bellhop_runtime::metrics::{Metrics, ShownLink};
use bellhop_store::Store;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use crate::client::Peer;
use crate::document;
use crate::metrics::ApiMetrics;
use crate::options::ApiOptions;
use crate::rate::{Buckets, Rates};
use crate::routes;
use crate::state::{Api, Parts};

/// Time for the head of a request to arrive, also after the one before: an idle connection ends then.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most header fields of a request.
const HEADERS_MAX: usize = 64;

/// Pause after a failed accept: without descriptors to spare it would fail again at once, for ever.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often PostgreSQL is asked whether it answers, for readiness.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// The services around the API.
#[derive(Debug)]
pub struct Surroundings {
    /// The truth about webhooks, keys and the audit.
    pub store: Store,
    /// What events are published with. The API does without a broker, but for that.
    pub producer: Arc<Producer>,
    /// Where readiness is told.
    pub health: Health,
    /// Where counts are told.
    pub metrics: Metrics,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The port is taken.
    #[error(
        "listen on `{address}`, which is taken: stop what holds it, or set BELLHOP_API_LISTEN to another"
    )]
    Taken {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The address is not ours, or the port may not be opened.
    #[error("listen on `{address}`: set BELLHOP_API_LISTEN to an address of this host and a port above 1023")]
    Refused {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A metric is registered already.
    #[error("register the API's metrics")]
    Metrics(#[from] prometheus::Error),
}

/// A bound port whose requests are not answered yet.
pub struct ApiServer {
    listener: TcpListener,
    address: SocketAddr,
    api: Api,
    postgres: Condition,
    broker: Condition,
    in_hand: TaskTracker,
}

impl ApiServer {
    /// Binds the port. Callers queue from here on, and are answered by [`ApiServer::serve`].
    ///
    /// # Errors
    /// [`BindError`], with the address and what to do.
    pub async fn bind(options: ApiOptions, around: Surroundings) -> Result<Self, BindError> {
        let Surroundings { store, producer, health, metrics } = around;
        let address = options.listen;
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { address, source },
            _ => BindError::Refused { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let rates = Rates {
            keys: Buckets::new(options.key_rate),
            addresses: Buckets::new(options.address_rate),
            sessions: Buckets::new(options.key_rate),
        };
        let link = producer.link();
        let link = ShownLink::new("publishing", link.counts(), link.label());
        metrics.show_links(&LinkState::LABELS, [link])?;
        let metrics = ApiMetrics::register(metrics.registry())?;
        let document = document::openapi().to_json().expect("a description makes JSON");
        let in_hand = TaskTracker::new();
        let parts = Parts { store, producer, in_hand: in_hand.clone(), options, rates, metrics, document };
        let (postgres, broker) = (health.condition("postgres"), health.condition("broker"));
        Ok(Self { listener, address, api: Api::new(parts), postgres, broker, in_hand })
    }

    /// The address that was bound, with its real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The tasks that a drain waits for: every connection.
    #[must_use]
    pub fn in_hand(&self) -> TaskTracker {
        self.in_hand.clone()
    }

    /// Answers requests until `stop` is cancelled. Requests under way are then finished by [`ApiServer::in_hand`];
    /// connections that wait for one are closed.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { listener, api, postgres, broker, in_hand, .. } = self;
        let permits = Arc::new(Semaphore::new(api.options.connections_max));
        let router = routes::router(api.clone());
        in_hand.spawn(look(api.clone(), postgres, stop.clone()));
        let link = api.producer.watch();
        in_hand.spawn(broker.follow_impairment(link, publishing_problem, stop.clone()));
        while let Some((stream, peer, permit)) = accept(&listener, &permits, &stop).await {
            let connection = Connection { peer: Peer(peer), router: router.clone(), api: api.clone() };
            in_hand.spawn(connection.serve(stream, stop.clone(), permit));
        }
    }
}

/// Takes the next connection; none when it is time to stop.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    stop.run_until_cancelled(async {
        let permit = Arc::clone(permits).acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, permit),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the API; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
    .await
}

/// Tells readiness by whether PostgreSQL answers with tables that this version can use.
async fn look(api: Api, postgres: Condition, stop: CancellationToken) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        loop {
            looks.tick().await;
            match api.store.check_schema().await {
                Ok(()) => postgres.set_ready(),
                Err(error) => postgres.set_not_ready(error.to_string()),
            }
        }
    };
    stop.run_until_cancelled(looking).await;
}

/// Why events cannot be published; none when they can.
fn publishing_problem(link: &LinkState) -> Option<String> {
    match link {
        LinkState::Blocked => Some("the broker takes no events: it is short of memory or disk".to_owned()),
        link => link.problem(),
    }
}

/// One connection and what answers its requests.
struct Connection {
    peer: Peer,
    router: Router,
    api: Api,
}

impl Connection {
    async fn serve(self, stream: TcpStream, stop: CancellationToken, _permit: OwnedSemaphorePermit) {
        let Self { peer, router, api } = self;
        api.metrics.connections.inc();
        // An answer is written in two parts, head and body; without this the second would wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let answering = router.clone().call(request);
            async move { Ok::<_, Infallible>(answering.await.expect("a router answers whatever happens")) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection to the API failed");
        }
        api.metrics.connections.dec();
    }
}
