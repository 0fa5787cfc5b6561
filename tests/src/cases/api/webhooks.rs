//! A webhook's life over HTTP, and what may not be registered.

use anyhow::{Result, ensure};
use bellhop_model::{Mode, Role};
use hyper::Method;
use serde_json::{Value, json};

use super::ground::{Ground, webhook};
use crate::appointment::{APPOINTMENT, ID_ONLY, ORGANISATION, SCHEDULED};
use crate::context::Context;
use crate::receiver::Answer;

/// Registered, listed, read, changed, disabled, enabled, deleted; each answer tells what is true then.
pub async fn a_webhook_lives_from_its_registration_to_its_deletion(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (api, key) = (&ground.api, &*ground.key);
    let registration = json!({
        "url": "https://example.org/a?token=t", "events": [SCHEDULED, "visit.signed"], "description": "Staging",
        "expand": ["patient", "window"],
    });
    let created = api.post(key, "/v1/webhooks", &registration).expect(201).await?;
    let path = created.header("location").to_owned();
    ensure!(path == format!("/v1/webhooks/{}", created.text_of("id")?), "{path}");
    ensure!(created.text_of("secret")?.starts_with("whsec_"), "{}", created.text);
    let expected = [
        ("mode", json!("test")),
        ("organisationId", json!(ORGANISATION)),
        ("url", json!("https://example.org/a?token=t")),
        ("events", json!([SCHEDULED, "visit.signed"])),
        ("description", json!("Staging")),
        ("expand", json!(["patient", "window"])),
        ("payload", json!("full")),
        ("status", json!("enabled")),
        ("disabledReason", Value::Null),
        ("previousSecretsUntil", json!([])),
        ("version", json!(1)),
    ];
    for (name, value) in &expected {
        ensure!(created.body[name] == *value, "{name}: {}", created.text);
    }
    let read = api.get(key, &path).expect(200).await?;
    ensure!(read.header("etag") == "\"1\"" && read.body.get("secret").is_none(), "{read:?}");
    let mut shown = created.body.clone();
    shown.as_object_mut().expect("an object").remove("secret");
    ensure!(read.body == shown, "{} {}", read.text, created.text);
    ensure!(api.get(key, "/v1/webhooks").expect(200).await?.body == json!({ "data": [shown], "next": null }));

    let change =
        json!({ "url": "http://example.org/b", "events": [SCHEDULED], "payload": "id_only", "expand": [] });
    let changed = api.call(Method::PATCH, &path).by(key).json(&change).expect(200).await?;
    for (name, value) in
        [("version", json!(2)), ("description", json!("Staging")), ("payload", json!("id_only"))]
    {
        ensure!(changed.body[name] == value, "{name}: {}", changed.text);
    }
    ensure!(changed.body["url"] == "http://example.org/b" && changed.body["expand"] == json!([]));
    let again = api.call(Method::PATCH, &path).by(key).json(&change).expect(200).await?;
    ensure!(again.body == changed.body, "a change that changes nothing made another version: {}", again.text);

    let disabled = api.post(key, &format!("{path}/disable"), &Value::Null).expect(200).await?;
    ensure!(disabled.body["status"] == "disabled" && disabled.body["disabledReason"] == "requested");
    let listed = async |query: &str| {
        let page = api.get(key, &format!("/v1/webhooks?{query}")).expect(200).await?;
        anyhow::Ok(page.body["data"].as_array().map_or(0, Vec::len))
    };
    ensure!(listed("status=enabled").await? == 0 && listed("status=disabled").await? == 1);
    ensure!(listed("event=visit.signed").await? == 0 && listed("event=appointment.scheduled").await? == 1);
    let enabled = api.post(key, &format!("{path}/enable"), &Value::Null).expect(200).await?;
    ensure!(enabled.body["status"] == "enabled" && enabled.body["version"] == 4, "{}", enabled.text);

    api.call(Method::DELETE, &path).by(key).expect(204).await?;
    for method in [Method::GET, Method::DELETE] {
        api.call(method, &path).by(key).expect(404).await?;
    }
    ensure!(listed("").await? == 0);
    Ok(())
}

/// Two people who change the same thing do not undo each other's work.
pub async fn a_change_for_an_older_version_is_refused(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (api, key) = (&ground.api, &*ground.key);
    let created = ground.create("https://example.org/a").await?;
    let path = format!("/v1/webhooks/{}", created["id"].as_str().unwrap_or_default());
    let describe = |text: &str| api.call(Method::PATCH, &path).by(key).json(&json!({ "description": text }));
    describe("first").header("if-match", "\"1\"").expect(200).await?;

    let calls = [
        describe("second"),
        api.call(Method::DELETE, &path).by(key),
        api.post(key, &format!("{path}/disable"), &json!({})),
        api.post(key, &format!("{path}/enable"), &json!({})),
        api.post(key, &format!("{path}/secret/rotate"), &json!({})),
    ];
    for call in calls {
        let refused = call.header("if-match", "\"1\"").expect(412).await?;
        ensure!(refused.body["type"] == "urn:bellhop:problem:changed", "{}", refused.text);
    }
    let read = api.get(key, &path).expect(200).await?;
    ensure!(read.body["version"] == 2 && read.body["description"] == "first", "{}", read.text);
    for wrong in ["2", "W/\"2\"", "\"2\", \"3\"", "\"2"] {
        let refused = describe("third").header("if-match", wrong).expect(400).await?;
        ensure!(refused.fields() == ["if-match"], "{}", refused.text);
    }
    describe("third").header("if-match", "*").expect(200).await?;
    describe("fourth").header("if-match", "\"x\"").expect(412).await.map(drop)
}

/// One URL once per mode, and no more webhooks than configured.
pub async fn duplicates_and_one_webhook_too_many_are_refused(context: Context) -> Result<()> {
    let settings = [("BELLHOP_WEBHOOKS_PER_ORGANISATION_MAX", "2")];
    let ground = Ground::prepare_with(&context, &settings).await?;
    let (api, key) = (&ground.api, &*ground.key);
    let created = ground.create("https://example.org/a").await?;
    let refused =
        api.post(key, "/v1/webhooks", &webhook("https://EXAMPLE.org:443/x/../a")).expect(409).await?;
    ensure!(
        refused.text_of("detail")?.contains(created["id"].as_str().unwrap_or_default()),
        "{}",
        refused.text
    );
    let second = ground.create("https://example.org/b").await?;
    let path = format!("/v1/webhooks/{}", second["id"].as_str().unwrap_or_default());
    let change = json!({ "url": "https://example.org/a" });
    api.call(Method::PATCH, &path).by(key).json(&change).expect(409).await?;

    let refused = api.post(key, "/v1/webhooks", &webhook("https://example.org/c")).expect(409).await?;
    ensure!(refused.body["type"] == "urn:bellhop:problem:limit", "{}", refused.text);
    ensure!(refused.text_of("detail")?.contains("already has 2"), "{}", refused.text);
    let live = ground.key(Mode::Live, ORGANISATION, Role::Developer).await?;
    api.post(&live, "/v1/webhooks", &webhook("https://example.org/a")).expect(201).await.map(drop)
}

/// All that is wrong is told together, by name, with what would be right.
pub async fn every_wrong_field_is_named(context: Context) -> Result<()> {
    let ground = Ground::prepare_with(&context, &[("BELLHOP_SENDER_ALLOW_CIDRS", "")]).await?;
    let (api, key) = (&ground.api, &*ground.key);
    let cases = [
        (
            json!({ "url": "http://", "events": ["a"], "description": "a\u{1}", "expand": ["x"] }),
            "url events[0] description expand[0]",
        ),
        (json!({ "url": "https://user:t0ken@example.org/", "events": [SCHEDULED] }), "url"),
        (json!({ "url": "https://169.254.169.254/", "events": [SCHEDULED] }), "url"),
        (json!({ "url": "http://2130706433/", "events": [SCHEDULED] }), "url"),
        (json!({ "url": "http://[::ffff:10.0.0.1]/", "events": [SCHEDULED] }), "url"),
        (json!({ "url": "https://example.org/", "events": [] }), "events"),
        (json!({ "url": "https://example.org/", "events": vec![SCHEDULED; 65] }), "events"),
        (json!({ "url": "https://example.org/", "events": [SCHEDULED], "payload": "half" }), "payload"),
        (
            json!({ "url": "https://example.org/", "events": [SCHEDULED], "payload": "id_only", "expand": ["task"] }),
            "payload",
        ),
        (json!({ "url": "https://example.org/", "events": [SCHEDULED], "secret": "whsec_" }), "secret"),
        (
            json!({ "url": "https://example.org/", "events": [SCHEDULED], "description": "x".repeat(501) }),
            "description",
        ),
        (json!({ "url": 7, "events": [SCHEDULED] }), "url"),
        (json!({ "events": [SCHEDULED] }), "body"),
    ];
    for (body, fields) in cases {
        let refused = api.post(key, "/v1/webhooks", &body).expect(422).await?;
        ensure!(refused.fields().join(" ") == fields, "{body}: {}", refused.text);
        ensure!(!refused.text.contains("t0ken") && !refused.text.contains("allow_cidrs"), "{}", refused.text);
    }
    let live = ground.key(Mode::Live, ORGANISATION, Role::Developer).await?;
    let refused = api.post(&live, "/v1/webhooks", &webhook("http://example.org/")).expect(422).await?;
    ensure!(refused.fields() == ["url"] && refused.text.contains("https"), "{}", refused.text);
    ensure!(ground.store.webhooks(&bellhop_store::WebhookFilter::default()).await?.is_empty());
    Ok(())
}

/// From the first request to the first delivery, without a shell.
pub async fn a_created_webhook_is_delivered_to(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let registration = json!({ "url": endpoint.url, "events": [SCHEDULED], "payload": "id_only" });
    let created = ground.api.post(&ground.key, "/v1/webhooks", &registration).expect(201).await?;
    let worker = ground.site.worker().await?;
    let published = ground.site.operator.publish("test", SCHEDULED, APPOINTMENT.as_bytes()).await?;
    published.succeeded()?;
    let requests = endpoint.await_requests(1).await?;
    requests[0].verify(&created.text_of("secret")?)?;
    ensure!(requests[0].body == ID_ONLY, "{:?}", requests[0].body);
    ground.site.ensure_nothing_owed(worker).await
}
