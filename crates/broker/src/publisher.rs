//! Confirmed publishing: a publish ends when the broker has the message, or says what became of it.
//!
//! Each of a few channels takes a batch, publishes it, and awaits all its confirms before the next batch. The client
//! library hands a returned message to whichever confirm completes next, so a return is matched by message id; and
//! since all confirms of a channel belong to one batch, none is judged before every return of the batch is known.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::{
    CONFIRM_TIMEOUT, CONNECT_TIMEOUT, PUBLISH_BATCH_MAX, PUBLISH_CHANNELS, PUBLISH_QUEUE_MAX,
};
use crate::link::{Backoff, Link, LinkState, Session, session};
use crate::message::Outgoing;
use crate::stats::BrokerStats;

/// Publishes on one link. Cheap to clone; the more callers publish at once, the larger the batches.
#[derive(Debug, Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<LinkState>,
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
    result: oneshot::Sender<Result<(), PublishError>>,
}

impl Publisher {
    /// Starts to publish on a link.
    ///
    /// * `tasks`: where the channels' tasks are tracked; they end when the last publisher is dropped, or the link is closed.
    #[must_use]
    pub fn new(link: &Link, tasks: &TaskTracker) -> Self {
        let (requests, queue) = mpsc::channel(PUBLISH_QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..PUBLISH_CHANNELS {
            let lane = Lane {
                queue: Arc::clone(&queue),
                sessions: link.sessions(),
                closing: link.closing(),
                stats: Arc::clone(link.stats()),
            };
            tasks.spawn(lane.run());
        }
        Self { requests, state: link.watch() }
    }

    /// Publishes one message and waits until the broker has it.
    ///
    /// * `deadline`: the longest wait, for a session and for the confirm together.
    ///
    /// # Errors
    /// [`PublishError`]. After [`PublishError::Unroutable`] and [`PublishError::Refused`] the message is not stored;
    /// after the others it may be, and publishing it again may store it twice.
    pub async fn publish(&self, message: Outgoing, deadline: Duration) -> Result<(), PublishError> {
        let (result, confirmed) = oneshot::channel();
        let publishing = async {
            // The lanes live as long as a publisher does.
            self.requests.send(Request { message, result }).await.map_err(|_| PublishError::Interrupted)?;
            confirmed.await.map_err(|_| PublishError::Interrupted)?
        };
        match tokio::time::timeout(deadline, publishing).await {
            Ok(result) => result,
            Err(_) if matches!(*self.state.borrow(), LinkState::Blocked) => Err(PublishError::Blocked),
            Err(_) => Err(PublishError::TimedOut),
        }
    }

    /// Whether a publish would be taken now: connected and not blocked.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(*self.state.borrow(), LinkState::Up)
    }

    /// Waits until a publish would be taken.
    pub async fn ready(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| matches!(state, LinkState::Up)).await.is_err() {
            // The link was closed: it is never ready again, and whoever waits is about to be cancelled.
            std::future::pending::<()>().await;
        }
    }
}

/// One channel's worth of publishing.
struct Lane {
    queue: Arc<Mutex<mpsc::Receiver<Request>>>,
    sessions: watch::Receiver<Option<Arc<Session>>>,
    closing: CancellationToken,
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
            batch.retain(|request| !request.result.is_closed());
            let is_alive = self.publish(session, channel, &mut batch).await;
            if !is_alive {
                session.ended.cancel();
                return Served::SessionEnded;
            }
        }
    }

    /// Publishes one batch and answers each request; `false` when the session must be given up.
    async fn publish(&self, session: &Session, channel: &Channel, batch: &mut Vec<Request>) -> bool {
        let confirming = async {
            let confirms = join_all(batch.iter().map(|request| write(channel, &request.message))).await;
            join_all(confirms.into_iter().map(async |confirm| confirm?.await)).await
        };
        let Some(confirmations) = confirmed_in_time(session, confirming).await else {
            self.stats.interrupted.add(batch.len());
            for request in batch.drain(..) {
                let _ = request.result.send(Err(PublishError::Interrupted));
            }
            return false;
        };
        let returned: HashSet<String> = confirmations.iter().filter_map(returned_id).collect();
        let mut is_alive = true;
        for (request, confirmation) in batch.drain(..).zip(confirmations) {
            let result = match confirmation {
                Ok(_) if returned.contains(&request.message.message_id) => Err(PublishError::Unroutable),
                Ok(Confirmation::Ack(_)) => Ok(()),
                Ok(Confirmation::Nack(_)) => Err(PublishError::Refused),
                Ok(Confirmation::NotRequested) => unreachable!("the channel is in confirm mode"),
                Err(_) => {
                    is_alive = false;
                    Err(PublishError::Interrupted)
                }
            };
            self.count(result);
            let _ = request.result.send(result);
        }
        is_alive
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
    SessionEnded,
    LastPublisherGone,
}

/// Waits for a batch's confirms; `None` when the session ended or the broker kept silent too long. Silence does not
/// count while the broker has said that it blocks.
async fn confirmed_in_time<T>(session: &Session, confirming: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(confirming);
    loop {
        tokio::select! {
            biased;
            confirmations = &mut confirming => return Some(confirmations),
            () = session.ended.cancelled() => return None,
            () = tokio::time::sleep(CONFIRM_TIMEOUT) => {}
        }
        if !session.connection.status().blocked() {
            tracing::warn!(
                "the broker left publishes unconfirmed for {CONFIRM_TIMEOUT:?}; giving the session up"
            );
            return None;
        }
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
