//! What `bellhop deliveries` tells of the log.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{AnswerRecord, Decided, Mode, Records};
use serde_json::Value;
use time::Duration;

use super::records::{Told, published};
use super::tables::Tables;
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::context::{Context, Site};

/// How many deliveries there are.
const DELIVERIES: i64 = 7;

/// Deliveries a minute apart, the odd ones delivered and the even ones waiting, by every filter and page by page.
pub async fn deliveries_are_found_by_what_they_are(context: Context) -> Result<()> {
    let site = context.site().await?;
    let tables = Tables::open(&site).await?;
    let now = tables.now().await?;
    let mut records = Records::default();
    for number in 0..DELIVERIES {
        let told = Told::new(Mode::Test, &format!("evt-{number}"), APPOINTMENT)?;
        let mut attempt = told.attempt(now - Duration::minutes(number), "5xx");
        if number % 2 == 1 {
            attempt.verdict = Decided::Delivered;
        }
        records.push_attempt(&attempt);
    }
    published(&site, &records).await?;
    let _recorder = site.recorder().await?;
    tables.await_count("deliveries", DELIVERIES).await?;

    let all = ["evt-0", "evt-1", "evt-2", "evt-3", "evt-4", "evt-5", "evt-6"];
    let webhook = format!("wh_{}", "07".repeat(16));
    let since = (now - Duration::seconds(90)).format(&time::format_description::well_known::Rfc3339)?;
    let cases: [(&[&str], &[&str]); 12] = [
        (&[], &all),
        (
            &["--mode", "test", "--organisation", ORGANISATION, "--webhook", &webhook, "--type", SCHEDULED],
            &all,
        ),
        (&["--mode", "live"], &[]),
        (&["--organisation", "org_other"], &[]),
        (&["--webhook", "wh_other"], &[]),
        (&["--type", "appointment.cancelled"], &[]),
        (&["--state", "delivered"], &["evt-1", "evt-3", "evt-5"]),
        (&["--state", "retrying", "--event", "evt-4"], &["evt-4"]),
        (&["--status", "5xx"], &["evt-0", "evt-2", "evt-4", "evt-6"]),
        (&["--status", "503"], &[]),
        (&["--since", &since], &["evt-0", "evt-1"]),
        (&["--until", &since, "--state", "delivered"], &["evt-3", "evt-5"]),
    ];
    for (arguments, expected) in cases {
        let (found, _) = list(&site, arguments).await?;
        ensure!(found == expected, "{arguments:?} finds {found:?}");
    }
    let mut found = Vec::new();
    let mut place = None;
    loop {
        let after = place.iter().flat_map(|place: &String| ["--after", place]);
        let arguments: Vec<&str> = ["--limit", "3"].into_iter().chain(after).collect();
        let (page, next) = list(&site, &arguments).await?;
        ensure!(page.len() <= 3);
        found.extend(page);
        let Some(next) = next else { break };
        place = Some(next);
    }
    ensure!(found == all, "page by page: {found:?}");
    let alone = site.operator.program().run(&["deliveries", "list", "--appointment", "apt_1"]).await?;
    alone.ended_with(2)?.complains_of(&["--mode", "--organisation"])?;
    let refused = site.operator.program().run(&["deliveries", "list", "--limit", "501"]).await?;
    refused.ended_with(2)?.complains_of(&["1 to 500"]).map(drop)
}

/// Health data is shown to who asks for it, and to nobody else.
pub async fn a_payload_is_shown_only_when_asked_for(context: Context) -> Result<()> {
    let site = context.site().await?;
    let tables = Tables::open(&site).await?;
    let now = tables.now().await?;
    let told = Told::new(Mode::Live, "evt-shown", APPOINTMENT)?;
    let mut attempt = told.attempt(now, "5xx");
    attempt.answer = Some(AnswerRecord { body: "no Zoë here".to_owned(), ..AnswerRecord::default() });
    let mut records = Records::default();
    records.push_event(&told.event, &told.body, now);
    records.push_attempt(&attempt);
    records.push_end(&told.end(now + Duration::seconds(1)));
    published(&site, &records).await?;
    let _recorder = site.recorder().await?;
    tables.await_count("answers", 1).await?;
    let program = site.operator.program();
    let delivery = attempt.of.delivery.as_str();

    let show = ["deliveries", "show", delivery];
    let plain = program.run(&show).await?.succeeded()?.stdout;
    for told in
        ["evt-shown", "exhausted", "attempts_failed", "attempt 1: 5xx 500", &attempt.request.to_string()]
    {
        ensure!(plain.contains(told), "`{told}` is missing in {plain}");
    }
    ensure!(!plain.contains("Zo"), "{plain}");
    let opened = program.run(&[&show[..], &["--payload"]].concat()).await?.succeeded()?.stdout;
    ensure!(opened.contains(APPOINTMENT) && opened.contains("no Zoë here"), "{opened}");
    let json =
        program.run(&[&show[..], &["--payload", "--output", "json"]].concat()).await?.succeeded()?.stdout;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(json["payload"].as_str().map(str::as_bytes) == Some(&told.body), "{json}");
    ensure!(json["requests"][0]["answer"]["body"] == "no Zoë here", "{json}");

    let unknown = format!("dlv_{}", "0".repeat(32));
    program.run(&["deliveries", "show", &unknown]).await?.ended_with(1)?.complains_of(&[&unknown]).map(drop)
}

/// * returns the listed events, and the place to go on from.
async fn list(site: &Site, arguments: &[&str]) -> Result<(Vec<String>, Option<String>)> {
    let all = [&["deliveries", "list", "--output", "json"], arguments].concat();
    let printed = site.operator.program().run(&all).await?.succeeded()?.stdout;
    let printed: Value = serde_json::from_str(&printed).with_context(|| printed.clone())?;
    let listed = printed["deliveries"].as_array().context("a list")?;
    let events = listed.iter().filter_map(|delivery| delivery["event"].as_str().map(str::to_owned));
    Ok((events.collect(), printed["next"].as_str().map(str::to_owned)))
}
