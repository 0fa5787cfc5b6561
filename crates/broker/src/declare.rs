//! Declaring the topology on a broker, idempotently.

use lapin::options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind, ExchangeKind};

use crate::link::Declarer;
use crate::names::ORGANISATION_HEADER;
use crate::topology::{BindingSpec, Destination, ExchangeSpec, ExchangeType, QueueSpec, Topology};

/// What a declaration made sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Exchanges that exist now.
    pub exchanges: usize,
    /// Queues that exist now.
    pub queues: usize,
}

/// Why the topology could not be declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// Something of that name exists and means something else.
    #[error(
        "`{name}` exists with other arguments: {reply}; drain and delete it, or use another vhost, then declare again"
    )]
    Different {
        /// The exchange or queue.
        name: String,
        /// What the broker said.
        reply: String,
    },
    /// The user may not configure.
    #[error(
        "the user may not declare `{name}`: run `bellhop topology` with a user that may configure `^bellhop\\.`"
    )]
    Forbidden {
        /// The exchange or queue.
        name: String,
    },
    /// The broker cannot hash.
    #[error(
        "the broker has no exchange type `{kind}`, which `{name}` needs: run `rabbitmq-plugins enable \
         rabbitmq_consistent_hash_exchange` on every node, or set `[amqp] shards` to 1",
        kind = ExchangeType::ConsistentHash.as_str()
    )]
    MissingPlugin {
        /// The exchange.
        name: String,
    },
    /// The connection failed meanwhile.
    #[error("failed to declare `{name}`")]
    Connection {
        /// What was being declared.
        name: String,
        /// What happened.
        #[source]
        source: lapin::Error,
    },
}

impl Topology {
    /// Declares everything through a supervised connection, waiting for it to be up; but not how events reach the
    /// queues, which [`Topology::spread_events`] does: no worker that starts with an old configuration may change that.
    ///
    /// * `declarer`: of the link whose user declares; after a refusal only a channel is lost.
    ///
    /// # Errors
    /// [`DeclareError`]; what was declared before it stays declared, and declaring again is harmless.
    pub async fn declare(&self, declarer: &Declarer) -> Result<Declared, DeclareError> {
        let channel = open_channel(declarer).await?;
        for exchange in &self.exchanges {
            declare_exchange(&channel, exchange).await?;
        }
        for queue in &self.queues {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(queue.name.as_str().into(), options, arguments(queue)).await;
            declared.map_err(|error| judge(&queue.name, error))?;
        }
        for binding in &self.bindings {
            bind(&channel, binding).await?;
        }
        Ok(Declared { exchanges: self.exchanges.len(), queues: self.queues.len() })
    }
}

pub(crate) async fn open_channel(declarer: &Declarer) -> Result<Channel, DeclareError> {
    let session = declarer.session().await;
    let opened = session.connection.create_channel().await;
    opened.map_err(|error| judge("a channel", error))
}

/// Declares one exchange.
pub(crate) async fn declare_exchange(channel: &Channel, exchange: &ExchangeSpec) -> Result<(), DeclareError> {
    let kind = match exchange.kind {
        ExchangeType::Topic => ExchangeKind::Topic,
        ExchangeType::Direct => ExchangeKind::Direct,
        ExchangeType::Fanout => ExchangeKind::Fanout,
        ExchangeType::ConsistentHash => ExchangeKind::Custom(exchange.kind.as_str().to_owned()),
    };
    let mut arguments = FieldTable::default();
    if let Some(alternate) = &exchange.alternate {
        arguments.insert("alternate-exchange".into(), text(alternate));
    }
    if exchange.kind == ExchangeType::ConsistentHash {
        arguments.insert("hash-header".into(), text(ORGANISATION_HEADER));
    }
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(exchange.name.as_str().into(), kind, options, arguments).await;
    declared.map_err(|error| match judge(&exchange.name, error) {
        DeclareError::Connection { name, source } if is_unknown_type(&source) => {
            DeclareError::MissingPlugin { name }
        }
        other => other,
    })
}

/// Makes one binding.
pub(crate) async fn bind(channel: &Channel, binding: &BindingSpec) -> Result<(), DeclareError> {
    let BindingSpec { exchange, destination, kind, key } = binding;
    let (to, from, key) = (destination.as_str().into(), exchange.as_str().into(), key.as_str().into());
    let bound = match kind {
        Destination::Queue => {
            channel.queue_bind(to, from, key, QueueBindOptions::default(), FieldTable::default()).await
        }
        Destination::Exchange => {
            channel.exchange_bind(to, from, key, ExchangeBindOptions::default(), FieldTable::default()).await
        }
    };
    bound.map_err(|error| judge(destination, error))
}

/// The arguments that say what a queue means.
pub(crate) fn arguments(queue: &QueueSpec) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(i64::from(queue.delivery_limit)));
    arguments.insert("x-max-length-bytes".into(), whole(u128::from(queue.bytes_max)));
    if let Some(time_to_live) = queue.time_to_live {
        arguments.insert("x-message-ttl".into(), whole(time_to_live.as_millis()));
    }
    if let Some((exchange, key)) = &queue.dead_letter {
        arguments.insert("x-dead-letter-exchange".into(), text(exchange));
        arguments.insert("x-dead-letter-routing-key".into(), text(key));
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    }
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn whole(value: u128) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).expect("sizes and waits of the topology fit"))
}

pub(crate) fn judge(name: &str, error: lapin::Error) -> DeclareError {
    let name = name.to_owned();
    if let ErrorKind::ProtocolError(reply) = error.kind() {
        match reply.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => {
                return DeclareError::Different { name, reply: reply.get_message().to_string() };
            }
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => return DeclareError::Forbidden { name },
            _ => {}
        }
    }
    DeclareError::Connection { name, source: error }
}

/// Whether the broker ended the connection because it knows no such type of exchange.
fn is_unknown_type(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(reply) = error.kind() else { return false };
    matches!(reply.kind(), AMQPErrorKind::Hard(AMQPHardError::COMMANDINVALID))
}
