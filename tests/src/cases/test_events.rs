//! Test events: what one webhook gets, and nobody else, when its owner asks for a sample.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::caller::ApiProcess;
use crate::context::Context;
use crate::operator::Registration;
use crate::patience::eventually;
use crate::receiver::Answer;

/// Of a type that the webhook does not even want; it fails once, and is tried again like any event.
pub async fn a_test_event_reaches_one_webhook_signed_marked_and_logged(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let chosen = receiver.endpoint_in_turn("chosen", vec![Answer::status(503), Answer::status(200)]);
    let other = receiver.endpoint("other", Answer::status(200));
    let registration = Registration { expanded: &["task"], ..Registration::test(&chosen.url) };
    let webhook = site.operator.register(&registration).await?;
    let types = ["appointment.scheduled", "appointment.cancelled"];
    site.operator.register(&Registration { event_types: &types, ..Registration::test(&other.url) }).await?;
    let worker = site.worker().await?;
    let _recorder = site.recorder().await?;
    let api = ApiProcess::start(&site).await?;
    let developer = api.caller(&site, "test", "developer").await?;

    let path = format!("/v1/webhooks/{}/test-events", webhook.id);
    let sent = developer.post(&path, r#"{"type":"appointment.cancelled"}"#).await?.of(202)?.body;

    let requests = chosen.await_requests(2).await?;
    for (number, request) in requests.iter().enumerate() {
        request.verify(&webhook.secret)?;
        ensure!(usize::from(request.attempt()) == number + 1 && request.webhook_id() == sent["id"]);
        ensure!(request.header("webhook-test-event") == "true", "attempt {}", request.attempt());
        ensure!(request.header("webhook-event") == "appointment.cancelled");
    }
    let body: Value = serde_json::from_slice(&requests[1].body)?;
    let data = body["data"].as_object().context("an appointment")?;
    ensure!(body.as_object().is_some_and(|body| body.len() == 1), "{body}");
    ensure!(data["status"] == "cancelled" && data["organisationId"] == crate::appointment::ORGANISATION);
    ensure!(data["patient"].as_object().is_some_and(|patient| patient.len() == 1), "{body}");
    ensure!(data["task"]["name"].is_string(), "the webhook expands the task: {body}");

    let recorded = eventually("the delivery to be on record", async || {
        let latest = site.operator.latest_delivery(&webhook.id).await?;
        Ok(latest.filter(|delivery| delivery["state"] == "delivered"))
    });
    let recorded = recorded.await?;
    ensure!(recorded["id"] == sent["delivery"] && recorded["event"] == sent["id"], "{recorded} {sent}");
    ensure!(recorded["testEvent"] == true && recorded["attempt"] == 2, "{recorded}");
    let show = ["deliveries", "show", "--payload", recorded["id"].as_str().unwrap_or_default()];
    let shown =
        site.operator.program().run(&[&show[..], &["--output", "json"]].concat()).await?.succeeded()?;
    let audit = api.caller(&site, "test", "administrator").await?.get("/v1/audit").await?.of(200)?;
    let acts = audit.body["data"].as_array().context("a list")?;
    let is_told = |act: &Value| act["action"] == "test_event.sent" && act["target"] == webhook.id.as_str();
    ensure!(acts.iter().any(is_told), "{}", audit.text);
    ensure!(shown.stdout.contains("9990000018"), "the sample is on record: {}", shown.stdout);

    site.ensure_nothing_owed(worker).await?;
    ensure!(other.requests().is_empty(), "another webhook got the test event");
    Ok(())
}

/// A real event beside it is not marked, neither at the endpoint nor in the log.
pub async fn an_event_that_happened_is_not_marked(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let _worker = site.worker().await?;
    let _recorder = site.recorder().await?;
    site.operator.publish_appointment().await?;
    let requests = endpoint.await_requests(1).await?;
    ensure!(!requests[0].header_names().contains(&"webhook-test-event"));
    let recorded =
        eventually("the delivery to be on record", async || site.operator.latest_delivery(&webhook.id).await);
    let recorded = recorded.await?;
    ensure!(recorded["testEvent"] == false, "{recorded}");
    Ok(())
}

/// Each refusal says what to do; nothing is sent.
pub async fn a_test_event_that_cannot_be_sent_is_refused(context: Context) -> Result<()> {
    let site = context.site().await?;
    let url = "https://example.org/hook";
    let webhook = site.operator.add_webhook(url).await?;
    let api = ApiProcess::start(&site).await?;
    let developer = api.caller(&site, "test", "developer").await?;
    let path = format!("/v1/webhooks/{}/test-events", webhook.id);
    let scheduled = r#"{"type":"appointment.scheduled"}"#;

    for (body, field) in [
        (json!({ "type": "visit.signed" }), "type"),
        (json!({ "type": "visit" }), "type"),
        (json!({ "type": 7 }), "type"),
        (json!({ "type": "appointment.scheduled", "data": {} }), "data"),
        (json!({}), "body"),
    ] {
        developer.post(&path, body.to_string()).await?.of(422)?.names(field)?;
    }
    let unknown = developer.post(&path, r#"{"type":"visit.signed"}"#).await?;
    ensure!(unknown.text.contains("appointment.created"), "it names those there are: {}", unknown.text);
    for stranger in [
        api.caller_of(&site, "org_other", "test", "administrator").await?,
        api.caller(&site, "live", "administrator").await?,
    ] {
        stranger.post(&path, scheduled).await?.of(404)?;
    }
    site.operator.change_webhook("disable", &webhook).await?;
    let disabled = developer.post(&path, scheduled).await?.of(409)?;
    ensure!(disabled.text.contains("enable it first"), "{}", disabled.text);
    site.amqp().await?.ensure_empty(["bellhop.test.due", "bellhop.test.events.0"]).await
}
