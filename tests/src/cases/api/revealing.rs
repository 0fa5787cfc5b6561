//! Looking at what was sent: the very bytes that were received, and never unnoticed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Records, Role};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::deliveries::{await_delivery, await_told, register};
use super::ground::Ground;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, ORGANISATION, PATIENT_EXPANDED, SCHEDULED};
use crate::cases::recording::records::Told;
use crate::context::Context;
use crate::operator::Registration;
use crate::receiver::{Answer, Request};

/// Two requests of one delivery, each compared with what its endpoint got; then the same at the command line.
pub async fn what_is_revealed_is_what_was_received_and_is_on_record(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint_in_turn("t0ken", vec![Answer::status(503), Answer::status(200)]);
    let registration = Registration { expanded: &["patient"], ..Registration::test(&endpoint.url) };
    let webhook = ground.site.operator.register(&registration).await?.id.parse()?;
    let (worker, _recorder) = tokio::try_join!(ground.site.worker(), ground.site.recorder())?;
    let event = Message::event("test", SCHEDULED, "evt-seen", APPOINTMENT);
    ground.site.amqp().await?.publish(&event).await?;
    let requests = endpoint.await_requests(2).await?;
    let delivery = await_delivery(&ground, &webhook, "delivered").await?;
    let id = delivery["id"].as_str().context("an id")?;
    let shown = await_told(&ground, &format!("/v1/deliveries/{id}"), requests.len()).await?;
    ensure!(!shown.text.contains("Zo") && !shown.text.contains("t0ken"), "{}", shown.text);

    let key = ground.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let made = shown.body["requests"].as_array().context("requests")?;
    for (made, received) in made.iter().zip(&requests) {
        let path = format!("/v1/deliveries/{id}/requests/{}/reveal", made["id"].as_str().context("an id")?);
        let revealed = ground.api.call(hyper::Method::POST, &path).by(&key).expect(200).await?;
        ensure!(
            revealed.body["body"].as_str().map(str::as_bytes) == Some(&received.body[..]),
            "{}",
            revealed.text
        );
        ensure!(headers_of(&revealed.body)? == headers_received(received), "{} {received:?}", revealed.text);
        ensure!(revealed.body["body"] == PATIENT_EXPANDED && revealed.body["method"] == received.method());
        ensure!(revealed.body["answer"]["status"] == made["status"], "{}", revealed.text);
        let origin = format!("http://{}", receiver.address());
        ensure!(revealed.body["origin"] == origin && !revealed.text.contains("t0ken"), "{}", revealed.text);
    }
    let acts = ground.api.get(&ground.key, "/v1/audit?action=payload.viewed").expect(200).await?.body;
    let acts = acts["data"].as_array().context("a list")?;
    ensure!(acts.len() == 2 && acts.iter().all(|act| act["target"] == id), "{acts:?}");
    ensure!(acts[0]["details"]["request"] == made[1]["id"] && acts[0]["actor"]["kind"] == "key", "{acts:?}");

    let show = ["deliveries", "show", "--payload", id];
    let printed = ground.site.operator.program().run(&show).await?.succeeded()?.stdout;
    for told in
        [PATIENT_EXPANDED, requests[1].header("webhook-signature"), requests[0].header("webhook-timestamp")]
    {
        ensure!(printed.contains(told), "`{told}` is missing in {printed}");
    }
    ensure!(!printed.contains("t0ken"), "{printed}");
    let json = ground.site.operator.program().run(&[&show[..], &["--output", "json"]].concat()).await?;
    let json: Value = serde_json::from_str(&json.succeeded()?.stdout)?;
    ensure!(headers_of(&json["requests"][0]["sent"])? == headers_received(&requests[0]), "{json}");
    ensure!(json["requests"][0]["sent"]["body"] == PATIENT_EXPANDED, "{json}");
    let acts = ground.api.get(&ground.key, "/v1/audit?action=payload.viewed").expect(200).await?.body;
    ensure!(
        acts["data"].as_array().map(Vec::len) == Some(4) && acts["data"][0]["actor"]["kind"] == "cli",
        "{acts}"
    );
    ground.site.ensure_nothing_owed(worker).await
}

/// Who looks in vain has looked.
pub async fn a_payload_that_is_gone_is_not_revealed_and_the_look_is_on_record(
    context: Context,
) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let webhook = register(&ground, "https://hooks.example/a").await?;
    let told = Told::to(&webhook, Mode::Test, "evt-gone", APPOINTMENT)?;
    let now = OffsetDateTime::now_utc();
    let (attempt, mut records) = (told.attempt(now, "5xx"), Records::default());
    records.push_event(&told.event, &told.body, now);
    records.push_attempt(&attempt);
    ground.record(records).await?;
    ground.organisation()?.expunge_event(&told.event.id).await?;
    let path = format!("/v1/deliveries/{}/requests", told.addressed.delivery);
    let gone = ground.api.post(&ground.key, &format!("{path}/{}/reveal", attempt.request), &json!({}));
    ensure!(gone.expect(410).await?.body["type"] == "urn:bellhop:problem:payload-gone");
    let never = "00000000-0000-7000-8000-000000000000";
    for request in [never, "x"] {
        ground.api.post(&ground.key, &format!("{path}/{request}/reveal"), &json!({})).expect(404).await?;
    }
    let acts = ground.api.get(&ground.key, "/v1/audit?action=payload.viewed").expect(200).await?.body;
    ensure!(acts["data"].as_array().map(Vec::len) == Some(1), "{acts}");
    Ok(())
}

fn headers_of(shown: &Value) -> Result<BTreeMap<String, String>> {
    let headers = shown["headers"].as_array().with_context(|| format!("no headers in {shown}"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(headers.iter().map(|header| (text(&header["name"]), text(&header["value"]))).collect())
}

fn headers_received(request: &Request) -> BTreeMap<String, String> {
    let names = request.header_names().into_iter();
    names.map(|name| (name.to_owned(), request.header(name).to_owned())).collect()
}
