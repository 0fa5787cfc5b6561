//! A plain HTTP/1.1 client for what our own servers offer: RabbitMQ's management, health endpoints, metrics.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Position, Url};

/// One deadline over connect, request and answer. Creating a virtual host on a busy broker takes seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; every server asked here answers in UTF-8.
    pub body: String,
}

/// Asks for a page.
///
/// # Errors
/// When no answer was had; any status is an answer.
pub async fn get(url: &str) -> Result<Response> {
    call(Method::GET, url, String::new()).await
}

/// Calls a server and reads the whole answer.
///
/// * `url`: `http` with host and port; its user and password, if any, are sent as Basic authorization.
/// * `body`: JSON, or empty.
///
/// # Errors
/// When no answer was had within a minute; any status is an answer.
pub async fn call(method: Method, url: &str, body: String) -> Result<Response> {
    let parsed = Url::parse(url).context("parse the URL")?;
    let authorization = parsed.password().map(|password| basic(parsed.username(), password));
    ask(method, &parsed, body, authorization).await
}

async fn ask(method: Method, url: &Url, body: String, authorization: Option<String>) -> Result<Response> {
    let what = format!("{method} {}", url.path());
    timeout(CALL_TIMEOUT, exchange(method, url, body, authorization))
        .await
        .with_context(|| format!("no answer within {CALL_TIMEOUT:?}: {what}"))?
        .with_context(|| what)
}

async fn exchange(
    method: Method,
    url: &Url,
    body: String,
    authorization: Option<String>,
) -> Result<Response> {
    let request = Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(CONTENT_TYPE, "application/json");
    let request = match authorization {
        Some(authorization) => request.header(AUTHORIZATION, authorization),
        None => request,
    };
    let (head, body) = send(url, request.body(Full::new(Bytes::from(body)))?).await?.into_parts();
    let body = String::from_utf8(body.to_vec())?;
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
}

/// Sends a request over a connection of its own and reads the whole answer.
///
/// * `url`: `http` with host and port; where to connect.
/// * `request`: its target is a path; the header `Host` is added.
///
/// # Errors
/// When no answer was had.
pub async fn send(url: &Url, mut request: Request<Full<Bytes>>) -> Result<hyper::Response<Bytes>> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        bail!("the URL has no host or port");
    };
    let stream = TcpStream::connect((host, port)).await.context("connect")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    request.headers_mut().insert(HOST, format!("{host}:{port}").parse()?);
    let talk = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        anyhow::Ok(hyper::Response::from_parts(head, body.collect().await?.to_bytes()))
    };
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        // The connection may end with the last byte of the answer, which is then there to be read.
        ended = connection => { ended?; talk.await }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
