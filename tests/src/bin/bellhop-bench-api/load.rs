//! Callers that ask, wait for the answer, and ask again.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_producer::{EventId, Mode, NewEvent, Producer};
use bellhop_tests::appointment::{APPOINTMENT, SCHEDULED};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::Conditions;
use crate::stage::Stage;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// A webhook is read.
    Webhook,
    /// An event is published over HTTP, each with an id of its own.
    Event,
    /// An event is published on the broker, with the Rust library.
    EventOnTheBroker,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Load {
    /// How long each took, in no order.
    pub(crate) times: Vec<Duration>,
    /// How long all took together.
    pub(crate) took: Duration,
}

/// Has all callers ask until the time is over; each finishes what it has begun.
///
/// * `run`: part of the events' ids, which must not repeat: what was published before is not published again.
pub(crate) async fn run(stage: &Stage, conditions: Conditions, asked: Asked, run: &str) -> Result<Load> {
    let began = Instant::now();
    let until = began + Duration::from_secs(conditions.seconds as u64);
    let callers = (0..conditions.callers).map(|caller| async move {
        let ids = format!("{run}-{caller}");
        match asked {
            Asked::EventOnTheBroker => publish(&stage.producer, &ids, until).await,
            Asked::Webhook | Asked::Event => call(stage, asked, &ids, until).await,
        }
    });
    let times = try_join_all(callers).await?.concat();
    Ok(Load { times, took: began.elapsed() })
}

async fn call(stage: &Stage, asked: Asked, ids: &str, until: Instant) -> Result<Vec<Duration>> {
    let mut sender = connect(stage.api).await?;
    let mut times = Vec::new();
    while Instant::now() < until {
        let request = request(stage, asked, &format!("{ids}-{}", times.len()))?;
        let began = Instant::now();
        let response = sender.send_request(request).await.context("ask the API")?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        times.push(began.elapsed());
        ensure!(status.is_success(), "the API answers {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(times)
}

async fn publish(producer: &Producer, ids: &str, until: Instant) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let id: EventId = format!("{ids}-{}", times.len()).parse()?;
        let now = OffsetDateTime::now_utc();
        let event = NewEvent::with_id(&id, &SCHEDULED.parse()?, Mode::Test, now, APPOINTMENT)?;
        producer.publish(&event).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn request(stage: &Stage, asked: Asked, id: &str) -> Result<Request<Full<Bytes>>> {
    let request = Request::builder().header(HOST, stage.api.to_string()).header(AUTHORIZATION, &stage.key);
    let request = match asked {
        Asked::Webhook => {
            let path = format!("/v1/webhooks/{}", stage.webhook);
            request.uri(path).body(Full::default())?
        }
        Asked::Event | Asked::EventOnTheBroker => {
            let body = format!(r#"{{"id":"{id}","type":"{SCHEDULED}","data":{APPOINTMENT}}}"#);
            let request = request.method("POST").uri("/v1/events").header(CONTENT_TYPE, "application/json");
            request.body(Full::new(Bytes::from(body)))?
        }
    };
    Ok(request)
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("connect to the API")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
