//! Changing over how many queues events are spread, on a broker that takes events meanwhile.

use bellhop_model::Mode;
use lapin::Channel;
use lapin::options::{ExchangeDeleteOptions, ExchangeUnbindOptions};
use lapin::types::FieldTable;

use crate::declare::{DeclareError, bind, declare_exchange, judge, open_channel};
use crate::inspect::Asker;
use crate::limits::SETTLE_PAUSE;
use crate::link::Declarer;
use crate::names::{events_queue, shards_exchange};
use crate::shards::{Found, Shards, Step, Way};
use crate::topology::{BindingSpec, Destination, Topology};

/// How the events of one mode are spread now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// The mode.
    pub mode: Mode,
    /// Over how many queues.
    pub shards: Shards,
    /// Queues of a larger number of shards that no event reaches any more.
    pub left_over: Vec<LeftOver>,
}

/// A queue that no event reaches any more. It is not deleted here: a quorum queue cannot be deleted on condition that it
/// is empty, and AMQP does not tell of what workers have in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOver {
    /// Its name.
    pub queue: String,
    /// Messages ready in it; those in hand are not counted, and a queue that answers too late tells of none.
    pub ready: u32,
}

impl Topology {
    /// Sees to it that events reach the shards of each mode, and no other queues, whatever number there was before.
    /// Each event that comes meanwhile is stored once. What [`Topology::declare`] declares must exist.
    ///
    /// One process may do this at a time, unless all want the same number.
    ///
    /// # Errors
    /// [`DeclareError`]; events go on to be stored once, and doing it again completes it.
    pub async fn spread_events(&self, declarer: &Declarer) -> Result<Vec<Spread>, DeclareError> {
        let mut spread = Vec::with_capacity(self.ways.len());
        for way in &self.ways {
            let (found, left_over) = look(declarer, *way).await?;
            let channel = open_channel(declarer).await?;
            for step in way.steps(&found) {
                let made = make(&channel, step).await;
                made.map_err(|error| if found.is_hashing { error } else { unknown_type(way.mode, error) })?;
            }
            spread.push(Spread { mode: way.mode, shards: way.shards, left_over });
        }
        Ok(spread)
    }
}

/// Looks for an exchange that hashes and for queues beyond the wanted number.
///
/// The broker logs each that is not there. Where nothing hashes none of them is bound, and the first gap is the end;
/// otherwise all are asked for, lest one behind a gap stays bound.
async fn look(declarer: &Declarer, way: Way) -> Result<(Found, Vec<LeftOver>), DeclareError> {
    let mut asker = Asker::new(declarer);
    let hashing = shards_exchange(way.mode);
    let is_hashing = asker.has_exchange(&hashing).await.map_err(|error| judge(&hashing, error))?;
    let mut found = Found { is_hashing, left_over: Vec::new() };
    let mut left_over = Vec::new();
    for shard in way.shards.numbers_beyond() {
        let queue = events_queue(way.mode, shard);
        let counted = asker.counts(&queue).await.map_err(|error| judge(&queue, error))?;
        match counted {
            Some((ready, _)) => {
                found.left_over.push(shard);
                left_over.push(LeftOver { queue, ready });
            }
            None if is_hashing => {}
            None => break,
        }
    }
    Ok((found, left_over))
}

async fn make(channel: &Channel, step: Step) -> Result<(), DeclareError> {
    match step {
        Step::Declare(exchange) => declare_exchange(channel, &exchange).await,
        Step::Bind(binding) => bind(channel, &binding).await,
        Step::Unbind(binding) => unbind(channel, &binding).await,
        Step::Settle => {
            tokio::time::sleep(SETTLE_PAUSE).await;
            Ok(())
        }
        Step::Delete(exchange) => {
            let deleted =
                channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await;
            deleted.map_err(|error| judge(&exchange, error))
        }
    }
}

/// Tells that the broker cannot hash, where what it refused was an exchange that was not there. RabbitMQ 4 refuses a type
/// that it does not know with the code for an exchange that exists with other arguments; 3.x has a code for it.
fn unknown_type(mode: Mode, error: DeclareError) -> DeclareError {
    match error {
        DeclareError::Different { name, .. } if name == shards_exchange(mode) => {
            DeclareError::MissingPlugin { name }
        }
        other => other,
    }
}

async fn unbind(channel: &Channel, binding: &BindingSpec) -> Result<(), DeclareError> {
    let BindingSpec { exchange, destination, kind, key } = binding;
    let (to, from, key) = (destination.as_str().into(), exchange.as_str().into(), key.as_str().into());
    let unbound = match kind {
        Destination::Queue => channel.queue_unbind(to, from, key, FieldTable::default()).await,
        Destination::Exchange => {
            let options = ExchangeUnbindOptions::default();
            channel.exchange_unbind(to, from, key, options, FieldTable::default()).await
        }
    };
    unbound.map_err(|error| judge(destination, error))
}
