//! Who may not is told so, clearly and in the same frame: by role, by organisation, by mode, by time.

use anyhow::{Context as _, Result};
use serde_json::json;

use super::ground::{Ground, OPERATOR};
use crate::appointment::ORGANISATION;
use crate::browser::walk;
use crate::context::Context;
use crate::receiver::Answer;

/// What another organisation's user may not see looks like what never was.
pub async fn who_may_not_is_told_why_and_sees_nothing(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;
    let endpoint = ground.plain.endpoint("hook", Answer::status(200));
    let webhook = ground.site.operator.add_webhook(&endpoint.url).await?;
    let own = json!({
        "webhook": webhook.id,
        "url": endpoint.url,
        "otherOrganisation": "org_another",
        "expired": expired_link(&ground).await?,
        "otherRole": ground.site.operator.create_key("test", "practitioner").await?,
        "testKey": ground.site.operator.create_key("test", "developer").await?,
        "liveKey": ground.site.operator.create_key("live", "developer").await?,
    });

    walk(&context, "refusals", ground.wishes(&own)?).await?;
    Ok(())
}

/// A link that the platform asked for, whose time is over.
async fn expired_link(ground: &Ground) -> Result<String> {
    let wish = json!({ "user": "late@example.org", "role": "administrator" });
    let ask = ground.api.post(OPERATOR, "/v1/console/sign-ins", &wish);
    let ask = ask.header("bellhop-mode", "test").header("bellhop-organisation", ORGANISATION);
    let token = ask.expect(201).await?.text_of("token")?;
    let client = ground.site.place.postgres().await?;
    let expire = "UPDATE bellhop.sign_ins SET expires_at = now()";
    client.execute(expire, &[]).await.context("let the link expire")?;
    Ok(format!("/console/sign-in?token={token}"))
}
