//! Plain AMQP beside the program: to publish what no producer of ours would, and to read what lies in a queue.

mod message;

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow, ensure};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, BasicRejectOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::types::FieldTable;
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, PublisherConfirm};

pub use self::message::{Message, Received};

use crate::patience::{eventually, within};

/// A connection of our own to a virtual host.
pub struct Amqp {
    url: String,
    connection: Connection,
    channel: Channel,
}

impl Amqp {
    /// Connects.
    ///
    /// * `url`: of several hosts, the first that takes us in will do.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn connect(url: &str) -> Result<Self> {
        let connection = connection(url).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { url: url.to_owned(), connection, channel })
    }

    /// Publishes one message and waits for the broker to have it.
    ///
    /// # Errors
    /// When it is refused; a message that no queue wants is not returned, since it is not mandatory.
    pub async fn publish(&self, message: &Message) -> Result<()> {
        self.publish_all(std::slice::from_ref(message)).await
    }

    /// Publishes messages in their order, and waits for the broker to have them all.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn publish_all(&self, messages: &[Message]) -> Result<()> {
        let mut unconfirmed = Vec::with_capacity(messages.len());
        for message in messages {
            unconfirmed.push(self.send(message).await?);
        }
        for confirm in unconfirmed {
            let confirmation = within("a confirmation", confirm).await??;
            ensure!(
                confirmation == Confirmation::Ack(None),
                "the broker refuses a message: {confirmation:?}"
            );
        }
        Ok(())
    }

    /// Takes `count` messages off a queue, waiting for them.
    ///
    /// Asks for message after message: a channel that is closed forgets acknowledgements that the queue was slow to take.
    ///
    /// # Errors
    /// When there are not as many in time.
    pub async fn take(&self, queue: &str, count: usize) -> Result<Vec<Received>> {
        let channel = self.connection.create_channel().await?;
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let what = format!("message {} of {count} in `{queue}`", taken.len() + 1);
            let look = || async {
                let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await?;
                Ok(got.map(|message| Received::from(message.delivery)))
            };
            taken.push(eventually(what, look).await?);
        }
        channel.close(200, "done".into()).await?;
        Ok(taken)
    }

    /// Takes whatever is in a queue now.
    ///
    /// Asks for message after message: a queue's length is a figure that quorum queues may not know at the moment. A
    /// queue that has no leader yet, after its broker was killed, is waited for.
    ///
    /// # Errors
    /// When there is no such queue, or it does not answer in time.
    pub async fn drain(&self, queue: &str) -> Result<Vec<Received>> {
        let taken = Mutex::new(Vec::new());
        let look = || async {
            // What a queue without a leader says ends the connection with it.
            let another;
            let connection = if self.connection.status().connected() {
                &self.connection
            } else {
                another = connection(&self.url).await?;
                &another
            };
            let channel = connection.create_channel().await?;
            loop {
                match channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await {
                    Ok(Some(message)) => lock(&taken).push(Received::from(message.delivery)),
                    Ok(None) => break,
                    Err(error) if has_no_leader(&error) => return Ok(None),
                    Err(error) => return Err(error).with_context(|| format!("read `{queue}`")),
                }
            }
            channel.close(200, "done".into()).await?;
            Ok(Some(std::mem::take(&mut *lock(&taken))))
        };
        eventually(format!("an answer of `{queue}`"), look).await
    }

    /// Takes the first message of a queue and gives it back, until the broker hands it out no more.
    ///
    /// * returns how often that was.
    ///
    /// # Errors
    /// When there is no such queue.
    pub async fn wear_out(&self, queue: &str) -> Result<usize> {
        let channel = self.connection.create_channel().await?;
        let mut times = 0;
        while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
            // What is rejected counts on every version; of `basic.nack` only some count.
            message.delivery.acker.reject(BasicRejectOptions { requeue: true }).await?;
            times += 1;
        }
        channel.close(200, "done".into()).await?;
        Ok(times)
    }

    /// Waits until so many consume from a queue.
    ///
    /// # Errors
    /// When there is no such queue, or they do not come in time.
    pub async fn await_consumers(&self, queue: &str, count: u32) -> Result<()> {
        let look = || async {
            let channel = self.connection.create_channel().await?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
            channel.close(200, "done".into()).await?;
            Ok((found.consumer_count() == count).then_some(()))
        };
        eventually(format!("{count} consumers of `{queue}`"), look).await
    }

    /// How many messages queues say that they hold, those being processed not counted.
    ///
    /// # Errors
    /// When there is no such queue.
    pub async fn count<'q>(&self, queues: impl IntoIterator<Item = &'q str>) -> Result<u32> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let mut count = 0;
        for queue in queues {
            let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default());
            count += declared.await.with_context(|| format!("look at `{queue}`"))?.message_count();
        }
        Ok(count)
    }

    /// Insists that queues are empty.
    ///
    /// # Errors
    /// With what lies in one of them.
    pub async fn ensure_empty<'q>(&self, queues: impl IntoIterator<Item = &'q str>) -> Result<()> {
        for queue in queues {
            let left = self.drain(queue).await?;
            ensure!(left.is_empty(), "`{queue}` holds {} messages, such as {:?}", left.len(), left.first());
        }
        Ok(())
    }

    async fn send(&self, message: &Message) -> Result<PublisherConfirm> {
        let publish = self.channel.basic_publish(
            message.exchange.as_str().into(),
            message.routing_key.as_str().into(),
            BasicPublishOptions::default(),
            &message.body,
            message.properties.clone(),
        );
        publish.await.context("publish")
    }
}

/// Connects to the first host of a URL that takes us in.
async fn connection(url: &str) -> Result<Connection> {
    let mut refusal = anyhow!("a URL without hosts");
    for url in urls(url) {
        let connecting = Connection::connect(&url, ConnectionProperties::default());
        match within("a connection to RabbitMQ", connecting).await? {
            Ok(connection) => return Ok(connection),
            Err(error) => refusal = error.into(),
        }
    }
    Err(refusal)
}

/// Whether a queue said, by ending the connection, that nobody leads it at the moment.
fn has_no_leader(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(reply) = error.kind() else { return false };
    matches!(reply.kind(), AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A URL for each host of a URL that names several, as the program's own may; the client library takes one.
fn urls(url: &str) -> Vec<String> {
    let Some((login, rest)) = url.rsplit_once('@') else { return vec![url.to_owned()] };
    let (hosts, virtual_host) = rest.split_once('/').unwrap_or((rest, ""));
    hosts.split(',').map(|host| format!("{login}@{host}/{virtual_host}")).collect()
}
