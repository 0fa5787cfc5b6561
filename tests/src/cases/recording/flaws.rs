//! Messages of the log that cannot be written as they are.

use std::str;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Records};
use time::{Duration, OffsetDateTime};

use super::KEPT_IN_SHAPE;
use super::records::{Told, published};
use super::tables::Tables;
use crate::amqp::{Amqp, Message};
use crate::appointment::APPOINTMENT;
use crate::context::Context;
use crate::queues;

/// Bytes that are no batch, and then one that is.
pub async fn what_is_no_batch_is_parked_with_its_reason_and_its_bytes(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (amqp, tables) = (site.amqp().await?, Tables::open(&site).await?);
    let _recorder = site.recorder().await?;
    for body in [b"nonsense +447700900123".as_slice(), b"", br#"{"version":0,"records":[]}"#, b"[\xc3\x28]"] {
        amqp.publish(&Message::of_log(body.to_vec())).await?;
        ensure_parked(&amqp, body, &["batch"]).await?;
    }
    let told = Told::new(Mode::Test, "evt-good", APPOINTMENT)?;
    let mut records = Records::default();
    records.push_attempt(&told.attempt(OffsetDateTime::now_utc(), "5xx"));
    published(&site, &records).await?;
    tables.await_count("attempts", 1).await
}

/// A message with three flaws among good records, beside messages without: one flaw shows when the record is read, one in
/// its event, one only to PostgreSQL, which takes no text with a zero byte.
pub async fn a_record_that_cannot_be_written_does_not_hold_up_the_others(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (amqp, tables) = (site.amqp().await?, Tables::open(&site).await?);
    let now = OffsetDateTime::now_utc();
    let told = |id: &str| Told::new(Mode::Test, id, APPOINTMENT);
    let mut flawed = Records::default();
    flawed.push_attempt(&told("evt-1")?.attempt(now, "5xx"));
    flawed.push_attempt(&told("evt-2")?.attempt(now, "zero \0 byte"));
    flawed.push_attempt(&told("evt-3")?.attempt(now, "to be spoilt"));
    let third = told("evt-4")?;
    flawed.push_event(&third.event, b"{\"id\":\"evt-4\"}", now);
    flawed.push_attempt(&told("evt-5")?.attempt(now, "5xx"));
    let text = String::from_utf8(flawed.into_message())?;
    let spoilt = text.replace(r#""outcome":"to be spoilt""#, r#""outcome":7"#);
    ensure!(spoilt != text, "nothing was spoilt");
    let mut good = Records::default();
    good.push_attempt(&told("evt-6")?.attempt(now, "5xx"));
    // All before there is a recorder, so that they are written together.
    let messages = [good.clone().into_message(), spoilt.clone().into_bytes()].map(Message::of_log);
    amqp.publish_all(&messages).await?;

    let recorder = site.recorder().await?;
    ensure_parked(&amqp, spoilt.as_bytes(), &["record 2: ", "22021", "record 3: ", "record 4: "]).await?;
    ensure!(tables.events_in("attempts").await? == ["evt-1", "evt-5", "evt-6"]);
    let told = recorder.metrics().await?;
    for (result, count) in [("recorded", 1), ("parked", 1), ("given_back", 0)] {
        let line = format!("bellhop_recorder_messages_total{{result=\"{result}\"}} {count}\n");
        ensure!(told.contains(&line), "not `{line}` in {told}");
    }
    ensure!(recorder.drain().await?.success());
    amqp.ensure_empty([queues::LOG, queues::LOG_PARKED]).await
}

/// During a rolling upgrade old recorders meet what new workers write.
pub async fn what_a_later_version_wrote_waits_for_a_newer_recorder(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (amqp, tables) = (site.amqp().await?, Tables::open(&site).await?);
    let recorder = site.recorder().await?;
    let later = br#"{"version":7,"packed":"c29tZXRoaW5nIG5ldw=="}"#;
    amqp.publish(&Message::of_log(later.to_vec())).await?;
    recorder.logs().await_line("condition `version` is not ready").await?;
    let told = Told::new(Mode::Test, "evt-good", APPOINTMENT)?;
    let mut records = Records::default();
    records.push_attempt(&told.attempt(OffsetDateTime::now_utc(), "5xx"));
    published(&site, &records).await?;
    tables.await_count("attempts", 1).await?;

    ensure!(recorder.drain().await?.success());
    amqp.ensure_empty([queues::LOG_PARKED]).await?;
    let left = amqp.drain(queues::LOG).await?;
    ensure!(left.len() == 1 && left[0].body == later, "{left:?}");
    Ok(())
}

/// A worker's clock that is years ahead must not make partitions until then. Nor may an event hold up its neighbours that
/// happened at a moment which no calendar holds in UTC: PostgreSQL's client panics over it.
pub async fn a_record_from_the_future_is_parked(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (amqp, tables) = (site.amqp().await?, Tables::open(&site).await?);
    let recorder = site.recorder().await?;
    recorder.logs().await_line(KEPT_IN_SHAPE).await?;
    let partitions = tables.partitions().await?;
    let told = |id: &str| Told::new(Mode::Test, id, APPOINTMENT);
    let now = tables.now().await?;
    let mut records = Records::default();
    records.push_attempt(&told("evt-1")?.attempt(now, "5xx"));
    records.push_attempt(&told("evt-2")?.attempt(now + Duration::days(400), "5xx"));
    let last = told("evt-late")?;
    let text = String::from_utf8(last.body.clone())?;
    let late = text.replace("2024-02-06T17:20:59Z", "9999-12-31T23:59:59-01:00");
    ensure!(late != text, "nothing was spoilt: {text}");
    records.push_event(&last.event, late.as_bytes(), now);
    published(&site, &records).await?;
    let reasons = ["record 2: ", "clock", "record 3: ", "`occurredAt`"];
    ensure_parked(&amqp, &records.clone().into_message(), &reasons).await?;
    ensure!(tables.events_in("attempts").await? == ["evt-1"]);
    ensure!(tables.partitions().await? == partitions, "a partition was made");
    Ok(())
}

/// Takes the next parked message and looks at it.
async fn ensure_parked(amqp: &Amqp, body: &[u8], reasons: &[&str]) -> Result<()> {
    let parked = amqp.take(queues::LOG_PARKED, 1).await?.remove(0);
    let told = parked.header("bellhop-reason").context("no reason")?;
    for reason in reasons {
        ensure!(told.contains(reason), "the reason is `{told}`, which lacks `{reason}`");
    }
    ensure!(!told.contains("+447700900123"), "the reason repeats the payload: `{told}`");
    ensure!(parked.header("bellhop-origin").as_deref() == Some(queues::LOG), "{parked:?}");
    ensure!(
        parked.body == body,
        "parked for `{told}`, the body was changed: {:?}",
        str::from_utf8(&parked.body)
    );
    Ok(())
}
