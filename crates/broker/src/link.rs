//! A supervised connection: built, watched, and built again after any error, for as long as the process lives.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::OwnedTLSConfig;
use lapin::{Connection, ConnectionProperties, ErrorKind, Event};
use rand::seq::SliceRandom as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::BrokerAddress;
use crate::address::NodeAddress;
use crate::limits::{BACKOFF_MAX, BACKOFF_MIN, CLOSE_TIMEOUT, CONNECT_TIMEOUT};
use crate::stats::BrokerStats;

/// A connection that comes back. Publishing and consuming use one each: a broker that blocks publishers stops reading
/// the socket, and acknowledgements must not wait behind that.
#[derive(Debug)]
pub struct Link {
    sessions: watch::Receiver<Option<Arc<Session>>>,
    state: watch::Receiver<LinkState>,
    stats: Arc<BrokerStats>,
    closing: CancellationToken,
    supervisor: JoinHandle<()>,
}

/// How a link is.
#[derive(Debug, Clone)]
pub enum LinkState {
    /// There is no session; the reason of the latest failure, if there was one.
    Down(Option<Arc<ConnectError>>),
    /// There is a session.
    Up,
    /// There is a session, but the broker has said that it takes no publishes (memory or disk alarm).
    Blocked,
}

impl LinkState {
    /// What [`LinkState::label`] may be.
    pub const LABELS: [&'static str; 3] = ["up", "blocked", "down"];

    /// The word used in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Blocked => "blocked",
            Self::Down(_) => "down",
        }
    }

    /// Why nothing can be taken, for an operator to read; `None` while there is a session.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Up | Self::Blocked => None,
            Self::Down(Some(error)) => Some(error.to_string()),
            Self::Down(None) => Some("not connected yet".to_owned()),
        }
    }
}

/// Why a session could not be built. The texts say what to do and hold no password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// User or password is wrong.
    #[error("the broker at {address} refused user and password: check both in the AMQP URL")]
    Credentials {
        /// Where, without password.
        address: String,
    },
    /// The virtual host does not exist or the user may not enter it.
    #[error(
        "the broker at {address} refused the virtual host: create it, or give the user permissions on it"
    )]
    VirtualHost {
        /// Where.
        address: String,
    },
    /// No answer in time.
    #[error("the broker at {address} did not answer within {CONNECT_TIMEOUT:?}: check host and port")]
    TimedOut {
        /// Where.
        address: String,
    },
    /// Anything else, mostly that nobody listens there.
    #[error("failed to connect to the broker at {address}: is it running? (`make up` starts a local one)")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        #[source]
        source: lapin::Error,
    },
}

/// Declares through a link; see [`crate::Topology::declare`].
#[derive(Debug, Clone)]
pub struct Declarer {
    sessions: watch::Receiver<Option<Arc<Session>>>,
}

impl Declarer {
    pub(crate) async fn session(&self) -> Arc<Session> {
        session(&mut self.sessions.clone()).await
    }
}

/// One living connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) ended: CancellationToken,
}

impl Link {
    /// Starts to keep a connection; returns at once.
    ///
    /// * `address`: the broker. Of several nodes the first is drawn at random, so that a fleet spreads over them, and
    ///   whenever one fails the next is tried.
    /// * `name`: shown in the broker's list of connections.
    #[must_use]
    pub fn open(address: BrokerAddress, name: &str) -> Self {
        let mut nodes = address.into_nodes();
        nodes.shuffle(&mut rand::rng());
        let stats = Arc::new(BrokerStats::default());
        let (session_sender, sessions) = watch::channel(None);
        let (state_sender, state) = watch::channel(LinkState::Down(None));
        let closing = CancellationToken::new();
        let supervisor = Supervisor {
            nodes,
            name: name.to_owned(),
            sessions: session_sender,
            state: state_sender,
            stats: Arc::clone(&stats),
            closing: closing.clone(),
        };
        let supervisor = tokio::spawn(supervisor.run());
        Self { sessions, state, stats, closing, supervisor }
    }

    /// How the link is now.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.state.borrow().clone()
    }

    /// Waits for the first session, or until every node has been tried once, each for 10 s at most. The link goes on
    /// trying in any case.
    ///
    /// # Errors
    /// Why the tries failed.
    pub async fn connected(&self) -> Result<(), Arc<ConnectError>> {
        let mut state = self.state.clone();
        let is_decided = |state: &LinkState| !matches!(state, LinkState::Down(None));
        let decided = state.wait_for(is_decided).await.map(|state| state.clone());
        match decided {
            Ok(LinkState::Down(Some(reason))) => Err(reason),
            Ok(_) => Ok(()),
            // The supervisor ends only when the link is closed, and that consumes the link.
            Err(_) => unreachable!("the supervisor outlives the link"),
        }
    }

    /// Watches the state.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Tells the word for the state, [`LinkState::label`], whenever it is called.
    pub fn label(&self) -> impl Fn() -> &'static str + Send + Sync + use<> {
        let state = self.watch();
        move || state.borrow().label()
    }

    /// Tells what happened so far, [`BrokerStats::counts`], whenever it is called.
    pub fn counts(&self) -> impl Fn() -> [(&'static str, u64); BrokerStats::KINDS] + Send + Sync + use<> {
        let stats = Arc::clone(&self.stats);
        move || stats.counts()
    }

    /// What happened on this link so far.
    #[must_use]
    pub fn stats(&self) -> &Arc<BrokerStats> {
        &self.stats
    }

    /// Closes the connection in order and stops keeping it.
    pub async fn close(self) {
        self.closing.cancel();
        // A supervisor that panicked has nothing left to close.
        let _ = self.supervisor.await;
    }

    /// A handle to declare the topology with, for a task that does not own the link.
    #[must_use]
    pub fn declarer(&self) -> Declarer {
        Declarer { sessions: self.sessions.clone() }
    }

    /// Cancelled when the link is closed.
    pub(crate) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Sessions as they come and go.
    pub(crate) fn sessions(&self) -> watch::Receiver<Option<Arc<Session>>> {
        self.sessions.clone()
    }
}

/// Waits for the current session; for ever when the link was closed.
pub(crate) async fn session(sessions: &mut watch::Receiver<Option<Arc<Session>>>) -> Arc<Session> {
    let is_alive = |session: &Option<Arc<Session>>| session.as_ref().is_some_and(|s| !s.ended.is_cancelled());
    let current = sessions.wait_for(is_alive).await.ok().and_then(|session| session.clone());
    match current {
        Some(session) => session,
        None => std::future::pending().await,
    }
}

struct Supervisor {
    /// The one tried last is the first.
    nodes: Vec<NodeAddress>,
    name: String,
    sessions: watch::Sender<Option<Arc<Session>>>,
    state: watch::Sender<LinkState>,
    stats: Arc<BrokerStats>,
    closing: CancellationToken,
}

impl Supervisor {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let closing = self.closing.clone();
        while let Some(attempt) = closing.run_until_cancelled(self.connect()).await {
            match attempt {
                Ok(session) => {
                    backoff = Backoff::default();
                    self.keep(session).await;
                    if self.closing.is_cancelled() {
                        return;
                    }
                }
                Err(error) => {
                    self.state.send_replace(LinkState::Down(Some(Arc::new(error))));
                }
            }
            let pause = backoff.next();
            if self.closing.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Tries each node once, until one takes us in.
    async fn connect(&mut self) -> Result<Arc<Session>, ConnectError> {
        let mut failures = Vec::with_capacity(self.nodes.len());
        for _ in 0..self.nodes.len() {
            self.nodes.rotate_left(1);
            match self.sign_in(&self.nodes[0]).await {
                Ok(session) => return Ok(session),
                Err(error) => {
                    self.stats.connect_failures.add(1);
                    tracing::warn!(error = %error, connection = %self.name, "cannot reach the broker; trying again");
                    failures.push(error);
                }
            }
        }
        Err(clearest(failures))
    }

    async fn sign_in(&self, node: &NodeAddress) -> Result<Arc<Session>, ConnectError> {
        let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        let tls =
            OwnedTLSConfig { identity: None, cert_chain: node.authority_pem.as_deref().map(str::to_owned) };
        let address = || node.to_string();
        let runtime = lapin::runtime::default_runtime()
            .map_err(|source| ConnectError::Unreachable { address: address(), source })?;
        let connecting = Connection::connect_uri_with_config(node.uri.clone(), properties, tls, runtime);
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => Ok(Arc::new(Session { connection, ended: CancellationToken::new() })),
            Ok(Err(error)) => Err(judge(address(), error)),
            Err(_) => Err(ConnectError::TimedOut { address: address() }),
        }
    }

    /// Hands a session out until it ends or the link closes.
    async fn keep(&self, session: Arc<Session>) {
        self.stats.sessions.add(1);
        tracing::info!(connection = %self.name, node = %self.nodes[0], "connected to the broker");
        let mut events = Box::pin(session.connection.events_listener());
        self.sessions.send_replace(Some(Arc::clone(&session)));
        self.state.send_replace(LinkState::Up);
        // The listener hears only what comes after it was made.
        if session.connection.status().blocked() {
            self.state.send_replace(LinkState::Blocked);
        }
        loop {
            tokio::select! {
                () = self.closing.cancelled() => break,
                () = session.ended.cancelled() => break,
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(%reason, connection = %self.name, "the broker blocks publishers");
                        self.state.send_replace(LinkState::Blocked);
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!(connection = %self.name, "the broker takes publishes again");
                        self.state.send_replace(LinkState::Up);
                    }
                    Some(Event::Error(error)) if !session.connection.status().connected() => {
                        tracing::warn!(%error, connection = %self.name, "lost the connection to the broker");
                        break;
                    }
                    Some(_) => {}
                    None => break,
                },
            }
        }
        self.sessions.send_replace(None);
        self.state.send_replace(LinkState::Down(None));
        session.ended.cancel();
        let closing = session.connection.close(200, "closing".into());
        // A connection that cannot be closed in time is dropped with its socket.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    }
}

/// Of all nodes' failures, the one that tells most: a living node's refusal rather than a dead one's silence.
fn clearest(mut failures: Vec<ConnectError>) -> ConnectError {
    let is_refusal = |error: &ConnectError| {
        matches!(error, ConnectError::Credentials { .. } | ConnectError::VirtualHost { .. })
    };
    let refusal = failures.iter().position(is_refusal);
    failures.swap_remove(refusal.unwrap_or(failures.len() - 1))
}

fn judge(address: String, error: lapin::Error) -> ConnectError {
    if let ErrorKind::ProtocolError(reply) = error.kind() {
        match reply.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                return ConnectError::Credentials { address };
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => return ConnectError::VirtualHost { address },
            _ => {}
        }
    }
    ConnectError::Unreachable { address, source: error }
}

/// Pauses between tries: drawn at random from zero to a bound that doubles (full jitter), so that a fleet that lost
/// its broker at one instant does not return at one.
#[derive(Debug)]
pub(crate) struct Backoff {
    bound: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { bound: BACKOFF_MIN }
    }
}

impl Backoff {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.bound.mul_f64(rand::random::<f64>());
        self.bound = (self.bound * 2).min(BACKOFF_MAX);
        pause
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Two nodes that take a connection and close it. Whoever fell back to the first alone would never reach the other.
    #[tokio::test]
    async fn every_node_is_tried_before_a_link_says_that_it_cannot_connect() {
        let nodes = [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
        let nodes = nodes.map(|node| node.expect("a free port"));
        let ports = nodes.each_ref().map(|node| node.local_addr().expect("bound").port());
        let url = format!("amqp://u:p@localhost:{},localhost:{}/v", ports[0], ports[1]);
        let link = Link::open(BrokerAddress::parse(&url, None).expect("valid"), "test");
        // Which one is tried first is drawn.
        let visited = async |node: &TcpListener| drop(node.accept().await.expect("a connection"));
        let tried = async { tokio::join!(visited(&nodes[0]), visited(&nodes[1])) };
        let both = async { tokio::join!(tried, link.connected()).1 };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, both).await.expect("both are tried at once");
        assert!(matches!(*connected.expect_err("nobody speaks AMQP"), ConnectError::Unreachable { .. }));
        assert!(2 <= link.stats().connect_failures.get(), "{:?}", link.stats());
        link.close().await;
    }

    #[test]
    fn a_refusal_tells_more_than_silence() {
        let silence = |address: &str| ConnectError::TimedOut { address: address.to_owned() };
        let refusal = || ConnectError::Credentials { address: "alive".to_owned() };
        let cases = [
            (vec![refusal(), silence("dead")], "alive"),
            (vec![silence("dead"), refusal()], "alive"),
            (vec![silence("first"), silence("last")], "last"),
        ];
        for (failures, told) in cases {
            assert!(clearest(failures).to_string().contains(told));
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_no_further() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            assert!(backoff.next() <= BACKOFF_MAX);
        }
        assert_eq!(backoff.bound, BACKOFF_MAX);
    }
}
