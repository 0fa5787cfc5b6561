//! RabbitMQ's management API: a few questions, each within a bound of time and size.

mod answer;
#[cfg(test)]
pub(super) use answer::ExchangeType;
pub(super) use answer::{Binding, Exchange, Node, Overview, Permission, Policy, Queue, TopicPermission};

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{AUTHORIZATION, DATE, HeaderMap};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::{ClientConfig, RootCertStore};
use serde::de::{DeserializeOwned, IgnoredAny};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::command::doctor::clocks::Skew;
use crate::command::doctor::finding::{Finding, Subject};
use crate::config::ManagementAddress;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for the first answer, which costs the broker nothing.
const FIRST_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for each other answer. RabbitMQ 3.10 takes up to 40 s to list queues while a node is down.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Greatest size of an answer: tens of thousands of queues or bindings.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is asked of each queue; the rest of a listing is many times larger.
const QUEUE_COLUMNS: &str = "name,arguments,leader,members,online,messages";

/// A client of the management API.
pub(super) struct Management {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    root: String,
    authorization: String,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManagementError {
    /// User or password is wrong, or the user lacks the tag that the question needs.
    #[error("it refused our user")]
    Refused,
    /// What was asked for does not exist.
    #[error("it answered 404 for `{0}`")]
    NotFound(String),
    /// Anything else.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// An answer, or why there is none.
pub(super) struct Told<T>(Result<T, ManagementError>);

/// What the management API told.
pub(super) struct Facts {
    pub(super) overview: Told<Overview>,
    pub(super) nodes: Told<Vec<Node>>,
    pub(super) queues: Told<Vec<Queue>>,
    pub(super) exchanges: Told<Vec<Exchange>>,
    pub(super) bindings: Told<Vec<Binding>>,
    pub(super) policies: Told<Vec<Policy>>,
    pub(super) operator_policies: Told<Vec<Policy>>,
    pub(super) permissions: Told<Vec<Permission>>,
    pub(super) topic_permissions: Told<Vec<TopicPermission>>,
    /// How far the broker's clock is from ours, when it told.
    pub(super) skew: Option<Skew>,
}

impl<T> Told<T> {
    /// The answer.
    pub(super) fn value(&self) -> Option<&T> {
        self.0.as_ref().ok()
    }

    /// Why there is no answer.
    pub(super) fn error(&self) -> Option<&ManagementError> {
        self.0.as_ref().err()
    }

    /// Judges the answer; none at all is a problem.
    pub(super) fn judge(
        &self,
        subject: Subject,
        asked: &str,
        judge: impl FnOnce(&T) -> Vec<Finding>,
    ) -> Vec<Finding> {
        match &self.0 {
            Ok(value) => judge(value),
            Err(error) => vec![Finding::problem(
                subject,
                format!("RabbitMQ did not tell {asked}: {error}"),
                "it could not be checked",
                "give the management user the tag `monitoring` and permissions (empty ones suffice) on the virtual host, and look into the broker's log",
            )],
        }
    }
}

impl Management {
    /// Prepares a client; nothing is connected yet.
    pub(super) fn new(address: &ManagementAddress) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.enforce_http(false);
        let builder = HttpsConnectorBuilder::new();
        let builder = if address.authorities.is_empty() {
            builder.with_webpki_roots()
        } else {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(address.authorities.iter().cloned());
            builder
                .with_tls_config(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        let credentials = STANDARD.encode(format!("{}:{}", address.user, address.password.expose()));
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            root: address.root.clone(),
            authorization: format!("Basic {credentials}"),
        }
    }

    /// Asks everything, in three rounds.
    ///
    /// * `vhost`, `user`: of the AMQP URL.
    ///
    /// # Errors
    /// [`ManagementError`] when not even the simplest question is answered.
    pub(super) async fn facts(&self, vhost: &str, user: &str) -> Result<Facts, ManagementError> {
        let asked_at = OffsetDateTime::now_utc();
        let (headers, IgnoredAny) = self.ask("whoami", FIRST_ANSWER_TIMEOUT).await?;
        let skew = told_date(&headers).map(|date| Skew::of_whole_seconds(date, asked_at));
        let (at, of) = (encoded(vhost), encoded(user));
        let (overview, nodes) = tokio::join!(self.tell("overview".to_owned()), self.tell("nodes".to_owned()));
        let (queues, exchanges, bindings) = tokio::join!(
            self.tell(format!("queues/{at}?columns={QUEUE_COLUMNS}")),
            self.tell(format!("exchanges/{at}?columns=name,type,durable,arguments")),
            self.tell(format!("bindings/{at}")),
        );
        let (policies, operator_policies, permissions, topic_permissions) = tokio::join!(
            self.tell(format!("policies/{at}")),
            self.tell(format!("operator-policies/{at}")),
            self.tell(format!("users/{of}/permissions")),
            self.tell(format!("users/{of}/topic-permissions")),
        );
        Ok(Facts {
            overview,
            nodes,
            queues,
            exchanges,
            bindings,
            policies,
            operator_policies,
            permissions,
            topic_permissions,
            skew,
        })
    }

    async fn tell<T: DeserializeOwned>(&self, path: String) -> Told<T> {
        Told(self.ask(&path, ANSWER_TIMEOUT).await.map(|(_, value)| value))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        patience: Duration,
    ) -> Result<(HeaderMap, T), ManagementError> {
        let asking = tokio::time::timeout(patience, self.fetch(path)).await;
        let fetched = asking.map_err(|_| anyhow::anyhow!("no answer within {patience:?}"));
        let (status, headers, body) = fetched.and_then(|fetched| fetched).map_err(ManagementError::Failed)?;
        match status {
            StatusCode::OK => {
                let read = serde_json::from_slice(&body).context("its answer has another form than expected");
                Ok((headers, read.map_err(ManagementError::Failed)?))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ManagementError::Refused),
            StatusCode::NOT_FOUND => Err(ManagementError::NotFound(path.to_owned())),
            other => Err(ManagementError::Failed(anyhow::anyhow!("it answered {other}"))),
        }
    }

    async fn fetch(&self, path: &str) -> Result<(StatusCode, HeaderMap, Bytes), anyhow::Error> {
        let request = Request::get(format!("{}/api/{path}", self.root))
            .header(AUTHORIZATION, &self.authorization)
            .body(Empty::new())?;
        let root = &self.root;
        let response =
            self.client.request(request).await.with_context(|| format!("no answer from {root}"))?;
        let (head, body) = response.into_parts();
        let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = read.map_err(|error| anyhow::anyhow!("its answer could not be read: {error}"))?;
        Ok((head.status, head.headers, body.to_bytes()))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn told_date(headers: &HeaderMap) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(headers.get(DATE)?.to_str().ok()?, &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_date_header_is_read() {
        let date = HeaderValue::from_static("Mon, 23 Nov 2026 13:04:58 GMT");
        let headers: HeaderMap = [(DATE, date)].into_iter().collect();
        assert_eq!(told_date(&headers).map(OffsetDateTime::unix_timestamp), Some(1_795_439_098));
        assert_eq!(told_date(&HeaderMap::new()), None);
    }

    #[test]
    fn a_virtual_host_is_one_segment_of_a_path() {
        assert_eq!(encoded("/"), "%2F");
        assert_eq!(encoded("care platform"), "care%20platform");
    }
}
