//! The floor: the smallest consumer that can exist. It consumes, signs, posts on a kept connection, and acknowledges.
//!
//! It parses nothing, checks nothing, never asks who subscribes, and forgets what fails. What a worker takes beyond this
//! is the price of being right.

mod log;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bellhop_model::{EventId, Secret, Signer};
use bellhop_tests::measuring::event::now_ns;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::log::{Log, Record};

/// Whom an organisation's events go to, by organisation.
pub(crate) type Targets = BTreeMap<String, Vec<Target>>;

/// What a floor is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The broker, with its virtual host.
    pub(crate) amqp_url: String,
    /// What to consume.
    pub(crate) queue: String,
    /// Most messages in hand.
    pub(crate) prefetch: u16,
    /// Whether a record of each attempt must be with the broker before the acknowledgement.
    pub(crate) keeps_log: bool,
    /// Who gets what.
    pub(crate) targets: Targets,
}

/// A webhook, as far as the floor cares.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Where to post.
    pub(crate) url: String,
    /// What to sign with, `whsec_…`.
    pub(crate) secret: String,
}

struct Floor {
    client: Client<HttpConnector, Full<Bytes>>,
    targets: BTreeMap<String, Vec<Signed>>,
    log: Option<Log>,
}

/// A target that is ready to sign.
struct Signed {
    uri: Uri,
    signer: Signer,
}

/// Consumes until it is told to stop, then finishes what is in hand.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let connection = Connection::connect(&plan.amqp_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(plan.prefetch, BasicQosOptions::default()).await?;
    let log = if plan.keeps_log { Some(Log::start(&plan.amqp_url).await?) } else { None };
    let client = Client::builder(TokioExecutor::new()).build(connector());
    let floor = Arc::new(Floor { client, targets: signed(plan.targets)?, log });
    let mut deliveries = channel
        .basic_consume(
            plan.queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let mut terminated = signal(SignalKind::terminate())?;
    let in_hand = TaskTracker::new();
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.next() => delivery.context("the consumer was cancelled")??,
            _ = terminated.recv() => break,
        };
        let floor = Arc::clone(&floor);
        in_hand.spawn(async move {
            if let Err(error) = floor.deliver(delivery).await {
                eprintln!("{error:#}");
            }
        });
    }
    in_hand.close();
    in_hand.wait().await;
    if let Some(log) = Arc::into_inner(floor).and_then(|floor| floor.log) {
        log.finish().await?;
    }
    connection.close(200, "done".into()).await.context("close")
}

impl Floor {
    async fn deliver(&self, mut delivery: Delivery) -> Result<()> {
        let body = Bytes::from(std::mem::take(&mut delivery.data));
        let (id, targets) = self.read(&delivery)?;
        let attempts = join_all(targets.iter().map(|target| self.post(target, &id, body.clone()))).await;
        match &self.log {
            None => {
                delivery.acker.ack(BasicAckOptions::default()).await?;
            }
            Some(log) => {
                log.keep((id, body), attempts, delivery.acker).await;
            }
        }
        Ok(())
    }

    fn read(&self, delivery: &Delivery) -> Result<(EventId, &[Signed])> {
        let id = delivery.properties.message_id().as_ref().context("the message has no id")?;
        let headers = delivery.properties.headers().as_ref().context("the message has no headers")?;
        let Some(AMQPValue::LongString(organisation)) = headers.inner().get("organisation-id") else {
            anyhow::bail!("the message names no organisation");
        };
        let organisation = std::str::from_utf8(organisation.as_bytes())?;
        let targets = self.targets.get(organisation).context("nobody wants the message")?;
        Ok((id.as_str().parse()?, targets))
    }

    /// Posts once.
    ///
    /// * returns what a log would keep of it.
    async fn post(&self, target: &Signed, id: &EventId, body: Bytes) -> Record {
        let began = Instant::now();
        let timestamp = now_ns() / 1_000_000_000;
        let signature = target.signer.sign(id, timestamp.cast_signed(), &body);
        let request = Request::post(target.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature.as_str())
            .body(Full::new(body))
            .expect("ids and signatures are visible ASCII");
        let answer = async {
            let response = self.client.request(request).await.ok()?;
            let status = response.status().as_u16();
            response.into_body().collect().await.ok()?;
            Some(status)
        };
        let status = answer.await.unwrap_or_default();
        Record { signature: signature.as_str().to_owned(), status, duration: began.elapsed() }
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

fn signed(targets: Targets) -> Result<BTreeMap<String, Vec<Signed>>> {
    let sign = |target: Target| {
        let secret: Secret = target.secret.parse()?;
        Ok(Signed { uri: target.url.parse()?, signer: Signer::new(&[secret.into()]) })
    };
    let each = |(organisation, targets): (String, Vec<Target>)| {
        Ok((organisation, targets.into_iter().map(sign).collect::<Result<Vec<_>>>()?))
    };
    targets.into_iter().map(each).collect()
}
