//! A visitor of the console, signed in, over a connection that is kept.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What pages load beside themselves begins so.
const ASSETS: &str = "/console/assets/";

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// A page.
    Page(String),
    /// What is new on a page.
    Refresh(String),
    /// What a form of a page answers with.
    Form(String),
    /// What the REST API answers.
    Json(String),
}

/// Somebody with a session and a key.
pub(crate) struct Visit {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    cookie: String,
    csrf: String,
    key: String,
}

impl Visit {
    /// * `cookie`: what a tab shows in which somebody is signed in.
    /// * `csrf`: what its forms carry.
    pub(crate) async fn begin(address: SocketAddr, cookie: &str, csrf: &str, key: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect to the API")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let [cookie, csrf, key] = [cookie, csrf, key].map(str::to_owned);
        Ok(Self { address, sender, cookie, csrf, key })
    }

    /// Asks for something and reads all of it.
    pub(crate) async fn ask(&mut self, asked: &Asked) -> Result<Bytes> {
        let host = self.address.to_string();
        let request = Request::builder().header(HOST, &host);
        let (method, path, request, body) = match asked {
            Asked::Page(path) => (Method::GET, path, request.header(COOKIE, &self.cookie), String::new()),
            Asked::Refresh(path) => {
                let request = request.header(COOKIE, &self.cookie).header("bellhop-refresh", "1");
                (Method::GET, path, request, String::new())
            }
            Asked::Form(path) => {
                let request = request.header(COOKIE, &self.cookie).header(ORIGIN, format!("http://{host}"));
                let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                (Method::POST, path, request, format!("csrf={}", self.csrf))
            }
            Asked::Json(path) => (Method::GET, path, request.header(AUTHORIZATION, &self.key), String::new()),
        };
        let request = request.method(method).uri(path).body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await.context("the connection has ended")?;
        let response = self.sender.send_request(request).await.with_context(|| path.clone())?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path} is answered with {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// How many bytes a page loads beside itself.
    pub(crate) async fn assets_bytes(&mut self, page: &[u8]) -> Result<usize> {
        let text = std::str::from_utf8(page)?;
        let paths =
            text.match_indices(ASSETS).map(|(at, _)| text[at..].split('"').next().unwrap_or_default());
        let paths: BTreeSet<&str> = paths.collect();
        let mut bytes = 0;
        for path in paths {
            bytes += self.ask(&Asked::Page(path.to_owned())).await?.len();
        }
        Ok(bytes)
    }
}
