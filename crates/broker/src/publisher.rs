//! Confirmed publishing: a publish ends when the broker has the message, or says what became of it.
//!
//! Each of a few channels takes a batch, publishes it, and awaits all its confirms before the next batch. The client
//! library hands a returned message to whichever confirm completes next, so a return is matched by message id; and
//! since all confirms of a channel belong to one batch, none is judged before every return of the batch is known.

mod late;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{Channel, Confirmation, ErrorKind, PublisherConfirm};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::late::{Late, confirmed_in_time};
use crate::limits::{CONNECT_TIMEOUT, PUBLISH_BATCH_MAX, PUBLISH_CHANNELS, PUBLISH_QUEUE_MAX};
use crate::link::{Backoff, Link, LinkState, Session, session};
use crate::message::Outgoing;
use crate::stats::BrokerStats;

/// Publishes on one link. Cheap to clone; the more callers publish at once, the larger the batches.
#[derive(Debug, Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<LinkState>,
    late: Late,
}

/// What became of a publish that was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker has no queue for it. Nothing was stored.
    #[error("no queue takes the message: declare the topology with `bellhop topology`")]
    Unroutable,
    /// A queue refused it, mostly because it is full. Nothing was stored there.
    #[error("a queue refused the message: it is full, or its quorum is lost")]
    Refused,
    /// The exchange does not exist. Of a batch, others may be stored.
    #[error("the exchange does not exist: declare the topology with `bellhop topology`")]
    NoExchange,
    /// The user may not publish to the exchange.
    #[error("the user may not publish to the exchange: grant it write permission there")]
    Forbidden,
    /// The session ended before the confirm: the message may or may not be stored.
    #[error("the connection to the broker ended before the message was confirmed")]
    Interrupted,
    /// The broker takes no publishes (memory or disk alarm): the message may be stored once it does.
    #[error("the broker blocks publishers: it is short of memory or disk")]
    Blocked,
    /// No session, or no confirm, in time: the message may or may not be stored.
    #[error("the broker did not confirm the message in time")]
    TimedOut,
}

#[derive(Debug)]
struct Request {
    message: Outgoing,
    handover: Handover,
    result: oneshot::Sender<Result<(), PublishError>>,
}

/// Settles between a channel that takes a request and a caller that gives it up, who was first.
#[derive(Debug, Clone, Default)]
struct Handover(Arc<AtomicBool>);

impl Handover {
    /// Whether nobody had taken it before.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl Publisher {
    /// Starts to publish on a link.
    ///
    /// * `tasks`: where the channels' tasks are tracked; they end when the last publisher is dropped, or the link is closed.
    #[must_use]
    pub fn new(link: &Link, tasks: &TaskTracker) -> Self {
        let (requests, queue) = mpsc::channel(PUBLISH_QUEUE_MAX);
        let late = Late::default();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..PUBLISH_CHANNELS {
            let lane = Lane {
                queue: Arc::clone(&queue),
                sessions: link.sessions(),
                closing: link.closing(),
                late: late.clone(),
                stats: Arc::clone(link.stats()),
            };
            tasks.spawn(lane.run());
        }
        Self { requests, state: link.watch(), late }
    }

    /// Publishes one message and waits until the broker has it.
    ///
    /// * `deadline`: the longest wait, for a session and for the confirm together.
    ///
    /// # Errors
    /// [`PublishError`]. After [`PublishError::Unroutable`] and [`PublishError::Refused`] the message is not stored;
    /// after the others it may be, and publishing it again may store it twice.
    pub async fn publish(&self, message: Outgoing, deadline: Duration) -> Result<(), PublishError> {
        match tokio::time::timeout(deadline, self.hand_over(message, Handover::default())).await {
            Ok(result) => result,
            Err(_) if matches!(*self.state.borrow(), LinkState::Blocked) => Err(PublishError::Blocked),
            Err(_) => Err(PublishError::TimedOut),
        }
    }

    /// As [`Publisher::publish`], but a message that is on its way is waited for until the broker has it or the session
    /// ends, however long it blocks publishers. Whoever gave it up and published it again would have it stored twice.
    ///
    /// * `patience`: the longest wait for a session that takes publishes.
    ///
    /// # Errors
    /// [`PublishError`], never [`PublishError::Blocked`].
    pub async fn publish_once_begun(
        &self,
        message: Outgoing,
        patience: Duration,
    ) -> Result<(), PublishError> {
        let handover = Handover::default();
        let publishing = self.hand_over(message, handover.clone());
        tokio::pin!(publishing);
        loop {
            match tokio::time::timeout(patience, &mut publishing).await {
                Ok(result) => return result,
                Err(_) if matches!(*self.state.borrow(), LinkState::Blocked) => {}
                Err(_) if handover.take() => return Err(PublishError::TimedOut),
                // A channel has it, which always says what became of it.
                Err(_) => return publishing.await,
            }
        }
    }

    /// Whether a publish would be taken now: connected, not blocked, and no confirm late.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(*self.state.borrow(), LinkState::Up) && self.late.is_none()
    }

    /// Waits until a publish would be taken.
    pub async fn ready(&self) {
        let mut state = self.state.clone();
        while !self.is_ready() {
            self.late.none().await;
            if state.wait_for(|state| matches!(state, LinkState::Up)).await.is_err() {
                // The link was closed: it is never ready again, and whoever waits is about to be cancelled.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn hand_over(&self, message: Outgoing, handover: Handover) -> Result<(), PublishError> {
        let (result, confirmed) = oneshot::channel();
        let request = Request { message, handover, result };
        // The lanes live as long as a publisher does.
        self.requests.send(request).await.map_err(|_| PublishError::Interrupted)?;
        confirmed.await.map_err(|_| PublishError::Interrupted)?
    }
}

/// One channel's worth of publishing.
struct Lane {
    queue: Arc<Mutex<mpsc::Receiver<Request>>>,
    sessions: watch::Receiver<Option<Arc<Session>>>,
    closing: CancellationToken,
    late: Late,
    stats: Arc<BrokerStats>,
}

impl Lane {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let session = tokio::select! {
                session = session(&mut self.sessions) => session,
                () = self.closing.cancelled() => return,
            };
            let Some(channel) = open(&session).await else {
                tokio::time::sleep(backoff.next()).await;
                continue;
            };
            backoff = Backoff::default();
            if let Served::LastPublisherGone = self.serve(&session, &channel).await {
                return;
            }
        }
    }

    /// Publishes batch after batch until the session or the last publisher is gone.
    async fn serve(&self, session: &Session, channel: &Channel) -> Served {
        let mut batch = Vec::with_capacity(PUBLISH_BATCH_MAX);
        loop {
            let taken = async { self.queue.lock().await.recv_many(&mut batch, PUBLISH_BATCH_MAX).await };
            let taken = tokio::select! {
                biased;
                () = session.ended.cancelled() => return Served::SessionEnded,
                taken = taken => taken,
            };
            if taken == 0 {
                return Served::LastPublisherGone;
            }
            // Whoever stopped waiting before the message was written gets it back unsent, rather than sent unseen.
            batch.retain(|request| !request.result.is_closed() && request.handover.take());
            match self.publish(session, channel, &mut batch).await {
                Fate::Alive => {}
                Fate::ChannelClosed => return Served::ChannelClosed,
                Fate::SessionEnded => {
                    session.ended.cancel();
                    return Served::SessionEnded;
                }
            }
        }
    }

    /// Publishes one batch and answers each request; says what is left of channel and session.
    async fn publish(&self, session: &Session, channel: &Channel, batch: &mut Vec<Request>) -> Fate {
        let confirming = async {
            let confirms = join_all(batch.iter().map(|request| write(channel, &request.message))).await;
            join_all(confirms.into_iter().map(|confirm| async move { confirm?.await })).await
        };
        let Some(confirmations) = confirmed_in_time(session, &self.late, confirming).await else {
            self.stats.interrupted.add(batch.len());
            for request in batch.drain(..) {
                let _ = request.result.send(Err(PublishError::Interrupted));
            }
            return Fate::SessionEnded;
        };
        let returned: HashSet<String> = confirmations.iter().filter_map(returned_id).collect();
        let mut fate = Fate::Alive;
        for (request, confirmation) in batch.drain(..).zip(confirmations) {
            let result = match confirmation {
                Ok(_) if returned.contains(&request.message.message_id) => Err(PublishError::Unroutable),
                Ok(Confirmation::Ack(_)) => Ok(()),
                Ok(Confirmation::Nack(_)) => Err(PublishError::Refused),
                Ok(Confirmation::NotRequested) => unreachable!("the channel is in confirm mode"),
                Err(error) => {
                    let (error, after) = judge(&error);
                    fate = fate.max(after);
                    Err(error)
                }
            };
            self.count(result);
            let _ = request.result.send(result);
        }
        fate
    }

    fn count(&self, result: Result<(), PublishError>) {
        let counter = match result {
            Ok(()) => &self.stats.confirmed,
            Err(PublishError::Unroutable) => &self.stats.returned,
            Err(PublishError::Refused) => &self.stats.refused,
            Err(_) => &self.stats.interrupted,
        };
        counter.add(1);
    }
}

enum Served {
    ChannelClosed,
    SessionEnded,
    LastPublisherGone,
}

/// What a batch left of its channel; the worst of all its publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Alive,
    ChannelClosed,
    SessionEnded,
}

/// What an error says of a publish, and of the channel: a refused exchange closes the channel, anything else counts as
/// the end of the session.
fn judge(error: &lapin::Error) -> (PublishError, Fate) {
    let ErrorKind::ProtocolError(reply) = error.kind() else {
        return (PublishError::Interrupted, Fate::SessionEnded);
    };
    match reply.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => (PublishError::NoExchange, Fate::ChannelClosed),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => (PublishError::Forbidden, Fate::ChannelClosed),
        AMQPErrorKind::Soft(_) => (PublishError::Interrupted, Fate::ChannelClosed),
        AMQPErrorKind::Hard(_) => (PublishError::Interrupted, Fate::SessionEnded),
    }
}

async fn open(session: &Session) -> Option<Channel> {
    let opening = async {
        let channel = session.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok::<_, lapin::Error>(channel)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(Ok(channel)) => Some(channel),
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot open a channel for publishing");
            None
        }
        Err(_) => {
            session.ended.cancel();
            None
        }
    }
}

async fn write(channel: &Channel, message: &Outgoing) -> Result<PublisherConfirm, lapin::Error> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let (exchange, key) = (message.exchange.as_str().into(), message.routing_key.as_str().into());
    channel.basic_publish(exchange, key, options, &message.body, message.properties()).await
}

fn returned_id(confirmation: &Result<Confirmation, lapin::Error>) -> Option<String> {
    let Ok(Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message))) = confirmation else {
        return None;
    };
    id_of(message)
}

fn id_of(message: &BasicReturnMessage) -> Option<String> {
    message.delivery.properties.message_id().as_ref().map(ToString::to_string)
}
