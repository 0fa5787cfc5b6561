//! An endpoint under our control: an HTTP server in this process that records each request and answers as told.

mod answer;
mod request;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

pub use self::answer::{Answer, Gate};
pub use self::request::Request;
pub use self::tls::{Identity, make_identity};

use crate::patience::PATIENCE;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How an endpoint answers: decided per request.
///
/// * the request, as recorded.
/// * how many requests that path had before.
type Behaviour = Arc<dyn Fn(&Request, usize) -> Answer + Send + Sync>;

/// A server on a port of its own; it ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<()>,
}

/// A port that refuses connections, and that nobody else can take until it is opened.
#[derive(Debug)]
pub struct Closed {
    socket: TcpSocket,
    address: SocketAddr,
}

/// One path of a receiver. Each stands for one endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where its requests go.
    pub url: String,
    path: String,
    shared: Arc<Shared>,
}

/// What all connections of a receiver write to.
struct Shared {
    book: Mutex<Book>,
    changes: watch::Sender<u64>,
}

/// What was received, and what is to be answered.
#[derive(Default)]
struct Book {
    behaviours: BTreeMap<String, Behaviour>,
    requests: Vec<Request>,
    /// How many requests each path had.
    counts: BTreeMap<String, usize>,
    taken: BTreeSet<(String, String)>,
    connections: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({} requests)", self.book().requests.len())
    }
}

impl Receiver {
    /// Opens a port on 127.0.0.1 for plain HTTP.
    ///
    /// # Errors
    /// When none is free.
    pub async fn start() -> Result<Self> {
        Self::start_with("http", None).await
    }

    /// Opens a port on 127.0.0.1 for HTTP over TLS, which live webhooks demand.
    ///
    /// * returns the receiver, and in PEM the authority to trust.
    ///
    /// # Errors
    /// When none is free.
    pub async fn start_secure() -> Result<(Self, String)> {
        let Identity { acceptor, authority } = make_identity()?;
        Ok((Self::start_with("https", Some(acceptor)).await?, authority))
    }

    async fn start_with(scheme: &'static str, tls: Option<TlsAcceptor>) -> Result<Self> {
        Self::start_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open a port")?, scheme, tls)
    }

    fn start_on(listener: TcpListener, scheme: &'static str, tls: Option<TlsAcceptor>) -> Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { book: Mutex::default(), changes: watch::Sender::new(0) });
        let server = tokio::spawn(accept(listener, tls, Arc::clone(&shared)));
        Ok(Self { address, scheme, shared, _server: AbortOnDropHandle::new(server) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An endpoint that answers every request alike.
    #[must_use]
    pub fn endpoint(&self, name: &str, answer: Answer) -> Endpoint {
        self.endpoint_by(name, move |_, _| answer.clone())
    }

    /// An endpoint that answers its first requests as listed, and further ones like the last listed.
    #[must_use]
    pub fn endpoint_in_turn(&self, name: &str, answers: Vec<Answer>) -> Endpoint {
        self.endpoint_by(name, move |_, earlier| {
            answers.get(earlier).or(answers.last()).cloned().unwrap_or(Answer::status(200))
        })
    }

    /// An endpoint that decides for each request.
    ///
    /// * `decide`: gets the request and how many the endpoint had before.
    #[must_use]
    pub fn endpoint_by(
        &self,
        name: &str,
        decide: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Endpoint {
        let path = format!("/{name}");
        self.shared.book().behaviours.insert(path.clone(), Arc::new(decide));
        let url = format!("{}://{}{path}", self.scheme, self.address);
        Endpoint { url, path, shared: Arc::clone(&self.shared) }
    }

    /// How many connections were opened, whatever was said on them: an `https` URL shows here and nowhere else.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.book().connections
    }

    /// Every request of every endpoint, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.book().requests.clone()
    }

    /// How many requests came, at whatever endpoint.
    #[must_use]
    pub fn received(&self) -> usize {
        self.shared.book().requests.len()
    }

    /// Waits until so many (endpoint, event) pairs have been answered with success.
    ///
    /// # Errors
    /// When the deadline passes.
    pub async fn await_taken(&self, pairs: usize) -> Result<()> {
        self.shared.until(|book| pairs <= book.taken.len()).await
    }

    /// How many (endpoint, event) pairs have been answered with success.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.shared.book().taken.len()
    }
}

impl Closed {
    /// Takes a port on 127.0.0.1, and refuses whoever connects.
    ///
    /// # Errors
    /// When none is free.
    pub fn take() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).context("take a port")?;
        Ok(Self { address: socket.local_addr()?, socket })
    }

    /// Where the endpoint of a name will be.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// When the port cannot be listened at.
    pub fn open(self) -> Result<Receiver> {
        Receiver::start_on(self.socket.listen(BACKLOG)?, "http", None)
    }
}

impl Endpoint {
    /// Its requests in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.book().of(&self.path).cloned().collect()
    }

    /// Waits until it had so many requests, and gives them.
    ///
    /// # Errors
    /// When the deadline passes.
    pub async fn await_requests(&self, count: usize) -> Result<Vec<Request>> {
        self.shared.until(|book| count <= book.of(&self.path).count()).await?;
        Ok(self.requests())
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, write: impl FnOnce(&mut Book) -> T) -> T {
        let written = write(&mut self.book());
        self.changes.send_modify(|changes| *changes += 1);
        written
    }

    /// Waits until the book satisfies a condition; the deadline starts anew with each change.
    async fn until(&self, is_satisfied: impl Fn(&Book) -> bool) -> Result<()> {
        let mut changes = self.changes.subscribe();
        while !is_satisfied(&self.book()) {
            if timeout(PATIENCE, changes.changed()).await.is_err() {
                bail!("nothing happened for {PATIENCE:?}; received so far:\n{}", self.book().summary());
            }
        }
        Ok(())
    }

    /// Records a request and finds out how to answer it. A path that nobody made is answered with 404.
    fn record(&self, request: &Request) -> (usize, Answer) {
        let (behaviour, earlier, number) = self.change(|book| {
            let count = book.counts.entry(request.path().to_owned()).or_default();
            let earlier = *count;
            *count += 1;
            book.requests.push(request.clone());
            (book.behaviours.get(request.path()).cloned(), earlier, book.requests.len() - 1)
        });
        let answer = behaviour.map_or(Answer::status(404), |decide| decide(request, earlier));
        (number, answer)
    }

    /// Notes what a request is answered with, just before it is.
    fn note_answer(&self, number: usize, status: u16) {
        self.change(|book| {
            let request = &mut book.requests[number];
            request.answered(status);
            if (200..300).contains(&status) {
                let pair = (request.path().to_owned(), request.webhook_id().to_owned());
                book.taken.insert(pair);
            }
        });
    }
}

impl Book {
    fn of<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Request> {
        self.requests.iter().filter(move |request| request.path() == path)
    }

    /// The last requests, for a failure.
    fn summary(&self) -> String {
        let last = &self.requests[self.requests.len().saturating_sub(20)..];
        let lines: Vec<String> = last.iter().map(ToString::to_string).collect();
        format!("{} requests in all\n{}", self.requests.len(), lines.join("\n"))
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.change(|book| book.connections += 1);
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            match tls {
                None => serve(stream, shared).await,
                // A client that distrusts the certificate goes away here.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, shared).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection. How it ends is the client's business: a killed worker leaves half a request behind.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(respond(request, &shared).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: hyper::Request<Incoming>, shared: &Shared) -> hyper::Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // The client went away in the middle: nobody reads what is answered.
        return hyper::Response::new(Full::default());
    };
    let (number, answer) = shared.record(&Request::new(&head, body.to_bytes(), Instant::now()));
    answer.hold().await;
    shared.note_answer(number, answer.code());
    answer.render()
}
