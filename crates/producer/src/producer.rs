//! Publishing events, confirmed.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{BrokerAddress, ConnectError, Link, LinkState, Outgoing, PublishError, Publisher};
use bellhop_model::EventId;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::{NewEvent, TestEvent};

/// Most events that [`Producer::publish_many`] has in flight.
const IN_FLIGHT_MAX: usize = 256;

/// Pause before an event that was refused, or whose fate a lost session hid, is published again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long an event that is refused is published again. A queue whose leader died refuses until it has another, which
/// takes a second or two, and many on a starved machine; one that still refuses is full, or has no quorum.
const REFUSED_PATIENCE: Duration = Duration::from_secs(15);

/// Hands events to the fleet. Cheap to share by reference; keeps its connection through outages.
#[derive(Debug)]
pub struct Producer {
    publisher: Publisher,
    link: Link,
    tasks: TaskTracker,
    options: ProducerOptions,
}

/// How long a producer is patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerOptions {
    /// Longest wait for one event's confirm, outages and repeats included. Default 30 s. Too low gives events up that
    /// a broker's leader election would have delayed; too high holds the caller's transaction open.
    pub publish_timeout: Duration,
}

/// Why an event is not known to be stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProducerError {
    /// The first try to connect failed.
    #[error(transparent)]
    Connect(Arc<ConnectError>),
    /// The broker has no queue for it: nothing was stored.
    #[error("no queue takes events: declare the topology with `bellhop topology`")]
    Unroutable,
    /// The exchange for events does not exist.
    #[error("the broker has no exchange for events: declare the topology with `bellhop topology`")]
    NoExchange,
    /// The user may not publish events of this mode.
    #[error("the user may not publish this event: grant it write and topic permissions on `bellhop.events`")]
    Forbidden,
    /// The queue refused it for some seconds, mostly because it is full: nothing was stored.
    #[error("the broker refused the event: the queue is full, or its quorum is lost; publish it again later")]
    Refused,
    /// The broker is short of memory or disk and takes nothing.
    #[error(
        "the broker blocks publishers (memory or disk alarm); publish the event again later, with the same id"
    )]
    Blocked,
    /// No confirm in time.
    #[error("the broker did not confirm the event in time; publish it again later, with the same id")]
    TimedOut,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self { publish_timeout: Duration::from_secs(30) }
    }
}

impl Producer {
    /// Connects, and keeps the connection from then on.
    ///
    /// # Errors
    /// [`ProducerError::Connect`] when no node takes us in, within 10 s for each; whoever starts beside the broker tries
    /// again.
    pub async fn connect(address: BrokerAddress, options: ProducerOptions) -> Result<Self, ProducerError> {
        let producer = Self::open(address, options);
        let connected = producer.link.connected().await;
        match connected {
            Ok(()) => Ok(producer),
            Err(error) => {
                producer.close().await;
                Err(ProducerError::Connect(error))
            }
        }
    }

    /// Starts to keep a connection and returns at once. Until there is one, events wait for it, each for as long as
    /// [`ProducerOptions::publish_timeout`] allows.
    #[must_use]
    pub fn open(address: BrokerAddress, options: ProducerOptions) -> Self {
        let tasks = TaskTracker::new();
        let link = Link::open(address, "bellhop producer");
        let publisher = Publisher::new(&link, &tasks);
        Self { publisher, link, tasks, options }
    }

    /// Watches the connection.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LinkState> {
        self.link.watch()
    }

    /// The connection, for whoever shows how it is.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Publishes one event and returns once the broker has it on disk, replicated.
    ///
    /// When a lost connection hides what became of it, it is published again with the same id: the broker may then
    /// have it twice, and receivers drop the second by its `webhook-id`.
    ///
    /// # Errors
    /// [`ProducerError`], after [`ProducerOptions::publish_timeout`] at the latest.
    pub async fn publish(&self, event: &NewEvent) -> Result<(), ProducerError> {
        self.publish_message(event.outgoing()).await
    }

    /// Publishes a test event and returns once the broker has it on disk, replicated.
    ///
    /// The user needs write permission on the exchange of the mode, `bellhop.live` or `bellhop.test`, which a platform's
    /// own user does not.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub async fn publish_test(&self, event: &TestEvent) -> Result<(), ProducerError> {
        self.publish_message(event.outgoing()).await
    }

    async fn publish_message(&self, message: Outgoing) -> Result<(), ProducerError> {
        let deadline = Instant::now() + self.options.publish_timeout;
        let mut refused_until = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.publisher.publish(message.clone(), left).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let now = Instant::now();
            let again_until = match error {
                PublishError::Interrupted => deadline,
                PublishError::Refused => *refused_until.get_or_insert(deadline.min(now + REFUSED_PATIENCE)),
                _ => return Err(error.into()),
            };
            if again_until <= now + AGAIN_AFTER {
                return Err(error.into());
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Publishes many events, a few hundred at a time, and says of each what became of it, as it becomes known.
    ///
    /// * `events`: taken as there is room; the order of results is that of completion.
    pub fn publish_many<'a>(
        &'a self,
        events: impl IntoIterator<Item = NewEvent, IntoIter: 'a>,
    ) -> impl Stream<Item = (EventId, Result<(), ProducerError>)> + 'a {
        let publishing = events.into_iter().map(async |event| {
            let result = self.publish(&event).await;
            (event.id, result)
        });
        stream::iter(publishing).buffer_unordered(IN_FLIGHT_MAX)
    }

    /// Closes the connection in order.
    pub async fn close(self) {
        let Self { publisher, link, tasks, .. } = self;
        drop(publisher);
        tasks.close();
        link.close().await;
        tasks.wait().await;
    }
}

impl From<PublishError> for ProducerError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Unroutable => Self::Unroutable,
            PublishError::NoExchange => Self::NoExchange,
            PublishError::Forbidden => Self::Forbidden,
            PublishError::Refused => Self::Refused,
            PublishError::Blocked => Self::Blocked,
            PublishError::Interrupted | PublishError::TimedOut => Self::TimedOut,
        }
    }
}
