//! How webhooks fare over time, as charts show it.

use anyhow::{Result, ensure};
use bellhop_model::{Decided, Mode, Records};
use bellhop_store::{LogRetention, ModeRetention};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::deliveries::register;
use super::ground::Ground;
use crate::appointment::APPOINTMENT;
use crate::cases::recording::records::Told;
use crate::context::Context;

/// Ten requests in one slot and one three days before, told twice and by halves; then what is too old goes.
pub async fn a_request_counts_once_however_often_it_is_told(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let webhook = register(&ground, "https://hooks.example/a").await?;
    let now = OffsetDateTime::now_utc();
    let slot = OffsetDateTime::from_unix_timestamp(now.unix_timestamp() / 300 * 300)? - Duration::minutes(5);
    let (mut all, mut half) = (Records::default(), Records::default());
    for number in 0..11 {
        let told = Told::to(&webhook, Mode::Test, &format!("evt-{number}"), APPOINTMENT)?;
        let at = if number == 10 { slot - Duration::days(3) } else { slot + Duration::seconds(number) };
        let mut attempt = told.attempt(at, if number < 8 { "2xx" } else { "5xx" });
        if number < 8 {
            (attempt.verdict, attempt.status) = (Decided::Delivered, Some(200));
        }
        attempt.timing.whole_us = if number < 8 { 75_000 } else { 20_000_000 };
        all.push_attempt(&attempt);
        if number % 2 == 0 {
            half.push_attempt(&attempt);
        }
    }
    for records in [half.clone(), all.clone(), all, half] {
        ground.record(records).await?;
    }
    let path = format!("/v1/webhooks/{webhook}/rates");
    let read = async |query: &str| {
        let rates = ground.api.get(&ground.key, &format!("{path}{query}")).expect(200).await?;
        anyhow::Ok(rates.body)
    };
    let day = read("").await?;
    ensure!(day["stepSeconds"] == 300 && day["data"].as_array().map(Vec::len) == Some(1), "{day}");
    let point = &day["data"][0];
    ensure!(point["beginsAt"] == slot.format(&Rfc3339)?, "{day}");
    ensure!(point["made"] == 10 && point["taken"] == 8 && point["successRate"] == 0.8, "{day}");
    // Between the bounds that surround them; what exceeds the last bound counts as that.
    let p50 = point["latency"]["p50Ms"].as_f64().unwrap_or_default();
    ensure!(50.0 < p50 && p50 <= 100.0 && point["latency"]["p99Ms"] == 15_000.0, "{day}");

    let week = format!("?since={}&step=86400", (now - Duration::days(7)).format(&Rfc3339)?);
    let told = read(&week).await?;
    ensure!(told["data"].as_array().map(Vec::len) == Some(2) && told["data"][0]["made"] == 1, "{told}");
    for (query, field) in [
        ("step=7", "step"),
        ("since=now", "since"),
        ("until=2020-01-01T00:00:00Z&since=2021-01-01T00:00:00Z", "since"),
    ] {
        let refused = ground.api.get(&ground.key, &format!("{path}?{query}")).expect(400).await?;
        ensure!(refused.fields() == [field], "{query}: {}", refused.text);
    }

    let day = ModeRetention {
        payload: std::time::Duration::from_secs(86_400),
        attempts: std::time::Duration::from_secs(86_400),
    };
    ground.store.keep_log(LogRetention { live: day, test: day }).await?;
    let kept = read(&week).await?;
    ensure!(kept["data"].as_array().map(Vec::len) == Some(1) && kept["data"][0]["made"] == 10, "{kept}");
    ensure!(kept["stepSeconds"] == json!(86_400));
    Ok(())
}
