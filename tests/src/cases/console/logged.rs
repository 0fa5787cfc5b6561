//! What the log tells of in the cases about its pages: written as a recorder writes it.

use anyhow::{Result, ensure};
use bellhop_model::{AttemptRecord, Mode, Record, Records, Role, WebhookId, decode_batch};
use bellhop_store::{AuditFilter, Author, LogEntry};
use time::{Duration, OffsetDateTime};

use super::ground::Console;
use crate::appointment::{APPOINTMENT, ORGANISATION};
use crate::cases::recording::records::{Told, seven_deliveries};
use crate::context::Context;
use crate::measuring::told::kept_for;
use crate::tab::{Shown, Tab};

/// Longer than any case looks back.
const KEPT_DAYS: u64 = 90;

/// A console, somebody who is signed in, and a webhook of theirs in Test Mode.
pub(super) struct Logged {
    pub(super) console: Console,
    pub(super) tab: Tab,
    pub(super) webhook: WebhookId,
}

impl Logged {
    pub(super) async fn prepare(context: &Context) -> Result<Self> {
        Self::prepare_at(context, "https://hooks.example/t0ken").await
    }

    /// * `url`: of the webhook.
    pub(super) async fn prepare_at(context: &Context, url: &str) -> Result<Self> {
        let console = Console::prepare(context).await?;
        let mut tab = console.signed_in(Role::Administrator).await?;
        let (id, _) = console.add_webhook(&mut tab, "test", url).await?;
        Ok(Self { console, tab, webhook: id.parse()? })
    }

    /// A page below the webhook's.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/console/test/webhooks/{}{rest}", self.webhook)
    }

    /// An event owed to the webhook.
    pub(super) fn told(&self, event: &str, data: &str) -> Result<Told> {
        Told::to(&self.webhook, Mode::Test, event, data)
    }

    /// Writes what records tell, as a recorder does.
    pub(super) async fn record(&self, records: Records) -> Result<()> {
        let records: Vec<Record> = decode_batch(&records.into_message())?;
        let entries: Vec<LogEntry> = records.into_iter().map(LogEntry::new).collect::<Result<_, _>>()?;
        self.console.store.write_log(&entries, kept_for(KEPT_DAYS)).await?;
        Ok(())
    }

    /// Tells of one delivery with one request that failed, and gives both.
    pub(super) async fn failed(&self, event: &str, data: &str) -> Result<(Told, AttemptRecord<'static>)> {
        let (told, at) = (self.told(event, data)?, OffsetDateTime::now_utc() - Duration::MINUTE);
        let (attempt, mut records) = (told.attempt(at, "5xx"), Records::default());
        records.push_event(&told.event, &told.body, at);
        records.push_attempt(&attempt);
        self.record(records).await?;
        Ok((told, attempt))
    }

    /// Tells of so many deliveries, a second apart, each of which was exhausted an hour ago or later.
    pub(super) async fn exhausted(&self, count: i64) -> Result<()> {
        let since = OffsetDateTime::now_utc() - Duration::hours(1);
        let mut records = Records::default();
        for number in 0..count {
            let told = self.told(&format!("evt-exhausted-{number}"), APPOINTMENT)?;
            records.push_end(&told.end(since + Duration::seconds(number)));
        }
        self.record(records).await
    }

    /// What the audit tells of one kind of thing: to what it was done, the newest first, and by which kind of actor.
    pub(super) async fn acts(&self, action: &str) -> Result<Vec<(String, String)>> {
        let filter = AuditFilter { action: Some(action.to_owned()), limit: 100, ..AuditFilter::default() };
        let organisation = ORGANISATION.parse()?;
        let organisation = self.console.store.organisation(Mode::Test, &organisation, &Author::SYSTEM);
        let acts = organisation.audit(&filter).await?;
        Ok(acts.into_iter().map(|act| (act.target, act.actor_kind)).collect())
    }
}

/// [`seven_deliveries`] on record.
///
/// * returns the deliveries' ids, the newest first.
pub(super) async fn seven(logged: &Logged) -> Result<Vec<String>> {
    let (records, ids) = seven_deliveries(&logged.webhook, OffsetDateTime::now_utc())?;
    logged.record(records).await?;
    Ok(ids.iter().map(ToString::to_string).collect())
}

/// The deliveries that a list leads to, in its order.
pub(super) fn listed(shown: &Shown) -> Result<Vec<String>> {
    let rows = shown.text.split("data-key=\"").skip(1);
    let ids: Vec<String> = rows.filter_map(|row| row.split('"').next()).map(ToOwned::to_owned).collect();
    for id in &ids {
        ensure!(shown.text.contains(&format!("/deliveries/{id}\"")), "nothing leads to {id}: {}", shown.text);
    }
    Ok(ids)
}
