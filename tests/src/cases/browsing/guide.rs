//! The guide's steps, word for word: add a webhook, note its secret, see what arrives, view it, watch what fails, deliver it
//! again, copy the webhook to live.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::ground::Ground;
use crate::browser::walk;
use crate::context::Context;
use crate::receiver::{Answer, Request};

/// With JavaScript, what arrives appears by itself.
pub async fn the_guides_steps_work_word_for_word_in_test_mode_and_live(context: Context) -> Result<()> {
    follow(context, true).await
}

/// Without it a person loads the page again, and everything else is the same.
pub async fn the_guides_steps_work_without_javascript(context: Context) -> Result<()> {
    follow(context, false).await
}

/// Changing, rotating, trying, stopping, recovering, deleting: what the guide mentions beside its steps.
pub async fn all_else_is_done_with_and_without_javascript(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;
    let endpoint = ground.plain.endpoint("hook", Answer::status(500));

    walk(&context, "actions", ground.wishes(&json!({ "url": endpoint.url }))?).await?;

    let marked = |request: &&Request| !request.header("webhook-test-event").is_empty();
    let requests = endpoint.requests();
    ensure!(requests.iter().filter(marked).count() == requests.len(), "no test event was sent: {requests:?}");
    Ok(())
}

async fn follow(context: Context, is_scripted: bool) -> Result<()> {
    let ground = Ground::prepare(&context, &[]).await?;
    let answers = [200, 500, 500, 500, 200].map(Answer::status).to_vec();
    let endpoint = ground.plain.endpoint_in_turn("hook", answers);
    let live = ground.secure.endpoint("live", Answer::status(200));
    let own = json!({ "javascript": is_scripted, "url": endpoint.url, "liveUrl": live.url });

    let seen = walk(&context, "guide", ground.wishes(&own)?).await?;

    let text = |name: &str| seen[name].as_str().with_context(|| format!("the walk tells `{name}`: {seen}"));
    let requests = endpoint.requests();
    let attempts: Vec<u8> = requests.iter().map(|request| request.attempt()).collect();
    ensure!(attempts == [1, 1, 2, 3, 1], "the endpoint saw attempts {attempts:?}");
    for request in &requests {
        request.verify(text("secret")?).context("the secret that was noted")?;
    }
    let viewed: Value = serde_json::from_str(text("payload")?).context("the payload that was viewed")?;
    let received: Value = serde_json::from_slice(&requests[0].body)?;
    ensure!(viewed == received, "viewed was {viewed}, received was {received}");
    ensure!(requests[1..].iter().all(|request| request.webhook_id() == requests[1].webhook_id()));
    let live = live.requests();
    ensure!(live.len() == 1 && live[0].header("webhook-mode") == "live", "{live:?}");
    live[0].verify(text("liveSecret")?).context("the secret of the copy")?;
    ensure!(text("secret")? != text("liveSecret")?, "the copy signs with the secret of Test Mode");
    Ok(())
}
