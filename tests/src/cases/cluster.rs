//! A cluster that loses nodes: with two of three left everything goes on, with one left everything waits.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bellhop_producer::{BrokerAddress, Mode, NewEvent, Producer, ProducerError, ProducerOptions};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::account::{Account, load, load_id};
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::cases::crashes::{ENDPOINTS, IN_HAND_MAX, TAKEN_BEFORE_FAULT, endpoints};
use crate::cluster::{Cluster, Node, Queue};
use crate::context::{Context, Site};
use crate::patience::{eventually, within};
use crate::queues::owed;
use crate::receiver::Answer;

/// The queue that fresh events come from.
const EVENTS_QUEUE: &str = "bellhop.test.events.0";

/// How many events must pass while a node is away, and again when it is back.
const EVENTS_AFTER: usize = 100;

const WORKERS: usize = 2;

/// What a killed node may forget of one delivery, and hence how often an attempt may be repeated: the acknowledgement of
/// the event, that of a waiting copy, and the confirm to the producer, who then publishes the event once more.
const FORGOTTEN_MAX: usize = 3;

/// Events are published and delivered all the time: while the leader is up, while it is away, and when it is back.
pub async fn a_killed_leader_loses_nothing_and_repeats_little(context: Context) -> Result<()> {
    let cluster = context.private_cluster().await?;
    let in_hand_max = IN_HAND_MAX.to_string();
    let bounds = [
        ("BELLHOP_WORKER_FRESH_IN_FLIGHT_MAX", in_hand_max.as_str()),
        ("BELLHOP_WORKER_SLOW_IN_FLIGHT_MAX", &in_hand_max),
        ("BELLHOP_WORKER_DUE_IN_FLIGHT_MAX", &in_hand_max),
    ];
    let site = context.site_on_cluster(&cluster, &bounds).await?;
    ensure_replicated(&cluster, &site).await?;
    let receiver = endpoints(&context, &site).await?;
    let (one, other) = tokio::try_join!(site.worker(), site.worker())?;
    let leader = cluster.leader_of(site.place.virtual_host(), EVENTS_QUEUE).await?;
    let mut load = Load::start(producer_on(leader, &cluster, &site).await?, event);

    receiver.await_taken(TAKEN_BEFORE_FAULT).await?;
    cluster.kill(leader).await?;
    // All that was published before could not fill up as many deliveries: some are of events from after the kill.
    receiver.await_taken(load.await_more().await? * ENDPOINTS.len()).await?;
    cluster.revive(leader).await?;
    cluster.await_all_running().await?;
    load.await_more().await?;
    let events = load.end().await?;

    receiver.await_taken(events * ENDPOINTS.len()).await?;
    await_repeats(&cluster, &site).await?;
    one.drain().await?;
    site.ensure_nothing_owed(other).await?;
    let account = Account::of(receiver.requests());
    account.ensure_nothing_lost(events, &ENDPOINTS)?;
    account.ensure_bounded(FORGOTTEN_MAX)?;
    let repeats_max = WORKERS * (IN_HAND_MAX * ENDPOINTS.len() + 2 * IN_HAND_MAX) + ENDPOINTS.len();
    ensure!(account.repeats() <= repeats_max, "{} requests were repeated", account.repeats());
    Ok(())
}

/// How many events the broker has when it loses its quorum.
const EVENTS_BEFORE: usize = 30;

/// Long enough for a confirm on a busy machine, short enough for a case that waits for it to pass.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Two of three nodes are killed while events wait for a worker. What is published meanwhile is not confirmed.
pub async fn without_a_quorum_nothing_is_sent_and_nothing_is_lost(context: Context) -> Result<()> {
    let cluster = context.private_cluster().await?;
    let site = context.site_on_cluster(&cluster, &[]).await?;
    let receiver = context.receiver().await?;
    site.operator.add_webhook(&receiver.endpoint("hook", Answer::status(200)).url).await?;
    site.amqp().await?.publish_all(&load(EVENTS_BEFORE)).await?;
    let leader = cluster.leader_of(site.place.virtual_host(), EVENTS_QUEUE).await?;
    let [first, second] = leader.others();
    tokio::try_join!(cluster.kill(first), cluster.kill(second))?;

    let worker = site.launch_worker_as(site.operator.program()).await?;
    let producer = connect(&site, ProducerOptions { publish_timeout: PUBLISH_TIMEOUT }).await?;
    let refused = producer.publish(&event(EVENTS_BEFORE)?).await;
    ensure!(matches!(refused, Err(ProducerError::TimedOut)), "{refused:?}");
    ensure!(receiver.requests().is_empty(), "something was sent: {:?}", receiver.requests());

    cluster.revive(first).await?;
    // The last event of the queue: what is before it, perhaps a second copy of the one that was not confirmed, is in
    // hand by then.
    let events = EVENTS_BEFORE + 2;
    for number in EVENTS_BEFORE..events {
        let publish = || async { Ok(producer.publish(&event(number)?).await.ok()) };
        eventually("an event to be taken again", publish).await?;
    }
    receiver.await_taken(events).await?;
    site.ensure_nothing_owed(worker).await?;
    Account::of(receiver.requests()).ensure_nothing_lost(events, &["hook"])
}

/// Insists that every queue has a member on each node.
async fn ensure_replicated(cluster: &Cluster, site: &Site) -> Result<()> {
    let queues = cluster.queues(site.place.virtual_host()).await?;
    ensure!(queues.iter().any(|queue| queue.name == EVENTS_QUEUE), "{queues:?}");
    for Queue { name, members, .. } in queues {
        ensure!(members == Node::ALL, "`{name}` has members on {members:?}");
    }
    Ok(())
}

/// Waits until the repeats of what was taken already have ended, too: a copy that the broker was moving when the node
/// was lost comes some seconds later.
async fn await_repeats(cluster: &Cluster, site: &Site) -> Result<()> {
    let owed = owed(&site.place.environment()["BELLHOP_RETRY_WAITS"]);
    let look = || async {
        let queues = cluster.queues(site.place.virtual_host()).await?;
        let mut owed = queues.iter().filter(|queue| owed.contains(&queue.name));
        Ok(owed.all(|queue| queue.messages == Some(0)).then_some(()))
    };
    eventually("all queues to be empty", look).await
}

/// Somebody who publishes one event after the other and waits for the confirm of each.
pub(crate) struct Load {
    confirmed: watch::Receiver<usize>,
    stopping: CancellationToken,
    publishing: tokio::task::JoinHandle<Result<usize>>,
}

impl Load {
    /// * `event`: makes the event of a number, whose id is [`load_id`] of it.
    pub(crate) fn start(producer: Producer, event: fn(usize) -> Result<NewEvent>) -> Self {
        let (count, confirmed) = watch::channel(0);
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let publishing = tokio::spawn(async move {
            while !stopped.is_cancelled() {
                let number = *count.borrow();
                producer.publish(&event(number)?).await.with_context(|| load_id(number))?;
                count.send_replace(number + 1);
            }
            producer.close().await;
            Ok(*count.borrow())
        });
        Self { confirmed, stopping, publishing }
    }

    /// Waits until more events have been confirmed, and says how many were in all.
    pub(crate) async fn await_more(&mut self) -> Result<usize> {
        let enough = *self.confirmed.borrow() + EVENTS_AFTER;
        let waiting = self.confirmed.wait_for(|&count| enough <= count);
        if let Ok(count) = within("events to be confirmed", waiting).await? {
            return Ok(*count);
        }
        let count = (&mut self.publishing).await??;
        bail!("the load ended by itself after {count} events")
    }

    /// Stops publishing, and says how many events there were.
    pub(crate) async fn end(self) -> Result<usize> {
        self.stopping.cancel();
        self.publishing.await?
    }
}

/// A producer that the given node serves. To which node one connects is drawn at random.
async fn producer_on(node: Node, cluster: &Cluster, site: &Site) -> Result<Producer> {
    let connections = || cluster.connections("bellhop producer");
    eventually("a producer on a certain node", || async {
        let producer = connect(site, ProducerOptions::default()).await?;
        let listed = || async { Ok(connections().await?.first().copied()) };
        if eventually("a connection to be listed", listed).await? == node {
            return Ok(Some(producer));
        }
        producer.close().await;
        let gone = || async { Ok(connections().await?.is_empty().then_some(())) };
        eventually("a connection to be gone", gone).await?;
        Ok(None)
    })
    .await
}

/// A producer at a site.
pub(crate) async fn connect(site: &Site, options: ProducerOptions) -> Result<Producer> {
    Ok(Producer::connect(BrokerAddress::parse(&site.place.amqp_url(), None)?, options).await?)
}

fn event(number: usize) -> Result<NewEvent> {
    let (id, now) = (load_id(number).parse()?, OffsetDateTime::now_utc());
    Ok(NewEvent::with_id(&id, &SCHEDULED.parse()?, Mode::Test, now, APPOINTMENT)?)
}
