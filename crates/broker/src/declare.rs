//! Declaring the topology on a broker, idempotently.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind, ExchangeKind};

use crate::link::Declarer;
use crate::topology::{ExchangeType, QueueSpec, Topology};

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
    /// Declares everything through a supervised connection, waiting for it to be up.
    ///
    /// * `declarer`: of the link whose user declares; after a refusal only a channel is lost.
    ///
    /// # Errors
    /// [`DeclareError`]; what was declared before it stays declared, and declaring again is harmless.
    pub async fn declare(&self, declarer: &Declarer) -> Result<Declared, DeclareError> {
        let session = declarer.session().await;
        let opened = session.connection.create_channel().await;
        let channel = opened.map_err(|error| judge("a channel", error))?;
        self.declare_on(&channel).await
    }

    async fn declare_on(&self, channel: &Channel) -> Result<Declared, DeclareError> {
        for exchange in &self.exchanges {
            let kind = match exchange.kind {
                ExchangeType::Topic => ExchangeKind::Topic,
                ExchangeType::Direct => ExchangeKind::Direct,
                ExchangeType::Fanout => ExchangeKind::Fanout,
            };
            let mut arguments = FieldTable::default();
            if let Some(alternate) = exchange.alternate {
                arguments.insert("alternate-exchange".into(), text(alternate));
            }
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let declared =
                channel.exchange_declare(exchange.name.as_str().into(), kind, options, arguments).await;
            declared.map_err(|error| judge(&exchange.name, error))?;
        }
        for queue in &self.queues {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(queue.name.as_str().into(), options, arguments(queue)).await;
            declared.map_err(|error| judge(&queue.name, error))?;
        }
        for binding in &self.bindings {
            let (queue, exchange) = (binding.queue.as_str(), binding.exchange.as_str());
            let bound = channel
                .queue_bind(
                    queue.into(),
                    exchange.into(),
                    binding.key.as_str().into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await;
            bound.map_err(|error| judge(queue, error))?;
        }
        Ok(Declared { exchanges: self.exchanges.len(), queues: self.queues.len() })
    }
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

fn judge(name: &str, error: lapin::Error) -> DeclareError {
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
