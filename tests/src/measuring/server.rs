//! A server that costs as little as can be: it records nothing of its own, and its handler does the rest.

use std::future::Future;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves one address until its task is dropped.
///
/// * `tls`: for `https`.
/// * `accepted`: called for each connection.
///
/// # Errors
/// When no connection can be accepted any more.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    accepted: impl Fn(),
    handle: H,
) -> Result<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        accepted();
        let (tls, handle) = (tls.clone(), handle.clone());
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, handle).await,
                Some(tls) => {
                    // Who does not shake hands is gone.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve_connection(stream, handle).await;
                    }
                }
            }
        });
    }
}

async fn serve_connection<H, F>(stream: impl AsyncRead + AsyncWrite + Unpin, handle: H)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<Full<Bytes>>>>,
{
    // A client that goes away ends the connection; whoever counts misses what it did not send.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle)).await;
}
