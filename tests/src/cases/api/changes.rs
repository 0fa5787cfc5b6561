//! A change over HTTP reaches every worker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::ground::Ground;
use crate::amqp::{Amqp, Message};
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::patience::{PATIENCE, eventually};
use crate::receiver::{Answer, Receiver, Request};
use crate::worker::Worker;

/// What is promised.
const HOLDS_WITHIN: Duration = Duration::from_secs(5);

/// Events published in one go; both workers take of them.
const BATCH: usize = 40;

/// A figure that grows when a worker looks for whom an event is, and has them in memory.
const MEMORY_HIT: &str = r#"bellhop_store_events_total{event="memory_hit"}"#;

/// Workers that deliver all the time to a webhook which is changed, and to one which is not: that one shows which events were
/// taken, although the other may want none of them.
struct Flow {
    amqp: Amqp,
    workers: [Worker; 2],
    control: Receiver,
    subject: Receiver,
    published: usize,
}

/// A change, and what it makes of events.
struct Change {
    what: &'static str,
    method: Method,
    /// Behind the webhook's own path.
    path: &'static str,
    body: fn(&Receiver) -> Value,
    /// Where each event is sent from then on; nowhere if none.
    sent_to: Option<&'static str>,
    /// Whether a request is as it was before, given the secret of before.
    is_stale: fn(&Request, &str) -> bool,
}

const CHANGES: [Change; 7] = [
    Change {
        what: "another payload",
        method: Method::PATCH,
        path: "",
        body: |_| json!({ "payload": "id_only", "expand": [] }),
        sent_to: Some("/before"),
        is_stale: |request, _| String::from_utf8_lossy(&request.body).contains("organisationId"),
    },
    Change {
        what: "a rotation without overlap",
        method: Method::POST,
        path: "/secret/rotate",
        body: |_| json!({ "overlapSeconds": 0 }),
        sent_to: Some("/before"),
        is_stale: |request, secret| request.verify(secret).is_ok(),
    },
    Change {
        what: "another URL",
        method: Method::PATCH,
        path: "",
        body: |receiver| json!({ "url": receiver.endpoint("after", Answer::status(200)).url }),
        sent_to: Some("/after"),
        is_stale: |_, _| false,
    },
    change_of("being disabled", Method::POST, "/disable", |_| json!({}), None),
    change_of("being enabled", Method::POST, "/enable", |_| json!({}), Some("/after")),
    change_of("other events", Method::PATCH, "", |_| json!({ "events": ["visit.signed"] }), None),
    change_of("being deleted", Method::DELETE, "", |_| Value::Null, None),
];

/// A change of whether events are sent, not of how.
const fn change_of(
    what: &'static str,
    method: Method,
    path: &'static str,
    body: fn(&Receiver) -> Value,
    sent_to: Option<&'static str>,
) -> Change {
    Change { what, method, path, body, sent_to, is_stale: |_, _| false }
}

/// Every kind of change, one after the other, while two workers deliver without a pause: from 5 s after the answer on, both
/// take events, and no event goes as before.
pub async fn every_change_reaches_every_worker_within_5_s(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (subject, control) = (context.receiver().await?, context.receiver().await?);
    ground.create(&control.endpoint("control", Answer::status(200)).url).await?;
    let created = ground.create(&subject.endpoint("before", Answer::status(200)).url).await?;
    let path = format!("/v1/webhooks/{}", created["id"].as_str().context("an id")?);
    let mut secret = created["secret"].as_str().context("a secret")?.to_owned();
    let workers = [ground.site.worker().await?, ground.site.worker().await?];
    let mut flow = Flow { amqp: ground.site.amqp().await?, workers, control, subject, published: 0 };
    flow.until_both_took().await?;
    for change in &CHANGES {
        if change.method == Method::DELETE {
            // Its events are wanted again, so that what is deleted is delivered to.
            let wanted = json!({ "events": [SCHEDULED] });
            ground.api.call(Method::PATCH, &path).by(&ground.key).json(&wanted).expect(200).await?;
            flow.until_sent_to("/after").await?;
        }
        let body = (change.body)(&flow.subject);
        let call = ground.api.call(change.method.clone(), &format!("{path}{}", change.path)).by(&ground.key);
        let (call, status) = if body.is_null() { (call, 204) } else { (call.json(&body), 200) };
        let answer = call.expect(status).await?;
        let lag = flow.lag(change, &secret, Instant::now()).await.with_context(|| change.what)?;
        println!("{} held everywhere {} ms after it was answered", change.what, lag.as_millis());
        if let Some(new) = answer.body["secret"].as_str() {
            new.clone_into(&mut secret);
        }
    }
    Ok(())
}

impl Flow {
    /// Publishes without a pause until the bound is over, and until both workers have taken events after it.
    ///
    /// * returns how long after the change the last event went as before.
    async fn lag(&mut self, change: &Change, secret: &str, changed_at: Instant) -> Result<Duration> {
        while changed_at.elapsed() <= HOLDS_WITHIN {
            self.publish().await?;
        }
        self.until_both_took().await?;
        if let Some(path) = change.sent_to {
            self.until_sent_to(path).await?;
        }
        // What is on its way to the one webhook when the other has it already is there in a moment.
        eventually("the change to hold", async || {
            let lag = self.last_as_before(change, secret, changed_at);
            ensure!(lag < HOLDS_WITHIN, "an event went as before {lag:?} after the answer");
            Ok(Some(lag))
        })
        .await
    }

    /// How long after the change the last event went as before it.
    fn last_as_before(&self, change: &Change, secret: &str, changed_at: Instant) -> Duration {
        let since = |requests: Vec<Request>| -> Vec<Request> {
            requests.into_iter().filter(|request| changed_at < request.arrived).collect()
        };
        let (sent, taken) = (since(self.subject.requests()), since(self.control.requests()));
        let as_before =
            |request: &&Request| Some(request.path()) != change.sent_to || (change.is_stale)(request, secret);
        let ids: BTreeSet<&str> = sent.iter().map(Request::webhook_id).collect();
        let not_sent =
            taken.iter().filter(|request| change.sent_to.is_some() && !ids.contains(request.webhook_id()));
        let last = sent.iter().filter(as_before).chain(not_sent).map(|request| request.arrived).max();
        last.map_or(Duration::ZERO, |last| last - changed_at)
    }

    /// Publishes until each worker has taken more events than it had.
    async fn until_both_took(&mut self) -> Result<()> {
        let mut had = Vec::new();
        for worker in &self.workers {
            had.push(worker.figure(MEMORY_HIT).await?);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut waiting: BTreeSet<usize> = (0..self.workers.len()).collect();
        while !waiting.is_empty() {
            ensure!(Instant::now() < deadline, "worker {waiting:?} takes nothing");
            self.publish().await?;
            for (number, worker) in self.workers.iter().enumerate() {
                if had[number] < worker.figure(MEMORY_HIT).await? {
                    waiting.remove(&number);
                }
            }
        }
        Ok(())
    }

    /// Publishes batches until one is sent to a path of the changed webhook, all of it.
    async fn until_sent_to(&mut self, path: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            ensure!(Instant::now() < deadline, "events are not sent to {path}");
            let batch = self.publish().await?;
            let requests = self.subject.requests();
            let sent = requests.iter().filter(|request| request.path() == path).map(Request::webhook_id);
            let sent: BTreeSet<&str> = sent.collect();
            // One of each batch may still be on its way when the control has it; of some batch none is.
            if batch.iter().all(|id| sent.contains(&**id)) {
                return Ok(());
            }
        }
    }

    /// Publishes a batch, and waits until the control has all of it.
    ///
    /// * returns the events' ids.
    async fn publish(&mut self) -> Result<Vec<String>> {
        let ids: Vec<String> =
            (self.published..self.published + BATCH).map(|number| format!("evt-{number}")).collect();
        self.published += BATCH;
        let event = |id: &String| Message::event("test", SCHEDULED, id, APPOINTMENT);
        self.amqp.publish_all(&ids.iter().map(event).collect::<Vec<_>>()).await?;
        self.control.await_taken(self.published).await?;
        Ok(ids)
    }
}
