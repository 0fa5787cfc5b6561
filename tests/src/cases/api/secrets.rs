//! A webhook's secret: shown on purpose, rotated with an overlap that receivers can rely on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ground::Ground;
use crate::context::Context;
use crate::patience::PATIENCE;
use crate::receiver::{Answer, Request};

/// Both signatures while the overlap lasts, in a worker that holds the webhook in memory all the time; then the new one
/// alone, although nobody changes anything at that moment.
pub async fn requests_are_signed_with_both_secrets_until_the_overlap_ends(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let created = ground.create(&endpoint.url).await?;
    let (old, id) =
        (created["secret"].as_str().context("a secret")?, created["id"].as_str().context("an id")?);
    let _worker = ground.site.worker().await?;
    let publish = async || ground.site.operator.publish_appointment().await;
    publish().await?;
    let first = &endpoint.await_requests(1).await?[0];
    ensure!(signatures(first) == 1, "{first:?}");
    first.verify(old)?;

    let (overlap, rotated_at) = (Duration::from_secs(6), Instant::now());
    let rotate = json!({ "overlapSeconds": overlap.as_secs() });
    let path = format!("/v1/webhooks/{id}/secret/rotate");
    let rotated = ground.api.post(&ground.key, &path, &rotate).expect(200).await?;
    let new = rotated.text_of("secret")?;
    let ends: Vec<&str> = rotated.body["previousSecretsUntil"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|end| end.as_str())
        .collect();
    let [end] = ends[..] else { anyhow::bail!("one secret ends: {}", rotated.text) };
    let end = OffsetDateTime::parse(end, &Rfc3339)?.unix_timestamp();
    ensure!(new != old);
    publish().await?;
    let both = &endpoint.await_requests(2).await?[1];
    ensure!(signatures(both) == 2, "{both:?}");
    both.verify(old)?;
    both.verify(&new)?;

    let mut last = both.clone();
    for requests in 3.. {
        ensure!(rotated_at.elapsed() < 4 * overlap, "the overlap does not end");
        publish().await?;
        last = endpoint.await_requests(requests).await?[requests - 1].clone();
        last.verify(&new)?;
        if signatures(&last) == 1 {
            break;
        }
    }
    ensure!(last.verify(old).is_err(), "the old secret still signs");
    for request in &endpoint.requests()[1..] {
        let signed_at: i64 = request.header("webhook-timestamp").parse()?;
        let expected = if signed_at < end { 2 } else { 1 };
        ensure!(
            signatures(request) == expected,
            "{} signatures {} s before the end",
            signatures(request),
            end - signed_at
        );
    }
    Ok(())
}

/// Creation, reveal and rotation tell it; nothing else does, and each look is on record.
pub async fn a_secret_is_shown_to_who_asks_and_that_is_on_record(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let created = ground.create("https://example.org/a").await?;
    let (secret, id) =
        (created["secret"].as_str().context("a secret")?, created["id"].as_str().context("an id")?);
    let path = format!("/v1/webhooks/{id}");
    let reveal = async || {
        let call = ground.api.post(&ground.key, &format!("{path}/secret/reveal"), &json!({}));
        anyhow::Ok(call.expect(200).await?.body)
    };
    let rotate = |overlap: u64| {
        ground.api.post(&ground.key, &format!("{path}/secret/rotate"), &json!({ "overlapSeconds": overlap }))
    };
    ensure!(reveal().await? == json!({ "secret": secret, "previous": [] }));
    let second = rotate(604_800).expect(200).await?.text_of("secret")?;
    let third =
        ground.api.post(&ground.key, &format!("{path}/secret/rotate"), &json!({})).expect(200).await?;
    let third = third.text_of("secret")?;
    let shown = reveal().await?;
    let until = shown["previous"][0]["until"].as_str().context("a moment")?;
    let overlap = OffsetDateTime::parse(until, &Rfc3339)? - OffsetDateTime::now_utc();
    let day = time::Duration::DAY;
    ensure!(day - PATIENCE < overlap && overlap <= day + time::Duration::SECOND, "without a wish: {overlap}");
    ensure!(shown["secret"] == *third && shown["previous"][0]["secret"] == *second, "{shown}");
    ensure!(shown["previous"][1]["secret"] == *secret, "{shown}");
    ensure!(rotate(1).expect(409).await?.body["type"] == "urn:bellhop:problem:limit");
    ensure!(rotate(604_801).expect(422).await?.fields() == ["overlapSeconds"]);
    // Somebody else has it: none of the old ones may sign any longer.
    let last = rotate(0).expect(200).await?.text_of("secret")?;
    ensure!(reveal().await? == json!({ "secret": last, "previous": [] }));

    for path in [path.clone(), "/v1/webhooks".to_owned(), "/v1/audit".to_owned()] {
        let told = ground.api.get(&ground.key, &path).expect(200).await?.text;
        ensure!(!told.contains("whsec_"), "{path} tells a secret");
    }
    for (action, times) in [("secret.revealed", 3), ("secret.rotated", 3)] {
        let query = format!("/v1/audit?action={action}&target={id}");
        let entries = ground.api.get(&ground.key, &query).expect(200).await?;
        ensure!(entries.body["data"].as_array().map_or(0, Vec::len) == times, "{action}: {}", entries.text);
    }
    let logs = ground.api.process.logs().lines().join("\n");
    ensure!(
        !logs.contains("whsec_") && !logs.contains(&ground.key) && !logs.contains("example.org"),
        "{logs}"
    );
    Ok(())
}

fn signatures(request: &Request) -> usize {
    request.header("webhook-signature").split(' ').filter(|part| part.starts_with("v1,")).count()
}
