//! `bellhop listen`: a local receiver for trying webhooks out.

mod answer;
mod show;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bellhop_model::Secret;
use bellhop_runtime::shutdown::Shutdown;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::answer::{Answers, Sequence};
use self::show::{Received, judge};
use crate::failure::Failure;

/// Largest body that is read; several times what Bellhop sends.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most connections served at once; more wait.
const CONNECTIONS_MAX: usize = 512;

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to listen and what to answer.
#[derive(Debug, Args)]
pub(crate) struct ListenArguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// A webhook's secret (whsec_…) to verify signatures with; repeat for several webhooks.
    #[arg(long = "secret", value_name = "SECRET", value_parser = parse_secret)]
    secrets: Vec<Secret>,
    /// Answer every request with this status.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=999))]
    status: u16,
    /// Answer one request after the other with these statuses, then go on with the last: 500,500,200.
    #[arg(long, value_name = "STATUS,…", conflicts_with = "status")]
    sequence: Option<Sequence>,
    /// Wait this long before answering: 2s, 500ms.
    #[arg(long, value_name = "DURATION", value_parser = parse_delay, default_value = "0s")]
    delay: Duration,
    /// Never answer.
    #[arg(long)]
    hang: bool,
    /// text for people, json (one object a line) for scripts.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// Everything a request is answered with.
struct Listener {
    secrets: Vec<Secret>,
    answers: Answers,
    delay: Duration,
    hangs: bool,
    output: Output,
    received: AtomicUsize,
}

/// Receives until told to stop.
pub(super) async fn run(arguments: ListenArguments) -> Result<(), Failure> {
    let shutdown = Shutdown::on_signals().map_err(anyhow::Error::new)?;
    let address = SocketAddr::new(arguments.bind, arguments.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}: choose another with --port"))?;
    let address = listener.local_addr().context("failed to read the bound address")?;
    println!("listening on http://{address}");
    let answers = Answers::new(arguments.sequence.unwrap_or_else(|| Sequence::always(arguments.status)));
    let shared = Arc::new(Listener {
        secrets: arguments.secrets,
        answers,
        delay: arguments.delay,
        hangs: arguments.hang,
        output: arguments.output,
        received: AtomicUsize::new(0),
    });
    let stop = shutdown.drain_token();
    stop.run_until_cancelled(accept_all(listener, shared)).await;
    Ok(())
}

async fn accept_all(listener: TcpListener, shared: Arc<Listener>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others must close first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // A client that breaks off is its own business.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
            drop(permit);
        });
    }
}

async fn answer(
    shared: Arc<Listener>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(respond(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let body = body.to_bytes();
    let number = shared.received.fetch_add(1, Ordering::Relaxed) + 1;
    let status = shared.answers.next(&head.headers);
    let received = Received {
        number,
        head: &head,
        body: &body,
        signature: judge(&shared.secrets, &head.headers, &body),
    };
    match shared.output {
        Output::Text => println!("{}", received.as_text(status, shared.hangs)),
        Output::Json => println!("{}", received.as_json(status)),
    }
    if shared.hangs {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(shared.delay).await;
    Ok(respond(status))
}

fn respond(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn parse_secret(text: &str) -> Result<Secret, String> {
    text.parse().map_err(|error: bellhop_model::SecretError| error.to_string())
}

fn parse_delay(text: &str) -> Result<Duration, String> {
    const DELAY_MAX: Duration = Duration::from_secs(600);
    let (amount, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let amount: u64 = amount.parse().map_err(|_| "expected a duration such as 500ms or 2s".to_owned())?;
    let delay = match unit {
        "ms" => Duration::from_millis(amount),
        "s" => Duration::from_secs(amount),
        _ => return Err("expected a duration such as 500ms or 2s".to_owned()),
    };
    if DELAY_MAX < delay { Err(format!("at most {DELAY_MAX:?}")) } else { Ok(delay) }
}
