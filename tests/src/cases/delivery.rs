//! What an endpoint receives: the right bytes, once, signed, with the headers of the contract.

use anyhow::{Context as _, Result, ensure};
use time::OffsetDateTime;

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, COLLAPSED, EXPANDED, ID_ONLY, PATIENT_EXPANDED, SCHEDULED};
use crate::context::Context;
use crate::operator::Registration;
use crate::patience::eventually;
use crate::receiver::Answer;

/// The plain story: register, publish at the command line, receive.
pub async fn a_published_event_is_delivered_once_signed_and_collapsed(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(204));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    let requests = endpoint.await_requests(1).await?;
    requests[0].verify(&webhook.secret)?;
    ensure!(requests[0].body == COLLAPSED, "{:?}", requests[0].body);
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 1, "delivered more than once");
    Ok(())
}

/// Headers and their values, all of them: what is not in the contract somebody would come to rely on.
pub async fn a_request_carries_the_headers_of_the_contract_and_no_others(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    site.operator.add_webhook(&endpoint.url).await?;
    let _worker = site.worker().await?;

    site.amqp().await?.publish(&Message::event("test", SCHEDULED, "evt-headers_1", APPOINTMENT)).await?;

    let requests = endpoint.await_requests(1).await?;
    let request = &requests[0];
    ensure!(request.method() == "POST", "{}", request.method());
    let expected = [
        ("content-length", COLLAPSED.len().to_string()),
        ("content-type", "application/json".to_owned()),
        ("host", receiver.address().to_string()),
        ("user-agent", format!("Bellhop/{}", env!("CARGO_PKG_VERSION"))),
        ("webhook-attempt", "1".to_owned()),
        ("webhook-event", SCHEDULED.to_owned()),
        ("webhook-id", "evt-headers_1".to_owned()),
        ("webhook-mode", "test".to_owned()),
    ];
    for (name, value) in &expected {
        ensure!(request.header(name) == value, "{name} is `{}`, not `{value}`", request.header(name));
    }
    let mut names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    names.extend(["webhook-signature", "webhook-timestamp"]);
    ensure!(request.header_names() == names, "{:?}", request.header_names());
    let timestamp: i64 = request.header("webhook-timestamp").parse().context("unix seconds")?;
    let age = OffsetDateTime::now_utc().unix_timestamp() - timestamp;
    ensure!((0..60).contains(&age), "the timestamp is {age} s old");
    Ok(())
}

/// Expansion is per webhook and per object; everything else stays byte for byte.
pub async fn each_webhook_gets_what_it_expands_and_nothing_else(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let _worker = site.worker().await?;
    let wishes: [(&str, &[&str], &str); 3] = [
        ("nothing", &[], COLLAPSED),
        ("patient", &["patient"], PATIENT_EXPANDED),
        ("everything", &["patient", "task", "window"], EXPANDED),
    ];
    let mut endpoints = Vec::new();
    for (name, expanded, body) in wishes {
        let endpoint = receiver.endpoint(name, Answer::status(200));
        let registration = Registration { expanded, ..Registration::test(&endpoint.url) };
        let webhook = site.operator.register(&registration).await?;
        endpoints.push((endpoint, webhook, body));
    }

    site.operator.publish_appointment().await?;

    for (endpoint, webhook, body) in endpoints {
        let requests = endpoint.await_requests(1).await?;
        ensure!(requests[0].body == body, "{}: {:?}", endpoint.url, requests[0].body);
        requests[0].verify(&webhook.secret)?;
    }
    Ok(())
}

/// Each request is held against the whole body; beside it another webhook gets the full payload of the same event. The
/// log must tell what was sent, too.
pub async fn a_webhook_that_wants_the_id_alone_gets_nothing_else(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let _worker = site.worker().await?;
    let _recorder = site.recorder().await?;
    let frugal = receiver.endpoint_in_turn("frugal", vec![Answer::status(500), Answer::status(200)]);
    let usual = receiver.endpoint("usual", Answer::status(200));
    let registration = Registration { payload: "id-only", ..Registration::test(&frugal.url) };
    let webhook = site.operator.register(&registration).await?;
    site.operator.add_webhook(&usual.url).await?;
    ensure!(site.operator.show_webhook(&webhook).await?["payload"] == "id_only");

    site.operator.publish_appointment().await?;

    for request in frugal.await_requests(2).await? {
        ensure!(request.body == ID_ONLY, "{:?}", request.body);
        request.verify(&webhook.secret)?;
    }
    ensure!(usual.await_requests(1).await?[0].body == COLLAPSED);
    let delivered = eventually("the delivery to be on record", async || {
        let latest = site.operator.latest_delivery(&webhook.id).await?;
        Ok(latest.filter(|delivery| delivery["state"] == "delivered"))
    });
    let delivered = delivered.await?;
    let requests = delivered["requests"].as_array().context("a list of requests")?;
    ensure!(requests.len() == 2 && requests.iter().all(|made| made["payload"] == "id_only"), "{delivered}");
    Ok(())
}

/// Nothing is registered whose wishes contradict each other.
pub async fn who_wants_the_id_alone_can_expand_nothing(context: Context) -> Result<()> {
    let site = context.site().await?;
    let url = "https://example.org/hook";
    let registration = Registration { payload: "id-only", expanded: &["patient"], ..Registration::test(url) };
    let refused = site.operator.register(&registration).await.err().context("a contradiction is refused")?;
    ensure!(format!("{refused:#}").contains("--payload full"), "{refused:#}");
    let listed = site.operator.program().run(&["webhook", "list", "--output", "json"]).await?.succeeded()?;
    ensure!(!listed.stdout.contains("wh_"), "a webhook was kept: {}", listed.stdout);
    Ok(())
}

/// The other type is published first, so that it would have arrived first.
pub async fn a_webhook_gets_the_event_types_it_asked_for_and_no_others(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let event_types = ["appointment.completed", "appointment.cancelled"];
    let registration = Registration { event_types: &event_types, ..Registration::test(&endpoint.url) };
    site.operator.register(&registration).await?;
    let worker = site.worker().await?;

    let types = ["appointment.created", SCHEDULED, "appointment.completed", "appointment.cancelled"];
    let event =
        |event_type: &str| Message::event("test", event_type, &event_type.replace('.', "-"), APPOINTMENT);
    site.amqp().await?.publish_all(&types.map(event)).await?;

    endpoint.await_requests(2).await?;
    site.ensure_nothing_owed(worker).await?;
    let mut received: Vec<_> =
        endpoint.requests().iter().map(|r| r.header("webhook-event").to_owned()).collect();
    received.sort_unstable();
    ensure!(received == ["appointment.cancelled", "appointment.completed"], "{received:?}");
    Ok(())
}

/// More types will come, and no release of ours should be needed for them.
pub async fn a_type_nobody_has_heard_of_is_delivered_to_who_asked_for_it(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let event_types = ["visit_2.rescheduled"];
    let registration = Registration { event_types: &event_types, ..Registration::test(&endpoint.url) };
    let webhook = site.operator.register(&registration).await?;
    let _worker = site.worker().await?;

    site.amqp().await?.publish(&Message::event("test", event_types[0], "evt-new", APPOINTMENT)).await?;

    let requests = endpoint.await_requests(1).await?;
    ensure!(requests[0].header("webhook-event") == event_types[0]);
    requests[0].verify(&webhook.secret)
}
