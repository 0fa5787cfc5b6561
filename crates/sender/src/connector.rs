//! The only way to a socket: every address is judged before it is dialled, and once more when it is connected.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bellhop_model::{Failure, UncallablePort, check_port};
use hyper::Uri;
use hyper::http::uri::Scheme;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::address::{AllowList, ForbiddenAddress};
use crate::phases::note_connected;
use crate::resolver::{Resolve, ResolveError};
use crate::stream::Stream;
use crate::wire::Wire;

#[cfg(test)]
mod tests;

/// A name with more addresses than this has only the first ones dialled; all of them are judged.
const ADDRESSES_DIALLED_MAX: u32 = 8;

/// Connects for the HTTP client, which keeps connections by scheme and authority.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Guard>);

/// What every connection is made with.
pub(crate) struct Guard {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) allowed: AllowList,
    pub(crate) tls: TlsConnector,
    /// Greatest time of each step. It bounds a connection even when nobody waits for it any more: the client finishes
    /// connecting in the background when another connection came free first.
    pub(crate) step_timeout: Duration,
    /// A permit for each connection that may be kept for a next request.
    pub(crate) kept: Arc<Semaphore>,
}

/// Why there is no connection. Nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the URL has no host")]
    NoHost,
    #[error("the host cannot be resolved")]
    Resolve(#[from] ResolveError),
    #[error("the host is refused")]
    Forbidden(#[from] ForbiddenAddress),
    #[error("the port is refused")]
    Port(#[from] UncallablePort),
    #[error("no address can be connected to")]
    Dial(#[source] io::Error),
    #[error("the host cannot be named in TLS")]
    ServerName(#[from] InvalidDnsNameError),
    #[error("TLS is not agreed")]
    Handshake(#[source] io::Error),
}

impl ConnectError {
    /// What it is to the attempt.
    pub(crate) const fn failure(&self) -> Failure {
        match self {
            Self::NoHost | Self::Resolve(_) => Failure::Dns,
            Self::Forbidden(_) | Self::Port(_) => Failure::ForbiddenAddress,
            Self::Dial(_) => Failure::Connect,
            Self::ServerName(_) | Self::Handshake(_) => Failure::Tls,
        }
    }
}

impl Connector {
    pub(crate) fn new(guard: Guard) -> Self {
        Self(Arc::new(guard))
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let stream = guard.connect(&uri).await?;
            note_connected();
            Ok(TokioIo::new(stream))
        })
    }
}

impl Guard {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let host = uri.host().ok_or(ConnectError::NoHost)?;
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        check_port(port)?;
        let addresses = self.vet(host).await?;
        let wire = self.dial(&addresses, port).await?;
        let stream = if is_https { self.encrypt(wire, host).await? } else { Stream::plain(wire) };
        Ok(stream.kept_by(Arc::clone(&self.kept).try_acquire_owned().ok()))
    }

    /// Finds the addresses of a host and judges all of them: one forbidden address refuses the host, because a name
    /// that mixes them is either mistaken or an attempt to be called inside.
    ///
    /// A name that only our own network could know is refused alike whether it exists or not: otherwise an organisation
    /// could ask us which of our services there are.
    async fn vet(&self, host: &str) -> Result<Vec<IpAddr>, ConnectError> {
        let addresses = match literal(host) {
            Some(address) => vec![address],
            None => match self.resolve(host).await {
                Err(_) if is_internal(host) => {
                    return Err(ForbiddenAddress { purpose: "an internal name" }.into());
                }
                resolved => resolved?,
            },
        };
        addresses.iter().try_for_each(|address| self.allowed.admit(*address))?;
        Ok(addresses)
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let resolved = timeout(self.step_timeout, self.resolver.resolve(name)).await;
        let addresses = resolved.unwrap_or(Err(ResolveError::TimedOut))?;
        if addresses.is_empty() { Err(ResolveError::Empty) } else { Ok(addresses) }
    }

    /// Connects to the first address that answers. Each may use an even share of the time left, so one that swallows
    /// packets does not cost the others their turn.
    async fn dial(&self, addresses: &[IpAddr], port: u16) -> Result<Wire, ConnectError> {
        let count =
            u32::try_from(addresses.len()).map_or(ADDRESSES_DIALLED_MAX, |n| n.min(ADDRESSES_DIALLED_MAX));
        let deadline = Instant::now() + self.step_timeout;
        let mut failure = io::Error::from(io::ErrorKind::TimedOut);
        for (address, waiting) in addresses.iter().zip((1..=count).rev()) {
            let share = deadline.saturating_duration_since(Instant::now()) / waiting;
            match timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
                Ok(Ok(socket)) => return self.admit(socket),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(ConnectError::Dial(failure))
    }

    /// Judges whom a socket is really connected to, in case something between rewrote it.
    fn admit(&self, socket: TcpStream) -> Result<Wire, ConnectError> {
        let peer = socket.peer_addr().map_err(ConnectError::Dial)?;
        self.allowed.admit(peer.ip())?;
        // Head and body leave in one write; waiting for more would only delay them.
        socket.set_nodelay(true).map_err(ConnectError::Dial)?;
        Ok(Wire::new(socket))
    }

    async fn encrypt(&self, wire: Wire, host: &str) -> Result<Stream, ConnectError> {
        let name = ServerName::try_from(bare(host).to_owned())?;
        let stream = timeout(self.step_timeout, self.tls.connect(name, wire))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(ConnectError::Handshake)?;
        Ok(Stream::encrypted(stream))
    }
}

/// Whether a name is one that the public DNS does not have: a single label, or one of the domains for private use.
///
/// Source: RFC 6762 (`local`, and appendix G for what is in use besides), RFC 8375, ICANN's resolution on `internal`.
fn is_internal(host: &str) -> bool {
    const PRIVATE: [&str; 9] =
        ["corp", "home", "home.arpa", "internal", "intranet", "lan", "local", "localhost", "private"];
    let name = bare(host);
    let is_within = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    !name.contains('.') || PRIVATE.into_iter().any(is_within)
}

/// The address that a host is, when it is one. Odd notations were normalised when the URL was parsed.
fn literal(host: &str) -> Option<IpAddr> {
    bare(host).parse().ok()
}

/// A host without the brackets of an IPv6 address and without the dot of the root, which no certificate has.
fn bare(host: &str) -> &str {
    let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    unbracketed.unwrap_or_else(|| host.strip_suffix('.').unwrap_or(host))
}
