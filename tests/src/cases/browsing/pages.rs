//! Every page, as it stands: accessible, in light and dark, on a phone, light to load, and asking nobody else for anything.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::ground::Ground;
use crate::browser::walk;
use crate::context::Context;
use crate::receiver::Answer;

/// Most bytes that a page with all that it loads sends over the network.
const PAGE_BYTES_MAX: u64 = 100_000;

/// Fewest pages that a console of this kind has: a walk that sees fewer has lost its way.
const PAGES_MIN: usize = 40;

/// Light and dark, on a desk and on a phone, with nothing cached.
pub async fn every_page_is_accessible_and_light_and_fits_a_phone(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;
    let answers = [200, 500, 500, 500].map(Answer::status).to_vec();
    let endpoint = ground.plain.endpoint_in_turn("hook", answers);
    let own = json!({ "url": endpoint.url });

    let seen = walk(&context, "tour", ground.wishes(&own)?).await?;

    let pages = seen["pages"].as_array().context("the tour tells its pages")?;
    let mut wrong = Vec::new();
    for page in pages {
        let name = page["name"].as_str().unwrap_or_default();
        let bytes = page["bytes"].as_u64().with_context(|| format!("`{name}` has a weight: {page}"))?;
        println!("{name}: {bytes} bytes");
        if PAGE_BYTES_MAX < bytes {
            wrong.push(format!("{name} weighs {bytes} bytes"));
        }
        wrong.extend(texts(&page["wrong"]).map(|what| format!("{name}: {what}")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(PAGES_MIN <= pages.len(), "only {} pages were seen", pages.len());
    Ok(())
}

/// What a mouse does, a keyboard does, in the order of the page and always visibly.
pub async fn a_webhook_is_added_by_keyboard_alone(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;
    let endpoint = ground.plain.endpoint("hook", Answer::status(200));

    let seen = walk(&context, "keyboard", ground.wishes(&json!({ "url": endpoint.url }))?).await?;

    ensure!(seen["url"] == endpoint.url.as_str(), "the keyboard added {seen}");
    Ok(())
}

/// Whoever has a request that is refused learns which part of it is wrong.
pub async fn a_pasted_request_is_judged_part_by_part(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;
    let endpoint = ground.plain.endpoint("hook", Answer::status(200));
    let webhook = ground.site.operator.add_webhook(&endpoint.url).await?;
    ground.site.operator.publish_appointment().await?;
    let request = endpoint.await_requests(1).await?.swap_remove(0);
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| format!("{name}: {}", request.header(name))).join("\n");
    let own = json!({
        "secret": webhook.secret,
        "headers": headers,
        "body": String::from_utf8(request.body.to_vec())?,
    });

    walk(&context, "checker", ground.wishes(&own)?).await?;

    let secret = webhook.secret.trim_start_matches("whsec_");
    let logged = ground.api.process.logs().lines();
    ensure!(!logged.iter().any(|line| line.contains(secret)), "a pasted secret is logged");
    Ok(())
}

/// Administrators make keys, see them once, revoke them, and find all of it in the audit.
pub async fn keys_are_made_shown_once_and_revoked_and_that_is_in_the_audit(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;

    let seen = walk(&context, "keys", ground.wishes(&json!({}))?).await?;

    let key = seen["key"].as_str().context("the walk tells the key")?;
    let refused = ground.api.get(key, "/v1/webhooks").expect(401).await?;
    ensure!(refused.text.contains("revoked"), "{}", refused.text);
    Ok(())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
