//! Somebody else's policy for every queue of the broker, and ours above it.

use anyhow::Result;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};

use crate::context::Context;
use crate::load::Load;
use crate::patience::eventually;

const EVENTS: usize = 200;

/// Forgets the oldest, forgets what is a moment old, forgets whole queues that nobody uses.
const HOSTILE: &str = r#"{"overflow":"drop-head","max-length":1,"message-ttl":100,"expires":1000}"#;

/// A queue of somebody else's, by which one sees what the hostile policy does.
const VICTIM: &str = "somebody.elses";

/// With the shipped policy in place the hostile one touches none of our queues, however it is ordered.
pub async fn the_shipped_policy_keeps_a_hostile_one_away(context: Context) -> Result<()> {
    let site = context.site().await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    site.place.set_shipped_policy().await?;
    site.place.set_policy("hostile", "^.*", 1, HOSTILE).await?;
    declare_victim(&site.place.amqp_url()).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    load.await_end().await?;
    await_victims_end(&site.place.amqp_url()).await?;
    load.ensure_settled(&site, worker, 0).await
}

async fn declare_victim(url: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(VICTIM.into(), options, arguments).await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// Waits until the victim has expired: whatever else the policy matched is gone by then, too.
async fn await_victims_end(url: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let look = || async {
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(VICTIM.into(), options, FieldTable::default()).await;
        Ok(found.is_err().then_some(()))
    };
    eventually("the victim to expire", look).await
}
