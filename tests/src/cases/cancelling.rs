//! A webhook that goes away while it is owed something: nothing more is sent, and the payload is kept.

use anyhow::{Result, ensure};
use bellhop_model::{End, EndReason, EndState};

use crate::account::take_ends;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::Answer;

/// Long enough for a command to run between two attempts.
const WAITS: &str = "5s,6s";

/// The webhook is looked up again when the delivery is due.
pub async fn a_webhook_disabled_between_attempts_cancels_the_delivery(context: Context) -> Result<()> {
    cancelled_by(context, "disable").await
}

/// The same for one that was removed.
pub async fn a_webhook_removed_between_attempts_cancels_the_delivery(context: Context) -> Result<()> {
    cancelled_by(context, "remove").await
}

/// `410 Gone` is the endpoint's own way to say so.
pub async fn an_endpoint_that_is_gone_disables_its_webhook(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(410));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    let event = Message::event("test", SCHEDULED, "evt-gone", APPOINTMENT);
    let amqp = site.amqp().await?;
    amqp.publish(&event).await?;

    let ends = take_ends(&amqp, 1).await?;
    ensure!(ends[0].reason == EndReason::EndpointGone, "{ends:?}");
    ensure_kept(&ends[0], &event)?;
    let look = || async {
        let shown = site.operator.show_webhook(&webhook).await?.to_string();
        Ok((shown.contains("disabled") && shown.contains("gone")).then_some(()))
    };
    eventually("the webhook to be disabled as gone", look).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 1, "{:?}", endpoint.requests());
    Ok(())
}

async fn cancelled_by(context: Context, verb: &str) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_RETRY_WAITS", WAITS)]).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint_in_turn("hook", vec![Answer::status(500), Answer::status(200)]);
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;

    let event = Message::event("test", SCHEDULED, "evt-owed", APPOINTMENT);
    amqp.publish(&event).await?;
    endpoint.await_requests(1).await?;
    site.operator.change_webhook(verb, &webhook).await?;

    let ends = take_ends(&amqp, 1).await?;
    ensure!(ends[0].reason == EndReason::WebhookInactive, "{ends:?}");
    ensure_kept(&ends[0], &event)?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 1, "sent after `{verb}`: {:?}", endpoint.requests());
    Ok(())
}

/// A cancelled delivery can be owed again only if its event is on record.
fn ensure_kept(end: &End, event: &Message) -> Result<()> {
    ensure!(end.reason.state() == EndState::Cancelled, "{end:?}");
    ensure!(end.attempt.map(|attempt| attempt.number()) == Some(1), "{end:?}");
    ensure!(end.event == event.body, "the record's event is not what was published");
    Ok(())
}
