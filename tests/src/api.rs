//! A `bellhop api` process, and callers of it.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request};
use serde_json::Value;
use url::Url;

use crate::http;
use crate::patience::within;
use crate::program::Program;
use crate::worker::{Logs, Worker};

/// The line by which the API tells where it listens.
const SERVING: &str = "serving the API";

/// What every answer carries beside its content.
const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
];

/// An API that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Api {
    /// The process.
    pub process: Worker,
    url: Url,
}

/// A request that is being put together.
#[derive(Debug, Clone)]
pub struct Call {
    url: Url,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null when there is none.
    pub body: Value,
}

impl Api {
    /// Starts an API and waits until it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start(program: &Program, logs: Logs) -> Result<Self> {
        let program = match program.variable("BELLHOP_API_LISTEN") {
            Some(_) => program.clone(),
            None => program.clone().with("BELLHOP_API_LISTEN", "127.0.0.1:0"),
        };
        let process = Worker::launch_command(&program, "api", logs).await?;
        let line = process.logs().await_line(SERVING).await?;
        let address = crate::worker::field(&line, "address").context("the line names no address")?;
        process.await_ready().await?;
        Ok(Self { process, url: format!("http://{address}").parse()? })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A request.
    ///
    /// * `path`: with its query, if any.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::to(&self.url, method, path)
    }

    /// A request to read something, by who has a key.
    #[must_use]
    pub fn get(&self, key: &str, path: &str) -> Call {
        self.call(Method::GET, path).by(key)
    }

    /// A request to do something, by who has a key.
    #[must_use]
    pub fn post(&self, key: &str, path: &str, body: &Value) -> Call {
        self.call(Method::POST, path).by(key).json(body)
    }
}

impl Call {
    /// A request to an API that listens somewhere.
    ///
    /// * `path`: with its query, if any.
    #[must_use]
    pub fn to(url: &Url, method: Method, path: &str) -> Self {
        Self { url: url.clone(), method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// The same by who has a key.
    #[must_use]
    pub fn by(self, key: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), key)
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string()).header(CONTENT_TYPE.as_str(), "application/json")
    }

    /// The same with a body of anything.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// When no answer was had; any status is an answer.
    pub async fn send(self) -> Result<Answer> {
        let what = format!("{} {}", self.method, self.path);
        let mut request = Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).with_context(|| what.clone())?;
        let response = within(&what, http::send(&self.url, request)).await?.with_context(|| what.clone())?;
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec())?;
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, text, body };
        answer.ensure_decent().with_context(|| format!("{what}: {answer:?}"))?;
        Ok(answer)
    }

    /// Sends it and insists on a status.
    ///
    /// # Errors
    /// With what was answered instead.
    pub async fn expect(self, status: u16) -> Result<Answer> {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send().await?;
        ensure!(
            answer.status == status,
            "{what} answered {} instead of {status}: {}",
            answer.status,
            answer.text
        );
        Ok(answer)
    }
}

impl Answer {
    /// A header's value; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text in the body.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn text_of(&self, name: &str) -> Result<String> {
        let text = self.body[name].as_str().with_context(|| format!("no text `{name}` in {}", self.text))?;
        Ok(text.to_owned())
    }

    /// The fields that a problem names.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }

    /// Insists on what every answer has: an id, security headers, and of a refusal the form of RFC 9457.
    fn ensure_decent(&self) -> Result<()> {
        ensure!(self.status < 500 || self.status == 503, "a fault of ours");
        ensure!(!self.header("x-request-id").is_empty(), "no request id");
        for (name, value) in SECURITY_HEADERS {
            ensure!(self.header(name) == value, "`{name}` is `{}`", self.header(name));
        }
        if self.status < 400 {
            return Ok(());
        }
        ensure!(self.header("content-type") == "application/problem+json");
        ensure!(self.body["status"] == self.status, "the problem tells another status");
        for name in ["type", "title", "detail"] {
            ensure!(self.body[name].as_str().is_some_and(|text| !text.is_empty()), "no `{name}`");
        }
        ensure!(self.body["requestId"] == self.header("x-request-id"), "two request ids");
        Ok(())
    }
}
