//! Messages nobody can process: set aside with the reason and the bytes as they came, never guessed at, never lost.

use anyhow::{Result, ensure};

use crate::account::ensure_no_ends;
use crate::amqp::{Amqp, Message};
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED, oversized};
use crate::context::Context;
use crate::queues;
use crate::receiver::Answer;

/// Bodies that are no event.
pub async fn what_cannot_be_read_is_parked_with_its_reason_and_its_bytes(context: Context) -> Result<()> {
    let event = |id: &str| Message::event("test", SCHEDULED, id, APPOINTMENT);
    let with_body = |id: &str, body: Vec<u8>| Message { body, ..event(id) };
    let text = |id: &str| String::from_utf8(event(id).body);
    let truncated = event("evt-truncated").body[..200].to_vec();
    let not_utf8 = [b"{\"id\":\"".as_slice(), &[0xC3, 0x28], b"\"}"].concat();
    let owner = format!(r#""organisationId":"{ORGANISATION}","occurredAt""#);
    let late = text("evt-late")?.replace("2024-02-06T17:20:59Z", "9999-12-31T23:59:59-01:00");
    let unowned = text("evt-unowned")?.replace(&owner, r#""occurredAt""#);
    ensure_parked(
        context,
        &[
            (with_body("evt-malformed", b"{\"id\": nonsense}".to_vec()), "not well-formed JSON"),
            (with_body("evt-utf8", not_utf8), "not UTF-8"),
            (with_body("evt-truncated", truncated), "ends too early"),
            (with_body("evt-empty", Vec::new()), "ends too early"),
            (with_body("evt-list", b"[]".to_vec()), "not of the kind"),
            (Message::event("test", SCHEDULED, "evt-big", &oversized()), "at most 65536"),
            (with_body("evt-late", late.into_bytes()), "`occurredAt`"),
            (with_body("evt-unowned", unowned.into_bytes()), "`organisationId` is missing"),
            (Message::event("test", "appointment", "evt-type", APPOINTMENT), "not an event type"),
            (Message::event("test", SCHEDULED, "evt.id", APPOINTMENT), "event id"),
        ],
    )
    .await
}

/// Events whose parts disagree about whose they are, what happened, or in which mode.
pub async fn what_contradicts_itself_is_parked_with_its_reason_and_its_bytes(context: Context) -> Result<()> {
    let event = |id: &str| Message::event("test", SCHEDULED, id, APPOINTMENT);
    let mut relabelled = event("evt-one");
    relabelled.properties = relabelled.properties.with_message_id("evt-another".into());
    let mut retyped = event("evt-retyped");
    retyped.properties = retyped.properties.with_type("appointment.cancelled".into());
    let mut rerouted = event("evt-rerouted");
    rerouted.routing_key = "test.appointment.cancelled".to_owned();
    let live = Message {
        routing_key: format!("test.{SCHEDULED}"),
        ..Message::event("live", SCHEDULED, "evt-live", APPOINTMENT)
    };
    let stolen = APPOINTMENT.replace(ORGANISATION, "org_somebodyElse");
    ensure_parked(
        context,
        &[
            (relabelled, "message_id says `evt-another`"),
            (retyped, "type says `appointment.cancelled`"),
            (rerouted, "routing key says `test.appointment.cancelled`"),
            (live, "the queue says `test`"),
            (Message::event("test", SCHEDULED, "evt-stolen", &stolen), "says `org_somebodyElse`"),
        ],
    )
    .await
}

/// A routing key that no queue is bound for.
pub async fn what_fits_no_queue_is_kept(context: Context) -> Result<()> {
    let site = context.site().await?;
    let amqp = site.amqp().await?;
    let lost = Message {
        routing_key: "prod.appointment.x".to_owned(),
        ..Message::event("test", SCHEDULED, "evt-lost", APPOINTMENT)
    };
    amqp.publish(&lost).await?;
    let kept = amqp.take(queues::UNROUTABLE, 1).await?;
    ensure!(kept[0].body == lost.body, "the body was changed");
    Ok(())
}

/// Publishes bad events and then a good one, and looks for each where it belongs.
async fn ensure_parked(context: Context, events: &[(Message, &str)]) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;
    for (message, reason) in events {
        amqp.publish(message).await?;
        ensure_last_parked(&amqp, message, reason).await?;
    }
    amqp.publish(&Message::event("test", SCHEDULED, "evt-good", APPOINTMENT)).await?;
    endpoint.await_requests(1).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 1, "a parked event was delivered: {:?}", endpoint.requests());
    ensure_no_ends(&amqp).await?;
    amqp.ensure_empty([queues::parked("test").as_str(), &queues::parked("live")]).await
}

async fn ensure_last_parked(amqp: &Amqp, message: &Message, reason: &str) -> Result<()> {
    let parked = amqp.take(&queues::parked("test"), 1).await?;
    let told = parked[0].header("bellhop-reason").unwrap_or_default();
    ensure!(told.contains(reason), "the reason is `{told}`, which lacks `{reason}`");
    ensure!(!told.contains("+447700900123"), "the reason repeats the payload: `{told}`");
    ensure!(parked[0].body == message.body, "parked for `{told}`, the body was changed");
    Ok(())
}
