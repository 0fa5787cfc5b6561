//! How long what stays in the tables.

use anyhow::{Result, ensure};
use bellhop_model::{AnswerRecord, Mode, Records};
use time::{Duration, OffsetDateTime};

use super::records::{Told, published};
use super::tables::Tables;
use super::{KEPT_IN_SHAPE, await_recorded};
use crate::appointment::APPOINTMENT;
use crate::context::{Context, Site};

/// How old events are, in days: new, within both times, past the payload's, past both.
const AGES: [i64; 4] = [0, 20, 40, 100];

/// A recorder that keeps everything writes old records of both modes; one that does not then removes what is too old, of
/// test events alone, and takes nothing more of that age.
pub async fn what_is_too_old_goes_and_nothing_else(context: Context) -> Result<()> {
    let long = ["LIVE_PAYLOAD", "LIVE_ATTEMPTS", "TEST_PAYLOAD", "TEST_ATTEMPTS"]
        .map(|what| format!("BELLHOP_RECORDER_{what}_RETENTION"));
    let settings: Vec<(&str, &str)> = long.iter().map(|name| (name.as_str(), "200d")).collect();
    let site = context.site_with(&settings).await?;
    let tables = Tables::open(&site).await?;
    let keeping = site.recorder().await?;
    publish_all(&site, &tables).await?;
    await_recorded(&keeping, 1).await?;
    ensure!(keeping.drain().await?.success());
    for table in ["events", "payloads", "attempts", "answers", "deliveries"] {
        ensure!(tables.count(table).await? == 8, "{table}: {:?}", tables.events_in(table).await?);
    }

    tables.interrupt_a_drop("payloads_test", &name_of_day(tables.now().await? - Duration::days(40))).await?;
    let usual = long[2..].iter().fold(site.operator.program().clone(), |program, name| program.without(name));
    let removing = site.recorder_as(&usual).await?;
    removing.logs().await_line(KEPT_IN_SHAPE).await?;
    ensure_expired(&tables).await?;
    let left = tables.partitions().await?;
    let old = name_of_day(tables.now().await? - Duration::days(40));
    ensure!(!left.contains(&format!("payloads_test_{old}")), "half a drop is left: {left:?}");
    ensure!(left.contains(&format!("payloads_live_{old}")), "a partition is gone: {left:?}");
    let before = tables.fingerprints().await?;
    publish_all(&site, &tables).await?;
    await_recorded(&removing, 1).await?;
    ensure_expired(&tables).await?;
    let after = tables.fingerprints().await?;
    // Requests have new ids each time they are made up; everything else is there already or too old to be.
    ensure!(before[0] == after[0] && before[1] == after[1], "{before:?} became {after:?}");
    ensure!(removing.metrics().await?.contains("bellhop_recorder_rows_expired_total 5\n"));
    Ok(())
}

/// Of test events payloads and answers past 30 days are gone, everything past 90 is; of live events nothing.
async fn ensure_expired(tables: &Tables) -> Result<()> {
    for (table, tests) in [
        ("payloads", &AGES[..2]),
        ("answers", &AGES[..2]),
        ("events", &AGES[..3]),
        ("attempts", &AGES[..3]),
        ("deliveries", &AGES[..3]),
    ] {
        let mut expected = [named(Mode::Live, &AGES), named(Mode::Test, tests)].concat();
        expected.sort();
        let mut found = tables.events_in(table).await?;
        found.dedup();
        ensure!(found == expected, "{table} tells of {found:?} instead of {expected:?}");
    }
    Ok(())
}

fn named(mode: Mode, ages: &[i64]) -> Vec<String> {
    ages.iter().map(|age| format!("evt-{mode}-{age}")).collect()
}

/// What the name of a day's partition ends in.
fn name_of_day(moment: OffsetDateTime) -> String {
    let day = moment.date();
    format!("{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
}

/// Of each mode and age an event, a request with an answer, and so a delivery, all in one message.
async fn publish_all(site: &Site, tables: &Tables) -> Result<()> {
    let now = tables.now().await?;
    let mut records = Records::default();
    for mode in Mode::ALL {
        for (name, age) in named(mode, &AGES).iter().zip(AGES) {
            let told = Told::new(mode, name, APPOINTMENT)?;
            let at = now - Duration::days(age);
            records.push_event(&told.event, &told.body, at);
            let mut attempt = told.attempt(at, "5xx");
            attempt.answer = Some(AnswerRecord { body: "no".to_owned(), ..AnswerRecord::default() });
            records.push_attempt(&attempt);
        }
    }
    published(site, &records).await
}
