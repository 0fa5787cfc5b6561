//! The sink: every endpoint in one process, good and bad. What it does with a request is in the path; it counts, and leaves
//! the sums to who asks.
//!
//! One plain server stands for all hosts: each webhook has an address of its own within 127.0.0.0/8, so that connections
//! and breakers of one are none of another's.

mod tally;

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::measuring::event::now_ns;
use bellhop_tests::measuring::server::serve;
use bellhop_tests::receiver::{Identity, make_identity};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub(crate) use self::tally::{Expected, Run, RunTally, Seen, TallyTold};

use self::tally::{Arrival, Delivery, Tally};
use crate::webhook::Conduct;

/// How long one question about arrivals is held open; below what the asker waits for an answer.
const HOLD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the slow take to answer. Below the worker's deadline, so that each delivery succeeds.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

/// How many requests the one with few hands serves at once, and how long each takes: 320 in a second.
pub(crate) const HANDS: u32 = 16;
pub(crate) const HANDLING: Duration = Duration::from_millis(50);

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4_096;

/// What a sink is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// How many servers speak TLS, each on a port of its own.
    pub(crate) secure: usize,
    /// Where it writes the authority to trust, in PEM.
    pub(crate) authority: PathBuf,
}

/// What it prints when it listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// Where it is told what to expect and asked what came.
    pub(crate) control: SocketAddr,
    /// The port of the plain server, on every loopback address.
    pub(crate) plain: u16,
    /// A port that refuses, on every loopback address.
    pub(crate) refusing: u16,
    /// The ports of those that speak TLS, on 127.0.0.1.
    pub(crate) secure: Vec<u16>,
}

/// Shared by all connections, which one thread serves.
#[derive(Clone)]
struct Sink {
    tally: Arc<Mutex<Tally>>,
    hands: Arc<Semaphore>,
}

/// Serves until it is killed.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let hands = Arc::new(Semaphore::new(usize::try_from(HANDS)?));
    let sink = Sink { tally: Arc::default(), hands };
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let plain = listen(Ipv4Addr::UNSPECIFIED)?;
    // Bound and never listening: whoever connects is refused, and nobody else can take the port.
    let refusing = TcpSocket::new_v4()?;
    refusing.bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
    let Identity { acceptor, authority } = make_identity()?;
    std::fs::write(&plan.authority, authority)?;
    let mut listening = Listening {
        control: control.local_addr()?,
        plain: plain.local_addr()?.port(),
        refusing: refusing.local_addr()?.port(),
        secure: Vec::new(),
    };
    let receive = {
        let sink = sink.clone();
        move |request| {
            let sink = sink.clone();
            async move { sink.receive(request).await }
        }
    };
    tokio::spawn(serve(plain, None, || {}, receive.clone()));
    for _ in 0..plan.secure {
        let secure = listen(Ipv4Addr::LOCALHOST)?;
        listening.secure.push(secure.local_addr()?.port());
        tokio::spawn(serve(secure, Some(acceptor.clone()), || {}, receive.clone()));
    }
    println!("{}", serde_json::to_string(&listening)?);
    let answer = move |request| {
        let sink = sink.clone();
        async move { sink.answer(request).await }
    };
    serve(control, None, || {}, answer).await
}

impl Sink {
    /// Takes one delivery, or does with it what the path says.
    async fn receive(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        body.collect().await?;
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (conduct, webhook) = Conduct::read(head.uri.path()).context("nobody was to call this path")?;
        let arrival = Arrival {
            webhook,
            id: header("webhook-id"),
            attempt: header("webhook-attempt").parse().unwrap_or_default(),
            is_signed: header("webhook-signature").starts_with("v1,"),
            at_ns: now_ns(),
        };
        let delivery = self.tally().count(&arrival);
        match conduct {
            Conduct::Quick => {}
            // waits: because being slow is its part.
            Conduct::Slow => sleep(SLOW).await,
            Conduct::FewHands => {
                let hand = self.hands.acquire().await?;
                // waits: because work takes time.
                sleep(HANDLING).await;
                drop(hand);
            }
            // Ends with the connection.
            Conduct::Hangs => pending().await,
            Conduct::Refuses | Conduct::Unresolvable => {}
        }
        if let Some(Delivery { run, number, published_ns }) = delivery {
            self.tally().take((run, number), published_ns, arrival.at_ns);
        }
        Ok(Response::new(Full::default()))
    }

    /// `/begin` with an [`Expected`] forgets everything before; `/await/<index>/<count>` answers when as many events of
    /// that run were taken, or in a while, with how many are; `/tally` answers with a [`TallyTold`].
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let path = request.uri().path().to_owned();
        let told = if let Some(asked) = path.strip_prefix("/await/") {
            let (index, count) = asked.split_once('/').context("await how many?")?;
            let index: usize = index.parse()?;
            let reached = self.tally().reached(index, count.parse()?);
            // Whether it came in time is in the answer.
            let _ = timeout(HOLD_TIMEOUT, reached).await;
            serde_json::to_vec(&self.tally().taken(index))?
        } else if path == "/tally" {
            serde_json::to_vec(&self.tally().told())?
        } else {
            ensure!(path == "/begin", "nobody was to ask for {path}");
            let expected: Expected =
                serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
            *self.tally() = Tally::expecting(expected);
            Vec::new()
        };
        Ok(Response::new(Full::from(told)))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(address: Ipv4Addr) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((address, 0).into())?;
    Ok(socket.listen(BACKLOG)?)
}
