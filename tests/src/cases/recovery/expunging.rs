//! The health data of one event, removed before its time.

use anyhow::{Result, ensure};
use bellhop_model::{AnswerRecord, Mode, Records, WebhookId};

use super::{delivery_of, redeliver};
use crate::appointment::{APPOINTMENT, ORGANISATION};
use crate::cases::recording::records::{Told, published};
use crate::cases::recording::tables::Tables;
use crate::context::Context;
use crate::receiver::Answer;

/// Two events; one is expunged, told of again, and answered to late.
pub async fn what_is_expunged_is_gone_and_stays_gone(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let id: WebhookId = webhook.id.parse()?;
    let tables = Tables::open(&site).await?;
    let now = tables.now().await?;
    let answered = |event: &str| {
        let told = Told::to(&id, Mode::Test, event, APPOINTMENT)?;
        let mut attempt = told.attempt(now, "5xx");
        attempt.answer = Some(AnswerRecord { body: "no Zoë here".to_owned(), ..AnswerRecord::default() });
        let mut records = Records::default();
        records.push_event(&told.event, &told.body, now);
        records.push_attempt(&attempt);
        records.push_end(&told.end(now));
        anyhow::Ok(records)
    };
    published(&site, &answered("evt-private")?).await?;
    published(&site, &answered("evt-other")?).await?;
    let recorder = site.recorder().await?;
    tables.await_count("answers", 2).await?;
    tables.await_count("payloads", 2).await?;

    let expunge = ["events", "expunge", "--mode", "test", "--organisation", ORGANISATION, "--by", "Zoë"];
    let unknown = site.operator.program().run(&[&expunge[..], &["evt-nobody"]].concat()).await?;
    unknown.ended_with(1)?.complains_of(&["no event `evt-nobody`"])?;
    let told = site.operator.program().run(&[&expunge[..], &["evt-private"]].concat()).await?.succeeded()?;
    ensure!(told.stdout.contains("the payload and 1 answers"), "{}", told.stdout);
    ensure!(tables.events_in("payloads").await? == ["evt-other"]);
    ensure!(tables.events_in("answers").await? == ["evt-other"]);
    let recorded = "events WHERE event = 'evt-private' AND expunged_by = 'Zoë' AND expunged_at IS NOT NULL";
    ensure!(tables.count(recorded).await? == 1, "who expunged it is not on record");

    // The same records again, with a request that nobody had heard of: its answer goes with the next round of upkeep.
    published(&site, &answered("evt-private")?).await?;
    tables.await_count("attempts", 3).await?;
    ensure!(tables.events_in("payloads").await? == ["evt-other"], "the payload came back");
    ensure!(recorder.drain().await?.success());
    let keeping = site.recorder().await?;
    keeping.logs().await_line("kept the delivery log in shape").await?;
    ensure!(tables.events_in("answers").await? == ["evt-other"], "a late answer stays");

    let delivery = delivery_of(&webhook, "evt-private")?;
    redeliver(&site, &delivery, &[]).await?.ended_with(1)?.complains_of(&["expunged by Zoë"])?;
    let show = ["deliveries", "show", "--payload", &delivery];
    let shown = site.operator.program().run(&show).await?.succeeded()?.stdout;
    ensure!(shown.contains("no longer on record") && shown.contains("exhausted"), "{shown}");
    ensure!(endpoint.requests().is_empty(), "{:?}", endpoint.requests());
    Ok(())
}
