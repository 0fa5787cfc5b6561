//! One request as an endpoint received it.

use std::fmt;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Secret;
use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When its last byte arrived.
    pub arrived: Instant,
    status: Option<u16>,
}

impl Request {
    pub(crate) fn new(head: &Parts, body: Bytes, arrived: Instant) -> Self {
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: head.headers.clone(),
            body,
            arrived,
            status: None,
        }
    }

    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, which names the endpoint.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it was answered with; none while the answer is held back.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// A header's value; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The names of its headers, in alphabetical order.
    #[must_use]
    pub fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The event's id, the same on every attempt.
    #[must_use]
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Which attempt it is; 0 when it does not say.
    #[must_use]
    pub fn attempt(&self) -> u8 {
        self.header("webhook-attempt").parse().unwrap_or_default()
    }

    /// Verifies the signature as a receiver does.
    ///
    /// # Errors
    /// When a header is missing, or signature and body do not belong together.
    pub fn verify(&self, secret: &str) -> Result<()> {
        let secret: Secret = secret.parse().context("the secret")?;
        let timestamp = self.header("webhook-timestamp").parse().context("`webhook-timestamp`")?;
        let signature = self.header("webhook-signature");
        ensure!(!signature.is_empty(), "`webhook-signature` is missing");
        bellhop_model::verify(&secret, self.webhook_id(), timestamp, &self.body, signature)
            .context("`webhook-signature`")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or("held".to_owned(), |status| status.to_string());
        write!(f, "{} {} attempt {}: {status}", self.path, self.webhook_id(), self.attempt())
    }
}
