//! The producer's library: a confirm means stored, and every other end says what became of the event.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_producer::{BrokerAddress, Mode, NewEvent, Producer, ProducerError, ProducerOptions};
use futures_util::StreamExt as _;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};

use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::patience::eventually;
use crate::stack::Service;

const EVENTS: usize = 1000;

/// Long enough for a confirm on a busy machine, short enough for a case that waits for it to pass.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Several times what is in flight at once, so that the pipeline fills, drains and fills again.
pub async fn many_events_are_confirmed_each_by_its_own_id(context: Context) -> Result<()> {
    let site = context.site().await?;
    let producer = connect(&site.place.amqp_url()).await?;
    let events = (0..EVENTS).map(|_| event()).collect::<Result<Vec<_>>>()?;
    let published: BTreeSet<String> = events.iter().map(|event| event.id().to_string()).collect();

    let mut results = std::pin::pin!(producer.publish_many(events));
    let mut confirmed = BTreeSet::new();
    while let Some((id, result)) = results.next().await {
        result.with_context(|| id.to_string())?;
        confirmed.insert(id.to_string());
    }
    ensure!(confirmed == published, "{} of {EVENTS} were confirmed", confirmed.len());
    let stored = site.amqp().await?.drain("bellhop.test.events.0").await?;
    ensure!(stored.len() == EVENTS, "{} events are stored", stored.len());
    Ok(())
}

/// First a virtual host with nothing in it, then one with the exchange and no queue behind it.
pub async fn what_no_queue_would_take_is_told_from_what_has_no_exchange(context: Context) -> Result<()> {
    let place = context.bare_place().await?;
    let producer = connect(&place.amqp_url()).await?;
    let result = producer.publish(&event()?).await;
    ensure!(matches!(result, Err(ProducerError::NoExchange)), "{result:?}");

    let connection = Connection::connect(&place.amqp_url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare("bellhop.events".into(), ExchangeKind::Topic, options, FieldTable::default())
        .await?;
    let result = producer.publish(&event()?).await;
    ensure!(matches!(result, Err(ProducerError::Unroutable)), "{result:?}");
    producer.close().await;
    Ok(())
}

/// A full queue refuses at once; a broker short of memory blocks, and takes again when it is over.
pub async fn a_broker_that_takes_nothing_says_why(context: Context) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let site = context.site_on(&broker).await?;
    let producer = connect(&site.place.amqp_url()).await?;

    let host = site.place.virtual_host();
    let full = r#"{"max-length":1}"#;
    broker
        .ctl(&["set_policy", "-p", host, "full", "^bellhop.test.events", full, "--apply-to", "queues"])
        .await?;
    eventually("a refusal", || async {
        match producer.publish(&event()?).await {
            Ok(()) => Ok(None),
            Err(ProducerError::Refused) => Ok(Some(())),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    broker.ctl(&["clear_policy", "-p", host, "full"]).await?;
    eventually("an event to be taken again", || async { Ok(producer.publish(&event()?).await.ok()) }).await?;

    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await?;
    eventually("a blocked publish", || async {
        match producer.publish(&event()?).await {
            Ok(()) => Ok(None),
            Err(ProducerError::Blocked) => Ok(Some(())),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    broker.ctl(&["set_vm_memory_high_watermark", "0.6"]).await?;
    eventually("an event to be taken again", || async { Ok(producer.publish(&event()?).await.ok()) }).await
}

async fn connect(url: &str) -> Result<Producer> {
    let options = ProducerOptions { publish_timeout: PUBLISH_TIMEOUT };
    Ok(Producer::connect(BrokerAddress::parse(url, None)?, options).await?)
}

fn event() -> Result<NewEvent> {
    Ok(NewEvent::new(&SCHEDULED.parse()?, Mode::Test, APPOINTMENT)?)
}
