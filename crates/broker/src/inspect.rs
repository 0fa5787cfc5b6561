//! Looking at what a broker has, and what it should have, without changing anything.

use std::collections::{BTreeMap, BTreeSet};

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::protocol::constants::REPLY_SUCCESS;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind, ExchangeKind};

use crate::declare;
use crate::link::Declarer;
use crate::names::ORGANISATION_HEADER;
use crate::topology::{BindingSpec, Destination, ExchangeType, QueueSpec, Topology};

/// An exchange that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedExchange {
    /// Its name.
    pub name: String,
    /// `topic`, `direct`, `fanout` or `x-consistent-hash`.
    pub kind: &'static str,
    /// Where it sends what it cannot route.
    pub alternate: Option<String>,
    /// The header whose value it hashes.
    pub hash_header: Option<&'static str>,
}

/// A binding that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedBinding {
    /// From which exchange.
    pub exchange: String,
    /// To which queue or exchange.
    pub destination: String,
    /// Whether that is a queue or an exchange.
    pub kind: Destination,
    /// For which routing keys.
    pub key: String,
}

/// The value of a queue's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A word or a name.
    Text(String),
    /// An amount.
    Whole(i64),
}

/// What a look at a broker found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Exchanges of the topology that do not exist.
    pub missing_exchanges: Vec<String>,
    /// Queues of the topology that do not exist.
    pub missing_queues: Vec<String>,
    /// Messages ready in each queue that exists. Zero may also mean that its leader did not answer in time.
    pub ready_messages: BTreeMap<String, u32>,
    /// Queues that exist and that nobody consumes.
    pub unconsumed_queues: BTreeSet<String>,
}

/// Why a broker could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("failed to look at `{name}` on the broker")]
pub struct InspectError {
    /// What was being looked at.
    pub name: String,
    /// What happened.
    #[source]
    source: lapin::Error,
}

impl Topology {
    /// The exchanges that must exist.
    pub fn exchanges(&self) -> impl Iterator<Item = ExpectedExchange> {
        let between = self.ways.iter().flat_map(|way| way.exchanges());
        self.exchanges.iter().cloned().chain(between).map(|exchange| ExpectedExchange {
            name: exchange.name,
            kind: exchange.kind.as_str(),
            alternate: exchange.alternate,
            hash_header: (exchange.kind == ExchangeType::ConsistentHash).then_some(ORGANISATION_HEADER),
        })
    }

    /// The bindings that must exist.
    pub fn bindings(&self) -> impl Iterator<Item = ExpectedBinding> {
        let between = self.ways.iter().flat_map(|way| way.bindings());
        self.bindings.iter().cloned().chain(between).map(expected)
    }

    /// The bindings that may exist while the number of shards is being changed, or with another number. Those that
    /// [`Topology::bindings`] does not have may store an event twice, or where no worker looks.
    pub fn bindings_of_other_numbers(&self) -> impl Iterator<Item = ExpectedBinding> {
        self.ways.iter().flat_map(|way| way.possible_bindings()).map(expected)
    }

    /// Asks the broker which exchanges and queues exist. That needs no permission on them.
    ///
    /// * `declarer`: of the link whose user asks; it waits for the link to be up.
    ///
    /// # Errors
    /// [`InspectError`] when the connection failed meanwhile.
    pub async fn inspect(&self, declarer: &Declarer) -> Result<Inspection, InspectError> {
        let mut asker = Asker::new(declarer);
        let mut found = Inspection::default();
        for ExpectedExchange { name, .. } in self.exchanges() {
            let is_there = asker.has_exchange(&name).await;
            if !is_there.map_err(|source| InspectError { name: name.clone(), source })? {
                found.missing_exchanges.push(name);
            }
        }
        for queue in &self.queues {
            let counted = asker.counts(&queue.name).await;
            match counted.map_err(|source| InspectError { name: queue.name.clone(), source })? {
                Some((ready, consumers)) => {
                    found.ready_messages.insert(queue.name.clone(), ready);
                    if consumers == 0 {
                        found.unconsumed_queues.insert(queue.name.clone());
                    }
                }
                None => found.missing_queues.push(queue.name.clone()),
            }
        }
        Ok(found)
    }
}

impl Declarer {
    /// Asks how many messages are ready in some queues, one after the other. That needs no permission on them.
    ///
    /// * returns those that exist. Zero may also mean that a queue's leader did not answer in time.
    ///
    /// # Errors
    /// [`InspectError`] when the connection failed meanwhile.
    pub async fn ready_messages(
        &self,
        queues: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, u32>, InspectError> {
        let mut asker = Asker::new(self);
        let mut found = BTreeMap::new();
        for name in queues {
            match asker.counts(&name).await {
                Ok(Some((ready, _))) => drop(found.insert(name, ready)),
                Ok(None) => {}
                Err(source) => return Err(InspectError { name, source }),
            }
        }
        if let Some(channel) = asker.channel.take() {
            // Whatever comes of it, the answers are there; the session takes the channel with it at the latest.
            let _ = channel.close(REPLY_SUCCESS, "asked".into()).await;
        }
        Ok(found)
    }
}

impl QueueSpec {
    /// The arguments that the queue is declared with, by their names on the wire (`x-queue-type` and so on).
    #[must_use]
    pub fn arguments(&self) -> BTreeMap<String, Argument> {
        let table = declare::arguments(self);
        table.inner().iter().map(|(name, value)| (name.to_string(), argument(value))).collect()
    }
}

/// Asks one thing after the other. The broker closes the channel of each question that it answers with "no".
pub(crate) struct Asker<'d> {
    declarer: &'d Declarer,
    channel: Option<Channel>,
}

impl<'d> Asker<'d> {
    pub(crate) const fn new(declarer: &'d Declarer) -> Self {
        Self { declarer, channel: None }
    }

    pub(crate) async fn has_exchange(&mut self, name: &str) -> Result<bool, lapin::Error> {
        let channel = self.channel().await?;
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        // A passive declaration compares neither type nor arguments.
        let asked =
            channel.exchange_declare(name.into(), ExchangeKind::Direct, options, FieldTable::default());
        Ok(found(asked.await)?.map(|()| self.channel = Some(channel)).is_some())
    }

    /// Messages ready in a queue, and how many consume it; `None` when there is no such queue.
    pub(crate) async fn counts(&mut self, name: &str) -> Result<Option<(u32, u32)>, lapin::Error> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = channel.queue_declare(name.into(), options, FieldTable::default());
        let queue = found(asked.await)?;
        if queue.is_some() {
            self.channel = Some(channel);
        }
        Ok(queue.map(|queue| (queue.message_count(), queue.consumer_count())))
    }

    async fn channel(&mut self) -> Result<Channel, lapin::Error> {
        match self.channel.take() {
            Some(channel) => Ok(channel),
            None => self.declarer.session().await.connection.create_channel().await,
        }
    }
}

/// Tells "there is none" from failures.
fn found<T>(answer: Result<T, lapin::Error>) -> Result<Option<T>, lapin::Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(reply)
                if *reply.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) =>
            {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

fn expected(binding: BindingSpec) -> ExpectedBinding {
    let BindingSpec { exchange, destination, kind, key } = binding;
    ExpectedBinding { exchange, destination, kind, key }
}

fn argument(value: &AMQPValue) -> Argument {
    match value {
        AMQPValue::LongString(text) => Argument::Text(text.to_string()),
        AMQPValue::LongLongInt(number) => Argument::Whole(*number),
        other => unreachable!("the topology declares no argument such as {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::Ladder;

    use super::*;
    use crate::Shards;

    #[test]
    fn every_queue_says_what_it_means_in_its_arguments() {
        let topology = Topology::new(&Ladder::default(), Shards::ONE);
        for queue in topology.queues() {
            let arguments = queue.arguments();
            let text = |name: &str| match arguments.get(name) {
                Some(Argument::Text(text)) => Some(text.clone()),
                _ => None,
            };
            assert_eq!(text("x-queue-type").as_deref(), Some("quorum"), "{}", queue.name);
            assert_eq!(text("x-overflow").as_deref(), Some("reject-publish"), "{}", queue.name);
            assert_eq!(arguments.contains_key("x-message-ttl"), queue.time_to_live.is_some());
            let dead_letter = queue.dead_letter.as_ref().map(|(exchange, _)| exchange.clone());
            assert_eq!(text("x-dead-letter-exchange"), dead_letter);
        }
    }
}
