//! The sink: every endpoint in one process. It answers 200 at once and counts.

mod tally;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_tests::measuring::event::now_ns;
use bellhop_tests::measuring::server::serve;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::timeout;

pub(crate) use self::tally::{Arrivals, Expected};

use self::tally::{Arrival, Tally};

/// How long one question about arrivals is held open; below what the asker waits for an answer.
const HOLD_TIMEOUT: Duration = Duration::from_secs(20);

/// What a sink is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// How many servers to be, each on a port of its own: connections are pooled by host and port.
    pub(crate) endpoints: usize,
}

/// What it prints when it listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// Where it is told what to expect and asked what came.
    pub(crate) control: SocketAddr,
    /// Where requests go; the path is `/<organisation's number>/<webhook's number>`.
    pub(crate) endpoints: Vec<SocketAddr>,
}

/// Shared by all connections, which one thread serves.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Tally>>);

/// Serves until it is killed.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let sink = Sink::default();
    let control = TcpListener::bind("127.0.0.1:0").await?;
    let mut listening = Listening { control: control.local_addr()?, endpoints: Vec::new() };
    for _ in 0..plan.endpoints {
        let endpoint = TcpListener::bind("127.0.0.1:0").await?;
        listening.endpoints.push(endpoint.local_addr()?);
        let (accepting, sink) = (sink.clone(), sink.clone());
        let handle = move |request| {
            let sink = sink.clone();
            async move { sink.receive(request).await }
        };
        tokio::spawn(serve(endpoint, None, move || accepting.tally().count_connection(), handle));
    }
    println!("{}", serde_json::to_string(&listening)?);
    let handle = move |request| {
        let sink = sink.clone();
        async move { sink.answer(request).await }
    };
    serve(control, None, || {}, handle).await
}

impl Sink {
    /// Takes one delivery.
    async fn receive(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes().len();
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let arrival = Arrival {
            path: head.uri.path(),
            id: header("webhook-id"),
            is_signed: header("webhook-signature").starts_with("v1,"),
            bytes,
            at_ns: now_ns(),
        };
        self.tally().count(&arrival);
        Ok(Response::new(Full::default()))
    }

    /// `/begin` with an [`Expected`] forgets everything before; `/await/<count>` answers when as many distinct
    /// deliveries have come, or in 20 s, with the [`Arrivals`] so far.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let path = request.uri().path().to_owned();
        if let Some(count) = path.strip_prefix("/await/") {
            let reached = self.tally().reached(count.parse().context("await how many?")?);
            // Whether it came in time is in the answer.
            let _ = timeout(HOLD_TIMEOUT, reached).await;
        } else {
            let expected: Expected =
                serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
            *self.tally() = Tally::expecting(expected);
        }
        let arrivals = serde_json::to_vec(&self.tally().arrivals())?;
        Ok(Response::new(Full::from(arrivals)))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
