//! Who did what, when, from where.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{ApiKey, Mode, Role};
use hyper::Method;
use serde_json::{Value, json};

use super::ground::{Ground, OPERATOR, webhook};
use crate::appointment::{ORGANISATION, SCHEDULED};
use crate::context::Context;

/// Every change has one entry, of who did it; what changed nothing has none; and no change goes without its entry.
pub async fn who_did_what_is_on_record_with_the_change(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (api, key) = (&ground.api, &*ground.key);
    let created = api.post(key, "/v1/webhooks", &webhook("https://example.org/a?token=t0ken"));
    let created = created.header("x-request-id", "asked-1").expect(201).await?;
    let (id, path) = (created.text_of("id")?, created.header("location").to_owned());
    let change = json!({ "url": "https://example.net/b?token=t0ken", "events": ["visit.signed"] });
    api.call(Method::PATCH, &path).by(key).json(&change).expect(200).await?;
    api.call(Method::PATCH, &path).by(key).json(&change).expect(200).await?;
    for verb in ["disable", "disable", "enable"] {
        api.post(key, &format!("{path}/{verb}"), &json!({})).expect(200).await?;
    }
    api.post(key, "/v1/webhooks", &webhook("ftp://x")).expect(422).await?;
    ground.site.operator.program().run(&["webhook", "disable", &id]).await?.succeeded()?;
    let operator = api.call(Method::DELETE, &path).by(OPERATOR).header("bellhop-mode", "test");
    operator.header("bellhop-organisation", ORGANISATION).expect(204).await?;

    let entries = api.get(key, &format!("/v1/audit?target={id}")).expect(200).await?;
    ensure!(!entries.text.contains("t0ken"), "a URL's token is told: {}", entries.text);
    let told: Vec<&Value> = entries.body["data"].as_array().context("entries")?.iter().rev().collect();
    let words: Vec<String> = told
        .iter()
        .map(|entry| format!("{} {}", entry["actor"]["kind"], entry["action"]).replace('"', ""))
        .collect();
    ensure!(
        words
            == [
                "key webhook.created",
                "key webhook.updated",
                "key webhook.disabled",
                "key webhook.enabled",
                "cli webhook.disabled",
                "operator webhook.deleted"
            ],
        "{words:?}"
    );
    let who: ApiKey = key.parse()?;
    let first = told[0];
    ensure!(first["actor"]["name"] == who.id().as_str() && first["address"] == "127.0.0.1", "{first}");
    ensure!(first["requestId"] == "asked-1" && first["details"]["events"] == json!([SCHEDULED]), "{first}");
    let expected = json!({
        "server": "https://example.net", "serverBefore": "https://example.org", "events": ["visit.signed"],
    });
    ensure!(told[1]["details"] == expected, "{}", told[1]);

    let made = api.post(key, "/v1/keys", &json!({ "role": "developer", "name": "CI" })).expect(201).await?;
    for _ in 0..2 {
        api.call(Method::DELETE, made.header("location")).by(key).expect(200).await?;
    }
    let entries = api.get(key, &format!("/v1/audit?target={}", made.text_of("id")?)).expect(200).await?;
    let told = entries.body["data"].as_array().context("entries")?;
    let words: Vec<&str> = told.iter().filter_map(|entry| entry["action"].as_str()).collect();
    ensure!(words == ["key.revoked", "key.created"], "{}", entries.text);
    ensure!(told[1]["details"] == json!({ "role": "developer", "name": "CI" }), "{}", told[1]);
    ensure!(told.iter().all(|entry| entry["actor"]["name"] == who.id().as_str()), "{}", entries.text);

    // Where the entry cannot be written, nothing is changed.
    let client = ground.site.place.postgres().await?;
    client.batch_execute("ALTER TABLE bellhop.audit ADD CONSTRAINT full_up CHECK (false) NOT VALID").await?;
    let refused = api.post(key, "/v1/webhooks", &webhook("https://example.org/c")).send().await;
    ensure!(refused.is_err_and(|error| format!("{error:#}").contains("a fault of ours")), "it was made");
    ensure!(ground.store.webhooks(&bellhop_store::WebhookFilter::default()).await?.is_empty());
    let developer =
        ground.store.organisation(Mode::Live, &ORGANISATION.parse()?, &bellhop_store::Author::SYSTEM);
    let new = bellhop_store::NewKey { role: Role::Developer, name: "x".to_owned(), lifetime: None };
    ensure!(developer.create_key(&new).await.is_err() && developer.keys(None, 1).await?.is_empty());
    Ok(())
}

/// Anybody can write `X-Forwarded-For`; only what our own proxies wrote counts.
pub async fn only_trusted_proxies_say_where_a_request_comes_from(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let program = ground.site.operator.program();
    let behind =
        ground.site.api_as(&program.clone().with("BELLHOP_API_TRUSTED_PROXIES", "127.0.0.0/8")).await?;
    for (api, url, expected) in [
        (&ground.api, "https://example.org/a", "127.0.0.1"),
        (&behind, "https://example.org/b", "198.51.100.7"),
    ] {
        let call = api.post(&ground.key, "/v1/webhooks", &webhook(url));
        let created = call.header("x-forwarded-for", "203.0.113.9, 198.51.100.7").expect(201).await?;
        let entries =
            api.get(&ground.key, &format!("/v1/audit?target={}", created.text_of("id")?)).expect(200).await?;
        ensure!(entries.body["data"][0]["address"] == expected, "{}", entries.text);
    }
    Ok(())
}
