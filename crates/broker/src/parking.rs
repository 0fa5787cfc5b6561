//! Looking into the queues that nobody consumes: parked and unroutable messages, taken one by one, and given back.
//!
//! What is taken is out of sight for others until it is given back, put back where it came from, or thrown away. Whoever
//! is killed in between gives everything back; a message put back and not yet acknowledged then exists twice.

mod origin;

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions,
};
use lapin::protocol::constants::REPLY_SUCCESS;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{Acker, BasicProperties, Channel, Confirmation, ErrorKind};

pub use self::origin::Origin;

use crate::consumer::flush;
use crate::limits::CLOSE_TIMEOUT;
use crate::link::{Declarer, Session};
use crate::message::Incoming;
use crate::publisher::PublishError;

/// A parking queue that is being looked into, on a channel of its own.
#[derive(Debug)]
pub struct Parking {
    queue: String,
    _session: Arc<Session>,
    channel: Channel,
    /// Most wait for one answer of the broker.
    patience: Duration,
}

/// A message in hand. Dropped, it stays in hand until the queue is closed, and is given back then.
#[derive(Debug)]
pub struct Parked {
    /// The message.
    pub message: Incoming,
    /// Where it came from; `None` when it does not say.
    pub origin: Option<Origin>,
    properties: BasicProperties,
    acker: Acker,
}

/// Why a parking queue could not be looked into, or a message not be moved.
#[derive(Debug, thiserror::Error)]
pub enum ParkingError {
    /// There is none.
    #[error("the queue `{0}` does not exist: declare the topology with `bellhop topology`")]
    NoQueue(String),
    /// The user may not.
    #[error(
        "the user may not do that with `{0}`: use the one that runs `bellhop topology`, which may read and write `^bellhop\\.`"
    )]
    Forbidden(String),
    /// The message does not say where it came from.
    #[error("the message does not say where it came from: discard it, or publish what it holds anew")]
    NoOrigin,
    /// Where it came from does not take it. It stays where it is.
    #[error("it stays parked, since it cannot go back: {0}")]
    NotTaken(#[source] PublishError),
    /// No answer in time.
    #[error("the broker did not answer within {0:?}")]
    TimedOut(Duration),
    /// The connection failed. What was in hand is given back.
    #[error("the connection to the broker failed")]
    Connection(#[source] lapin::Error),
}

impl Parking {
    /// Opens a queue.
    ///
    /// * `declarer`: of the link whose user may read it; it waits for the link to be up.
    /// * `patience`: most wait for one answer of the broker.
    ///
    /// # Errors
    /// [`ParkingError::Connection`] or [`ParkingError::TimedOut`].
    pub async fn open(declarer: &Declarer, queue: &str, patience: Duration) -> Result<Self, ParkingError> {
        let opening = async {
            let session = declarer.session().await;
            let channel = session.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok((session, channel))
        };
        let (session, channel) = in_time(patience, queue, opening).await?;
        Ok(Self { queue: queue.to_owned(), _session: session, channel, patience })
    }

    /// Takes the next message, the oldest first; `None` when no other is there.
    ///
    /// # Errors
    /// [`ParkingError`]; the queue is then closed.
    pub async fn take(&self) -> Result<Option<Parked>, ParkingError> {
        let getting = self.channel.basic_get(self.queue.as_str().into(), BasicGetOptions::default());
        let Some(got) = in_time(self.patience, &self.queue, getting).await? else { return Ok(None) };
        let properties = got.delivery.properties.clone();
        let (message, acker) = Incoming::new(got.delivery);
        let origin = Origin::of(&message, &properties);
        Ok(Some(Parked { message, origin, properties, acker }))
    }

    /// Puts a message where it came from, and takes it off the queue when the broker has it there.
    ///
    /// # Errors
    /// [`ParkingError::NoOrigin`] and [`ParkingError::NotTaken`]: it stays in hand. Otherwise the queue is closed.
    pub async fn put_back(&self, parked: Parked) -> Result<(), ParkingError> {
        let Parked { message, origin, properties, acker } = parked;
        let Some(origin) = origin else { return Err(ParkingError::NoOrigin) };
        let publishing = async {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let (exchange, key) = (origin.exchange.as_str().into(), origin.routing_key.as_str().into());
            let properties = origin.restored(properties);
            let confirm =
                self.channel.basic_publish(exchange, key, options, &message.body, properties).await?;
            confirm.await
        };
        // One at a time, so that a returned message belongs to this one.
        match in_time(self.patience, &origin.exchange, publishing).await? {
            Confirmation::Ack(None) => {}
            Confirmation::Ack(Some(_)) => return Err(ParkingError::NotTaken(PublishError::Unroutable)),
            Confirmation::Nack(_) => return Err(ParkingError::NotTaken(PublishError::Refused)),
            Confirmation::NotRequested => unreachable!("the channel is in confirm mode"),
        }
        in_time(self.patience, &self.queue, acker.ack(BasicAckOptions::default())).await.map(drop)
    }

    /// Throws a message away.
    ///
    /// # Errors
    /// [`ParkingError::Connection`] or [`ParkingError::TimedOut`].
    pub async fn discard(&self, parked: Parked) -> Result<(), ParkingError> {
        in_time(self.patience, &self.queue, parked.acker.ack(BasicAckOptions::default())).await.map(drop)
    }

    /// Gives a message back at once, rather than at the end: the next look meets it again.
    ///
    /// # Errors
    /// [`ParkingError::Connection`] or [`ParkingError::TimedOut`].
    pub async fn give_back(&self, parked: Parked) -> Result<(), ParkingError> {
        let requeue = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        in_time(self.patience, &self.queue, parked.acker.nack(requeue)).await.map(drop)
    }

    /// Makes sure that what was thrown away or put back is off the queue, and gives back what else was taken.
    pub async fn close(self) {
        flush(&self.channel, &self.queue).await;
        let closing = self.channel.close(REPLY_SUCCESS, "closing".into());
        // The broker gives back what it handed out when the connection goes, too.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    }
}

async fn in_time<T>(
    patience: Duration,
    name: &str,
    asking: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, ParkingError> {
    match tokio::time::timeout(patience, asking).await {
        Ok(answer) => answer.map_err(|error| judge(name, error)),
        Err(_) => Err(ParkingError::TimedOut(patience)),
    }
}

fn judge(name: &str, error: lapin::Error) -> ParkingError {
    if let ErrorKind::ProtocolError(reply) = error.kind() {
        match reply.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => return ParkingError::NoQueue(name.to_owned()),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                return ParkingError::Forbidden(name.to_owned());
            }
            _ => {}
        }
    }
    ParkingError::Connection(error)
}
