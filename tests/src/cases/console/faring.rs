//! How webhooks fare, as their list and their pages tell it.

use std::time::Duration;

use anyhow::Result;
use bellhop_model::{Decided, Mode, Records, Role, WebhookId, decode_batch};
use bellhop_store::{LogEntry, LogRetention, ModeRetention};
use time::OffsetDateTime;

use super::ground::Console;
use crate::appointment::APPOINTMENT;
use crate::cases::recording::records::Told;
use crate::context::Context;

/// Longer than the case looks back.
const KEPT: ModeRetention =
    ModeRetention { payload: Duration::from_secs(30 * 86_400), attempts: Duration::from_secs(90 * 86_400) };

/// Three requests taken and one not; and two hosts that cannot be reached, of which nobody may learn why.
pub async fn a_list_tells_how_each_fares_and_not_what_must_not_be_told(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Developer).await?;
    let mut records = Records::default();
    let at = OffsetDateTime::now_utc() - time::Duration::MINUTE;
    let mut ids = Vec::new();
    for (host, outcomes) in [
        ("a", &["2xx", "2xx", "2xx", "5xx"][..]),
        ("inside", &["dns"]),
        ("forbidden", &["forbidden_address"]),
    ] {
        let (id, _) = console.add_webhook(&mut tab, "test", &format!("https://{host}.example/")).await?;
        let webhook: WebhookId = id.parse()?;
        for (index, outcome) in outcomes.iter().enumerate() {
            let told = Told::to(&webhook, Mode::Test, &format!("evt-{host}-{index}"), APPOINTMENT)?;
            let mut attempt = told.attempt(at, outcome);
            attempt.status = match *outcome {
                "2xx" => Some(200),
                "5xx" => Some(503),
                _ => None,
            };
            if *outcome == "2xx" {
                attempt.verdict = Decided::Delivered;
            }
            records.push_attempt(&attempt);
        }
        ids.push(id);
    }
    let records = decode_batch(&records.into_message())?;
    let entries: Vec<LogEntry> = records.into_iter().map(LogEntry::new).collect::<Result<_, _>>()?;
    console.store.write_log(&entries, LogRetention { live: KEPT, test: KEPT }).await?;

    let list = tab.get("/console/test/webhooks").await?.of(200)?;
    let list = list.says(&["75.0 %", "0.0 %", "Answered 503", "Host not reachable"])?;
    let list = list.keeps_quiet_about(&["dns", "forbidden_address", "None on record"])?;
    anyhow::ensure!(list.text.matches("Host not reachable").count() == 2, "they are told apart");
    let [first, ..] = &ids[..] else { anyhow::bail!("three webhooks") };
    let page = format!("/console/test/webhooks/{first}");
    for span in ["", "?span=day", "?span=week", "?span=month", "?span=x"] {
        let shown = tab.get(&format!("{page}{span}")).await?.of(200)?;
        shown.says(&["75.0 %", "<dd>4</dd>", "<dd>1</dd>", "Answered 503", "Show the numbers"])?;
    }
    tab.get("/console/live/webhooks").await?.of(200)?.keeps_quiet_about(&["75.0 %"])?;
    Ok(())
}
