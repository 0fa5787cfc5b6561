//! Copying a webhook that was tried in Test Mode to live, and back.

use anyhow::{Result, ensure};
use bellhop_model::{Mode, Role};
use serde_json::json;

use super::ground::{Ground, OPERATOR};
use crate::appointment::{ORGANISATION, SCHEDULED};
use crate::context::Context;

/// Its configuration goes over; URL, secret and id are its own, and both modes have it on record.
pub async fn a_copy_takes_a_key_of_each_mode_and_a_url_of_its_own(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let live = ground.key(Mode::Live, ORGANISATION, Role::Administrator).await?;
    let registration = json!({
        "url": "https://staging.example/hook", "events": [SCHEDULED, "visit.signed"], "description": "Tried",
        "expand": ["task"],
    });
    let original = ground.api.post(&ground.key, "/v1/webhooks", &registration).expect(201).await?;
    let id = original.text_of("id")?;
    let copy = |key: &str, source: &str, url: &str| {
        let call = ground.api.post(key, "/v1/webhook-copies", &json!({ "from": id, "url": url }));
        if source.is_empty() { call } else { call.header("bellhop-source-authorization", source) }
    };
    let (source, there) = (&*ground.key, "https://example.org/hook");
    ensure!(copy(&live, "", there).expect(400).await?.fields() == ["bellhop-source-authorization"]);
    ensure!(copy(&live, &live, there).expect(400).await?.fields() == ["bellhop-source-authorization"]);
    copy(&live, "test_nonsense", there).expect(401).await?;
    let other = ground.key(Mode::Test, "org_other", Role::Developer).await?;
    copy(&live, &other, there).expect(404).await?;
    let nurse = ground.key(Mode::Test, ORGANISATION, Role::Other("nurse".into())).await?;
    copy(&live, &nurse, there).expect(403).await?;
    ensure!(copy(&live, source, "https://staging.example/hook").expect(422).await?.fields() == ["url"]);
    ensure!(copy(&live, source, "http://example.org/hook").expect(422).await?.fields() == ["url"], "live");

    let made = copy(&live, source, there).header("idempotency-key", "k").expect(201).await?;
    let again = copy(&live, source, there).header("idempotency-key", "k").expect(201).await?;
    ensure!(made.text == again.text, "{} {}", made.text, again.text);
    for name in ["events", "description", "expand", "payload"] {
        ensure!(made.body[name] == original.body[name], "{name}: {}", made.text);
    }
    ensure!(made.body["mode"] == "live" && made.body["url"] == there, "{}", made.text);
    ensure!(made.body["secret"] != original.body["secret"] && made.body["id"] != original.body["id"]);
    ground.api.get(&ground.key, made.header("location")).expect(404).await?;

    for (key, target) in [(&live, made.text_of("id")?), (&ground.key, id.clone())] {
        let path = format!("/v1/audit?action=webhook.copied&target={target}");
        let entries =
            ground.api.get(key, &path).expect(200).await?.body["data"].as_array().map_or(0, Vec::len);
        ensure!(entries == 1, "{entries} entries about {target}");
    }
    // And back; the platform's backend sees both modes.
    let back = json!({ "from": made.text_of("id")?, "url": "https://staging.example/second" });
    let call = ground.api.post(OPERATOR, "/v1/webhook-copies", &back);
    let call = call.header("bellhop-mode", "test").header("bellhop-organisation", ORGANISATION);
    ensure!(call.expect(201).await?.body["mode"] == "test");
    Ok(())
}
