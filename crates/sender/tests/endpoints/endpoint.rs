//! Endpoints that follow a script, and a sender that may call them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bellhop_model::{EndpointUrl, Mode, Outcome};
use bellhop_sender::address::AllowList;
use bellhop_sender::{Exchange, HeaderName, HeaderValue, Request, Sender, SenderOptions};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const PAYLOAD: &[u8] = br#"{"data":{"id":"apt_1"}}"#;

/// A server on loopback; it ends with the value.
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Endpoint {
    /// Serves every connection with `script`.
    pub(crate) async fn serve<S, F>(script: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::serve_on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), script)
    }

    /// The same on a listener that the caller has opened.
    pub(crate) fn serve_on<S, F>(listener: TcpListener, script: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(script(socket));
            }
        });
        Self { port, connections, server }
    }

    /// Answers every request on a connection with the same bytes.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Bytes::from(answer.into());
        Self::serve(move |socket| answer_all(socket, answer.clone())).await
    }

    /// Answers the first request with the bytes, then closes.
    pub(crate) async fn answering_once(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Bytes::from(answer.into());
        Self::serve(move |socket| answer_one(socket, answer.clone())).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?token=secret", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) async fn answer_all(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Bytes) {
    while read_request(&mut stream).await.is_some() {
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn answer_one(mut socket: TcpStream, answer: Bytes) {
    read_request(&mut socket).await;
    // The client may have seen enough and closed.
    let _ = socket.write_all(&answer).await;
}

/// Reads one request up to the end of [`PAYLOAD`]; `None` when the client closed.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    loop {
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
        if text.ends_with(PAYLOAD) {
            return Some(String::from_utf8(text).expect("text"));
        }
    }
}

/// Options of a sender that may call loopback.
pub(crate) fn options() -> SenderOptions {
    let allowed = AllowList::parse(["127.0.0.0/8", "::1/128"]).expect("networks");
    SenderOptions { allowed, ..SenderOptions::default() }
}

pub(crate) fn sender() -> Sender {
    Sender::new(options()).expect("a sender")
}

/// A sender with a short deadline, for endpoints that exceed any.
pub(crate) fn impatient_sender() -> Sender {
    let request_timeout = Duration::from_millis(300);
    Sender::new(SenderOptions { request_timeout, step_timeout: request_timeout, ..options() })
        .expect("a sender")
}

pub(crate) async fn post(sender: &Sender, url: &str) -> Exchange {
    post_body(sender, url, Bytes::from_static(PAYLOAD)).await
}

/// Posts a body, which ends in [`PAYLOAD`].
pub(crate) async fn post_body(sender: &Sender, url: &str, body: Bytes) -> Exchange {
    let url = EndpointUrl::parse(url, Mode::Test).expect(url);
    let headers = vec![(HeaderName::from_static("webhook-id"), HeaderValue::from_static("evt_1"))];
    sender.send(Request::new(&url, Mode::Test, headers, body).expect("a request")).await
}

pub(crate) async fn outcome(sender: &Sender, url: &str) -> Outcome {
    post(sender, url).await.outcome
}
