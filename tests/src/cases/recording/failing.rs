//! Webhooks to which nothing could be delivered for days are disabled, and no others.
//!
//! Records of the past days go the usual way, through the log and a recorder. A recorder looks for failing webhooks when
//! it starts, so each look here is a recorder of its own, and nobody waits.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{AttemptRecord, Decided, End, EndReason, Mode, Records};
use rand::seq::SliceRandom as _;
use time::{Duration, OffsetDateTime};

use super::records::{Told, published};
use super::tables::Tables;
use super::{KEPT_IN_SHAPE, await_recorded};
use crate::appointment::APPOINTMENT;
use crate::context::{Context, Site};
use crate::operator::Webhook;
use crate::receiver::Answer;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// What a recorder says when it disables one.
const DISABLED: &str = "disabled a webhook";

/// What there is on record of a webhook, each at so many minutes ago.
struct Past {
    name: &'static str,
    exhausted: &'static [i64],
    cancelled: &'static [i64],
    delivered: &'static [i64],
}

/// Six days of failures, no more of them than it takes.
const SIX_DAYS: &[i64] = &[6 * DAY, 5 * DAY, 4 * DAY, 2 * DAY, 30];

const FAILING: Past = Past { name: "failing", exhausted: SIX_DAYS, cancelled: &[], delivered: &[8 * DAY] };

/// Each lacks something of what makes a webhook a failing one.
const SOUND: [Past; 6] = [
    Past { name: "recovered", delivered: &[20], ..FAILING },
    Past { name: "took-one-between", delivered: &[3 * DAY], ..FAILING },
    Past { name: "failed-once", exhausted: &[6 * DAY], ..FAILING },
    Past { name: "failed-seldom", exhausted: &[6 * DAY, 5 * DAY, 4 * DAY, 30], ..FAILING },
    Past { name: "failed-of-late", exhausted: &[25 * HOUR, DAY, 20 * HOUR, 10 * HOUR, 30], ..FAILING },
    Past { name: "cancelled", exhausted: &[], cancelled: SIX_DAYS, delivered: &[] },
];

/// A place where webhooks have a past.
struct Scene {
    site: Site,
    tables: Tables,
    now: OffsetDateTime,
}

/// One webhook fails, others lack one thing each, and one that fails was changed of late. Everything is told twice, in
/// random order.
pub async fn only_what_failed_for_days_is_disabled_and_can_be_enabled(context: Context) -> Result<()> {
    let scene = Scene::prepare(&context).await?;
    let failing = scene.registered(&FAILING).await?;
    let mut records = scene.past_of(&FAILING, &failing)?;
    let mut sound = Vec::new();
    for past in &SOUND {
        let webhook = scene.registered(past).await?;
        records.extend(scene.past_of(past, &webhook)?);
        sound.push((past.name, webhook));
    }
    scene.age_webhooks().await?;
    let changed = Past { name: "changed-of-late", ..FAILING };
    let webhook = scene.registered(&changed).await?;
    records.extend(scene.past_of(&changed, &webhook)?);
    sound.push((changed.name, webhook));
    records.push(scene.recent_request(&failing)?);

    records.extend(records.clone());
    records.shuffle(&mut rand::rng());
    scene.record(&records).await?;
    scene.look().await?;
    scene.ensure_suspected(1).await?;
    ensure!(scene.status_of(&failing).await? == "enabled", "disabled at the first look");
    scene.let_minutes_pass(10).await?;

    let recorder = scene.site.recorder().await?;
    let line = recorder.logs().await_line(DISABLED).await?;
    ensure!(line.contains(&failing.id) && !line.contains("/failing"), "{line}");
    recorder.logs().await_line(KEPT_IN_SHAPE).await?;
    ensure!(recorder.figure("bellhop_recorder_webhooks_disabled_total").await? == 1);
    ensure!(recorder.drain().await?.success());
    ensure!(scene.status_of(&failing).await? == "disabled failing");
    let listed = scene.site.operator.program().run(&["webhook", "list"]).await?.succeeded()?.stdout;
    ensure!(listed.matches("disabled (failing)").count() == 1, "{listed}");
    for (name, webhook) in &sound {
        ensure!(scene.status_of(webhook).await? == "enabled", "{name} is disabled");
    }

    scene.site.operator.change_webhook("enable", &failing).await?;
    scene.record(&[scene.exhausted(&failing, 0)?, scene.recent_request(&failing)?]).await?;
    scene.look_twice().await?;
    ensure!(scene.status_of(&failing).await? == "enabled", "the clock does not start anew");
    Ok(())
}

/// While a recorder is down for days, a webhook fails and recovers: when the recorder has written the failures, the
/// success that clears the webhook may still wait in the queue.
pub async fn a_log_that_is_behind_disables_nobody(context: Context) -> Result<()> {
    let scene = Scene::prepare(&context).await?;
    let webhook = scene.registered(&FAILING).await?;
    scene.age_webhooks().await?;
    scene.record(&scene.past_of(&FAILING, &webhook)?).await?;
    scene.look_twice().await?;
    scene.ensure_suspected(0).await?;

    // Up to date now, but for how long? What was suspected before it fell behind must be suspected again.
    scene.record(&[scene.recent_request(&webhook)?]).await?;
    scene.look().await?;
    scene.ensure_suspected(1).await?;
    scene.let_minutes_pass(3 * DAY).await?;
    scene.look().await?;
    ensure!(scene.status_of(&webhook).await? == "enabled", "disabled by an old suspicion");
    scene.record(&[scene.delivered(&webhook, 5)?]).await?;
    scene.let_minutes_pass(10).await?;
    scene.look_twice().await?;
    ensure!(scene.status_of(&webhook).await? == "enabled", "disabled although it took something");
    Ok(())
}

/// A webhook disabled by a recorder is sent nothing more by a worker that has it in memory.
pub async fn workers_hear_of_a_webhook_that_is_disabled_as_failing(context: Context) -> Result<()> {
    let scene = Scene::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let (hook, sound) =
        (receiver.endpoint("hook", Answer::status(500)), receiver.endpoint("sound", Answer::status(200)));
    let failing = scene.site.operator.add_webhook(&hook.url).await?;
    scene.site.operator.add_webhook(&sound.url).await?;
    scene.age_webhooks().await?;
    let mut records = scene.past_of(&FAILING, &failing)?;
    records.push(scene.recent_request(&failing)?);
    scene.record(&records).await?;
    let worker = scene.site.worker().await?;
    scene.site.operator.publish_appointment().await?;
    hook.await_requests(3).await?;
    scene.look_twice().await?;
    ensure!(scene.status_of(&failing).await? == "disabled failing");

    scene.site.operator.publish_appointment().await?;
    sound.await_requests(2).await?;
    scene.site.ensure_nothing_owed(worker).await?;
    ensure!(hook.requests().len() == 3, "it is called although it is disabled");
    Ok(())
}

/// A switched-off rule disables nothing, and says nothing of it either.
pub async fn no_webhook_is_disabled_when_the_operator_wants_none(context: Context) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_RECORDER_DISABLE_FAILING_AFTER", "0s")]).await?;
    let scene = Scene::of(site).await?;
    let webhook = scene.registered(&FAILING).await?;
    scene.age_webhooks().await?;
    let mut records = scene.past_of(&FAILING, &webhook)?;
    records.push(scene.recent_request(&webhook)?);
    scene.record(&records).await?;
    scene.look_twice().await?;
    ensure!(scene.status_of(&webhook).await? == "enabled");
    scene.ensure_suspected(0).await
}

/// One record each.
type OneRecord = Records;

impl Scene {
    async fn prepare(context: &Context) -> Result<Self> {
        Self::of(context.site().await?).await
    }

    async fn of(site: Site) -> Result<Self> {
        let tables = Tables::open(&site).await?;
        let now = tables.now().await?;
        Ok(Self { site, tables, now })
    }

    async fn registered(&self, past: &Past) -> Result<Webhook> {
        self.site.operator.add_webhook(&format!("http://127.0.0.1:2/{}", past.name)).await
    }

    /// All that is on record of a webhook, oldest first.
    fn past_of(&self, past: &Past, webhook: &Webhook) -> Result<Vec<OneRecord>> {
        let exhausted = past.exhausted.iter().map(|minutes| self.exhausted(webhook, *minutes));
        let cancelled =
            past.cancelled.iter().map(|minutes| self.ended(webhook, *minutes, EndReason::WebhookInactive));
        let delivered = past.delivered.iter().map(|minutes| self.delivered(webhook, *minutes));
        delivered.chain(exhausted).chain(cancelled).collect()
    }

    fn exhausted(&self, webhook: &Webhook, minutes_ago: i64) -> Result<OneRecord> {
        self.ended(webhook, minutes_ago, EndReason::AttemptsFailed)
    }

    fn ended(&self, webhook: &Webhook, minutes_ago: i64, reason: EndReason) -> Result<OneRecord> {
        let (told, at) = self.told(webhook, "ended", minutes_ago)?;
        let mut records = Records::default();
        records.push_end(&End { reason, ..told.end(at) });
        Ok(records)
    }

    fn delivered(&self, webhook: &Webhook, minutes_ago: i64) -> Result<OneRecord> {
        let (told, at) = self.told(webhook, "delivered", minutes_ago)?;
        let mut records = Records::default();
        records.push_attempt(&AttemptRecord { verdict: Decided::Delivered, ..told.attempt(at, "2xx") });
        Ok(records)
    }

    /// A request that failed just now and is to be made again: it shows that the log reaches to the present.
    fn recent_request(&self, webhook: &Webhook) -> Result<OneRecord> {
        let (told, at) = self.told(webhook, "recent", 0)?;
        let mut records = Records::default();
        records.push_attempt(&told.attempt(at, "5xx"));
        Ok(records)
    }

    fn told(&self, webhook: &Webhook, what: &str, minutes_ago: i64) -> Result<(Told, OffsetDateTime)> {
        let told = Told::new(Mode::Test, &format!("evt-{what}-{minutes_ago}"), APPOINTMENT)?;
        Ok((told.owed_to(&webhook.id.parse()?), self.now - Duration::minutes(minutes_ago)))
    }

    /// Has a recorder write records, all in one message.
    async fn record(&self, records: &[OneRecord]) -> Result<()> {
        let mut all = Records::default();
        records.iter().for_each(|record| all.append(record));
        published(&self.site, &all).await?;
        let recorder = self.site.recorder().await?;
        await_recorded(&recorder, 1).await?;
        ensure!(recorder.drain().await?.success());
        Ok(())
    }

    /// Has a recorder look for failing webhooks.
    async fn look(&self) -> Result<()> {
        let recorder = self.site.recorder().await?;
        recorder.logs().await_line(KEPT_IN_SHAPE).await?;
        ensure!(recorder.drain().await?.success());
        Ok(())
    }

    /// Has it look once more ten minutes later.
    async fn look_twice(&self) -> Result<()> {
        self.look().await?;
        self.let_minutes_pass(10).await?;
        self.look().await
    }

    async fn let_minutes_pass(&self, minutes: i64) -> Result<()> {
        let passed = format!("suspected_at = suspected_at - interval '{minutes} minutes'");
        self.tables.change(&format!("UPDATE webhook_health SET {passed}")).await.map(drop)
    }

    /// Makes all webhooks there are a month old.
    async fn age_webhooks(&self) -> Result<()> {
        self.tables.change("UPDATE webhooks SET updated_at = updated_at - interval '30 days'").await.map(drop)
    }

    async fn ensure_suspected(&self, count: i64) -> Result<()> {
        let suspected = self.tables.count("webhook_health WHERE suspected_at IS NOT NULL").await?;
        ensure!(suspected == count, "{suspected} webhooks are suspected instead of {count}");
        Ok(())
    }

    /// The status, and the reason if there is one.
    async fn status_of(&self, webhook: &Webhook) -> Result<String> {
        let shown = self.site.operator.show_webhook(webhook).await?;
        let status = shown["status"].as_str().context("a status")?;
        Ok(shown["disabledReason"].as_str().map_or(status.to_owned(), |reason| format!("{status} {reason}")))
    }
}
