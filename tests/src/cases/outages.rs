//! Delivery goes on while Redis or PostgreSQL is away, for webhooks that are known; and under load, whatever a server
//! does to us, nothing is lost and nobody gets more than three attempts.

pub mod broker;
pub mod policies;
pub mod postgres;
pub mod redis;
pub mod refusals;

use anyhow::{Result, ensure};

use crate::context::Context;
use crate::receiver::Answer;
use crate::stack::Service;

/// A rung for the seconds that an outage takes here: what is put off again and again climbs to the longer ones.
const SHORT_WAITS: (&str, &str) = ("BELLHOP_RETRY_WAITS", "300ms,2s");

/// Memory asks again after this, so that Redis and the truth are asked all the time.
const FORGETFUL: (&str, &str) = ("BELLHOP_MEMORY_REVALIDATE_AFTER", "100ms");

/// How many fresh events were put off because nobody could tell who wants them.
const DEFERRED: &str = r#"bellhop_events_total{lane="fresh",mode="test",result="deferred"}"#;

/// Redis is a copy.
pub async fn delivery_goes_on_without_redis(context: Context) -> Result<()> {
    delivery_goes_on_without(context, Service::Redis).await
}

/// Memory and Redis carry what PostgreSQL knew.
pub async fn delivery_goes_on_without_postgres(context: Context) -> Result<()> {
    delivery_goes_on_without(context, Service::Postgres).await
}

/// One event while the server is there, one while it is away; the second fails once, so that its attempt 2 must be
/// claimed and its webhook looked up without the server.
async fn delivery_goes_on_without(context: Context, service: Service) -> Result<()> {
    let stack = context.private_stack(&[service]).await?;
    let site = context.site_on(&stack).await?;
    let receiver = context.receiver().await?;
    let answers = vec![Answer::status(200), Answer::status(500), Answer::status(200)];
    let endpoint = receiver.endpoint_in_turn("hook", answers);
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;
    endpoint.await_requests(1).await?;
    stack.kill(service).await?;
    site.operator.publish_appointment().await?;

    let requests = endpoint.await_requests(3).await?;
    ensure!(requests[1].webhook_id() != requests[0].webhook_id(), "{requests:?}");
    ensure!(
        requests[2].webhook_id() == requests[1].webhook_id() && requests[2].attempt() == 2,
        "{requests:?}"
    );
    for request in &requests {
        request.verify(&webhook.secret)?;
    }
    site.ensure_nothing_owed(worker).await
}
