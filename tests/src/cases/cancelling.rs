//! A webhook that goes away while it is owed something: nothing more is sent, and the payload is kept.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{End, EndReason, EndState};

use crate::account::take_ends;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::Answer;

/// Long enough for a command to run between two attempts.
const WAITS: &str = "5s,6s";

/// What a worker counts of them.
const CANCELLED: &str =
    r#"bellhop_deliveries_total{end="cancelled",mode="test",type="appointment.scheduled"}"#;

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
    worker.await_figure(CANCELLED, 1).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 1, "{:?}", endpoint.requests());
    Ok(())
}

/// One answer ends everything that the webhook is owed, on whatever rung it waits.
pub async fn an_endpoint_that_is_gone_cancels_what_waits_for_it(context: Context) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_RETRY_WAITS", WAITS)]).await?;
    let receiver = context.receiver().await?;
    let answers = [500, 500, 410].map(Answer::status).to_vec();
    let endpoint = receiver.endpoint_in_turn("hook", answers);
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;

    let event = |id: &str| Message::event("test", SCHEDULED, id, APPOINTMENT);
    let waiting = ["evt-first", "evt-second"].map(event);
    for event in &waiting {
        amqp.publish(event).await?;
    }
    endpoint.await_requests(2).await?;
    let last = event("evt-gone");
    amqp.publish(&last).await?;

    let ends = take_ends(&amqp, 3).await?;
    for (event, reason) in [
        (&last, EndReason::EndpointGone),
        (&waiting[0], EndReason::WebhookInactive),
        (&waiting[1], EndReason::WebhookInactive),
    ] {
        let end = ends.iter().find(|end| end.event == event.body && end.reason == reason);
        ensure_kept(end.with_context(|| format!("{reason:?} is not among {ends:?}"))?, event)?;
    }
    worker.await_figure(CANCELLED, 3).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 3, "{:?}", endpoint.requests());
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
    worker.await_figure(CANCELLED, 1).await?;
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
