//! Three attempts in all, each after its wait, and only for who failed.

use std::time::Duration;

use anyhow::{Result, ensure};
use bellhop_model::EndState;

use crate::account::{ensure_no_ends, take_ends};
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::receiver::{Answer, Request};

/// "No more" is seen by its end: the record in the log, then empty queues and no fourth request.
pub async fn a_failing_endpoint_sees_three_attempts_and_no_more(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(500));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;

    let event = Message::event("test", SCHEDULED, "evt-failing", APPOINTMENT);
    amqp.publish(&event).await?;

    let ends = take_ends(&amqp, 1).await?;
    ensure!(ends[0].reason.state() == EndState::Exhausted, "{ends:?}");
    ensure!(ends[0].attempt.map(|attempt| attempt.number()) == Some(3), "{ends:?}");
    ensure!(ends[0].outcome == "5xx" && ends[0].webhook.as_str() == webhook.id, "{ends:?}");
    ensure!(ends[0].event == event.body, "the record's event is not what was published");

    site.ensure_nothing_owed(worker).await?;
    ensure_no_ends(&amqp).await?;
    let requests = endpoint.requests();
    let attempts: Vec<u8> = requests.iter().map(Request::attempt).collect();
    ensure!(attempts == [1, 2, 3], "{attempts:?}");
    for request in &requests {
        request.verify(&webhook.secret)?;
        ensure!(request.webhook_id() == "evt-failing" && request.body == requests[0].body);
    }
    for (number, wait) in [Duration::from_millis(300), Duration::from_millis(600)].into_iter().enumerate() {
        let waited = requests[number + 1].arrived - requests[number].arrived;
        ensure!(wait <= waited, "attempt {} came after {waited:?}", number + 2);
    }
    Ok(())
}

/// One event, two webhooks: the retry belongs to the one that failed.
pub async fn one_failing_endpoint_does_not_make_others_see_an_event_again(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let good = receiver.endpoint("good", Answer::status(200));
    let failing = receiver.endpoint_in_turn("failing", vec![Answer::status(503), Answer::status(200)]);
    site.operator.add_webhook(&good.url).await?;
    site.operator.add_webhook(&failing.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    failing.await_requests(2).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(good.requests().len() == 1, "the good endpoint saw {:?}", good.requests());
    ensure!(failing.requests().len() == 2, "the failing endpoint saw {:?}", failing.requests());
    ensure_no_ends(&site.amqp().await?).await
}

/// One second is asked for; the rungs are 300 ms and 2 s.
pub async fn a_wait_that_the_endpoint_asks_for_is_rounded_up_to_a_rung(context: Context) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_RETRY_WAITS", "300ms,2s")]).await?;
    let receiver = context.receiver().await?;
    let busy = Answer::status(429).with_header("retry-after", "1");
    let endpoint = receiver.endpoint_in_turn("hook", vec![busy, Answer::status(200)]);
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    let requests = endpoint.await_requests(2).await?;
    let waited = requests[1].arrived - requests[0].arrived;
    ensure!(Duration::from_secs(2) <= waited, "the second attempt came after {waited:?}");
    site.ensure_nothing_owed(worker).await
}
