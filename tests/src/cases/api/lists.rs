//! Pages: everything once, in order, whatever happens meanwhile; and nobody's own cursor.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Role};
use serde_json::Value;

use super::ground::Ground;
use crate::appointment::ORGANISATION;
use crate::context::Context;

/// More is registered between pages, and it neither hides nor repeats what was there.
pub async fn pages_show_everything_once_while_more_is_added(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let mut expected = Vec::new();
    for number in 0..7 {
        let created = ground.create(&format!("https://example.org/{number}")).await?;
        expected.push(created["id"].clone());
    }
    let (mut seen, mut path, mut pages) = (Vec::new(), "/v1/webhooks?limit=3".to_owned(), 0);
    loop {
        let page = ground.api.get(&ground.key, &path).expect(200).await?;
        let ids = page.body["data"].as_array().context("a page has data")?.iter();
        seen.extend(ids.map(|webhook| webhook["id"].clone()));
        pages += 1;
        if pages == 1 {
            expected.push(ground.create("https://example.org/later").await?["id"].clone());
        }
        let Value::String(next) = &page.body["next"] else { break };
        path = format!("/v1/webhooks?limit=3&cursor={next}");
    }
    ensure!(seen == expected && pages == 3, "{seen:?} in {pages} pages");

    let mut actions = 0;
    path = "/v1/audit?limit=4&action=webhook.created".to_owned();
    let mut last = None;
    loop {
        let page = ground.api.get(&ground.key, &path).expect(200).await?;
        for entry in page.body["data"].as_array().context("a page has data")? {
            let id = entry["id"].as_str().context("an entry has an id")?.to_owned();
            ensure!(last.as_ref().is_none_or(|last| id < *last), "the newest first, each once");
            (last, actions) = (Some(id), actions + 1);
        }
        let Value::String(next) = &page.body["next"] else { break };
        path = format!("/v1/audit?limit=4&action=webhook.created&cursor={next}");
    }
    ensure!(actions == 8, "{actions} entries");
    Ok(())
}

/// Whoever makes a cursor up, or takes another organisation's, sees nothing that they could not see without.
pub async fn made_up_cursors_show_nothing(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    for number in 0..3 {
        ground.create(&format!("https://example.org/{number}")).await?;
    }
    let first = ground.api.get(&ground.key, "/v1/webhooks?limit=1").expect(200).await?;
    let cursor = first.text_of("next")?;
    let elsewhere = ground.key(Mode::Test, "org_other", Role::Administrator).await?;
    let live = ground.key(Mode::Live, ORGANISATION, Role::Administrator).await?;
    for key in [&elsewhere, &live] {
        let page = ground.api.get(key, &format!("/v1/webhooks?cursor={cursor}")).expect(200).await?;
        ensure!(page.body == serde_json::json!({ "data": [], "next": null }), "{}", page.text);
    }
    let paths = ["/v1/webhooks", "/v1/keys", "/v1/audit"];
    let made_up = ["x", "", "%00", "d2hfJyBPUiAxPTE", "////", "d2hf", &"A".repeat(4000), "%F0%9F%92%A9"];
    for path in paths {
        for cursor in made_up {
            let refused = ground.api.get(&ground.key, &format!("{path}?cursor={cursor}")).expect(400).await?;
            ensure!(refused.fields() == ["cursor"], "{cursor}: {}", refused.text);
        }
        for (query, field) in
            [("limit=0", "limit"), ("limit=201", "limit"), ("limit=1e3", "limit"), ("page=1", "query")]
        {
            let refused = ground.api.get(&ground.key, &format!("{path}?{query}")).expect(400).await?;
            ensure!(refused.fields() == [field], "{query}: {}", refused.text);
        }
    }
    Ok(())
}
