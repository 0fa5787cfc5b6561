//! Many deliveries made again over HTTP.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Records, Role, WebhookId};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::deliveries::register;
use super::ground::Ground;
use crate::appointment::{APPOINTMENT, ORGANISATION};
use crate::cases::recording::records::Told;
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::Answer;

/// So many that a recovery at one a second is not over before it is stopped.
const DELIVERIES: i64 = 30;

/// Counted first; begun, refused to a second, stopped; then what is left is recovered by another, each delivery once.
pub async fn a_recovery_is_counted_begun_watched_and_stopped(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let webhook = register(&ground, &endpoint.url).await?;
    let since = tell_exhausted(&ground, &webhook).await?;
    let (worker, _recorder) = tokio::try_join!(ground.site.worker(), ground.site.recorder())?;
    let path = format!("/v1/webhooks/{webhook}/recoveries");
    let since = since.format(&Rfc3339)?;
    let ask = |more: Value| {
        let mut body = json!({ "since": since });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        ground.api.post(&ground.key, &path, &body)
    };

    let counted = ask(json!({ "dryRun": true, "pace": 10 })).expect(200).await?.body;
    ensure!(counted["found"] == DELIVERIES && counted["exhausted"] == DELIVERIES && counted["seconds"] == 3);
    ensure!(
        ground.api.get(&ground.key, &path).expect(200).await?.body["data"] == json!([]),
        "a dry run is none"
    );
    let nothing = ask(json!({ "states": ["delivered"] })).expect(409).await?;
    ensure!(nothing.body["type"] == "urn:bellhop:problem:nothing", "{}", nothing.text);
    ensure!(ask(json!({ "pace": 101 })).expect(422).await?.fields() == ["pace"]);

    let begun = ask(json!({ "pace": 1 })).expect(202).await?;
    let id = begun.text_of("id")?;
    let one = format!("/v1/recoveries/{id}");
    ensure!(begun.header("location") == one && begun.body["state"] == "running", "{}", begun.text);
    let second = ask(json!({})).expect(409).await?;
    ensure!(second.body["type"] == "urn:bellhop:problem:recovery-under-way", "{}", second.text);
    ensure!(second.text_of("detail")?.contains(&id), "it does not name the running one: {}", second.text);
    endpoint.await_requests(1).await?;
    for key in [
        ground.key(Mode::Live, ORGANISATION, Role::Administrator).await?,
        ground.key(Mode::Test, "org_other", Role::Administrator).await?,
    ] {
        ground.api.get(&key, &one).expect(404).await?;
        ground.api.post(&key, &format!("{one}/cancel"), &json!({})).expect(404).await?;
        ground.api.post(&key, &path, &json!({ "since": since })).expect(404).await?;
    }
    let cancel = || ground.api.post(&ground.key, &format!("{one}/cancel"), &json!({}));
    let stopped = cancel().expect(200).await?.body;
    ensure!(
        stopped["state"] == "cancelled" && stopped["cancelledBy"] == begun.body["createdBy"],
        "{stopped}"
    );
    ensure!(cancel().expect(409).await?.body["type"] == "urn:bellhop:problem:ended");

    let rest = ask(json!({ "pace": 100 })).expect(202).await?.text_of("id")?;
    let look = async || {
        let shown = ground.api.get(&ground.key, &format!("/v1/recoveries/{rest}")).expect(200).await?.body;
        Ok((shown["state"] == "done").then_some(shown))
    };
    let done = eventually("the recovery of the rest to be done", look).await?;
    ensure!(done["endedAt"].is_string() && done["payloadGone"] == 0, "{done}");
    let requests = endpoint.await_requests(usize::try_from(DELIVERIES)?).await?;
    let events: BTreeSet<&str> = requests.iter().map(|request| request.webhook_id()).collect();
    ensure!(events.len() == requests.len() && requests.len() == usize::try_from(DELIVERIES)?, "{requests:?}");

    let page = ground.api.get(&ground.key, &format!("{path}?limit=1")).expect(200).await?;
    ensure!(page.body["data"][0]["id"] == rest, "{}", page.text);
    let next = format!("{path}?limit=1&cursor={}", page.text_of("next")?);
    ensure!(ground.api.get(&ground.key, &next).expect(200).await?.body["data"][0]["id"] == id);
    ensure_on_record(&ground, "recovery.begun", &[&rest, &id]).await?;
    ensure_on_record(&ground, "recovery.cancelled", &[&id]).await?;
    ground.site.ensure_nothing_owed(worker).await
}

/// Tells of deliveries that were exhausted a second apart.
///
/// * returns when the first began.
async fn tell_exhausted(ground: &Ground, webhook: &WebhookId) -> Result<OffsetDateTime> {
    let since = OffsetDateTime::now_utc() - Duration::hours(1);
    let mut records = Records::default();
    for number in 0..DELIVERIES {
        let told = Told::to(webhook, Mode::Test, &format!("evt-{number}"), APPOINTMENT)?;
        records.push_end(&told.end(since + Duration::seconds(number)));
    }
    ground.record(records).await?;
    Ok(since)
}

/// Insists on what the audit tells of one kind of thing, the newest first.
async fn ensure_on_record(ground: &Ground, action: &str, targets: &[&str]) -> Result<()> {
    let acts = ground.api.get(&ground.key, &format!("/v1/audit?action={action}")).expect(200).await?.body;
    let acts = acts["data"].as_array().context("a list")?.iter();
    let told: Vec<&str> = acts.filter_map(|act| act["target"].as_str()).collect();
    ensure!(told == targets, "{action}: {told:?}");
    Ok(())
}
