//! `Idempotency-Key`: a caller that got no answer asks again, and nothing is made twice.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use bellhop_model::{Mode, Role};
use futures_util::future::try_join_all;
use serde_json::json;

use super::ground::{Ground, webhook};
use crate::api::Call;
use crate::appointment::ORGANISATION;
use crate::context::Context;

/// The same answer, secret included, even after the webhook is gone; another request under the same key is refused.
pub async fn the_same_creation_twice_is_made_once_and_answered_alike(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let create = |key: &str, url: &str, name: &str| -> Call {
        ground.api.post(key, "/v1/webhooks", &webhook(url)).header("idempotency-key", name)
    };
    let (key, url) = (&*ground.key, "https://example.org/a");
    let first = create(key, url, "one").expect(201).await?;
    ensure!(first.header("idempotent-replayed").is_empty());
    let mut same = webhook(url);
    same["description"] = json!("");
    let again =
        ground.api.post(key, "/v1/webhooks", &same).header("idempotency-key", "one").expect(201).await?;
    ensure!(again.text == first.text && again.header("idempotent-replayed") == "true", "{again:?}");
    for name in ["location", "etag"] {
        ensure!(again.header(name) == first.header(name), "{name}: {again:?}");
    }
    ensure!(!first.text_of("secret")?.is_empty());

    let other = create(key, "https://example.org/b", "one").expect(422).await?;
    ensure!(other.fields() == ["idempotency-key"], "{}", other.text);
    create(key, url, "two").expect(409).await?;
    // Neither the other mode nor another organisation shares the name.
    let live = ground.key(Mode::Live, ORGANISATION, Role::Developer).await?;
    let elsewhere = ground.key(Mode::Test, "org_other", Role::Developer).await?;
    for key in [&live, &elsewhere] {
        let made = create(key, url, "one").expect(201).await?;
        ensure!(made.body["id"] != first.body["id"] && made.header("idempotent-replayed").is_empty());
    }
    for name in ["", " \t", "ü", &"n".repeat(256)] {
        let refused = create(key, "https://example.org/c", name).send().await?;
        ensure!(refused.status == 400 && refused.fields() == ["idempotency-key"], "{name}: {refused:?}");
    }
    ground.organisation()?.remove_webhook(&first.text_of("id")?.parse()?, None).await?;
    ensure!(create(key, url, "one").expect(201).await?.text == first.text);

    let client = ground.site.place.postgres().await?;
    let lies_open =
        "SELECT count(*) FROM bellhop.idempotent_answers WHERE position('whsec_'::bytea IN sealed) > 0
        OR position('example.org'::bytea IN sealed) > 0";
    ensure!(client.query_one(lies_open, &[]).await?.get::<_, i64>(0) == 0, "an answer lies open");
    let age = "UPDATE bellhop.idempotent_answers SET created_at = now() - interval '24 hours 1 second'";
    client.execute(age, &[]).await?;
    let anew = create(key, url, "one").expect(201).await?;
    ensure!(anew.body["id"] != first.body["id"], "a day later the name is free");
    Ok(())
}

/// Twenty at once, as a caller's retries may be.
pub async fn many_at_once_make_one(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let create = || {
        let call = ground.api.post(&ground.key, "/v1/webhooks", &webhook("https://example.org/a"));
        call.header("idempotency-key", "one").expect(201)
    };
    let answers = try_join_all((0..20).map(|_| create())).await?;
    let texts: BTreeSet<&str> = answers.iter().map(|answer| &*answer.text).collect();
    let made = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    ensure!(texts.len() == 1 && made == 1, "{} answers, {made} made", texts.len());
    Ok(())
}
