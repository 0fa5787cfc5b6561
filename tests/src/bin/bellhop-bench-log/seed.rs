//! Thirty days of deliveries, each with one request: half of them to one hot webhook, the rest to many quiet ones.

use anyhow::{Context as _, Result};
use bellhop_model::{Mode, Record, Records, WebhookId, decode_batch};
use bellhop_store::LogEntry;
use time::{Duration, OffsetDateTime};

use crate::stage::{Stage, kept_for};
use crate::told::Told;

/// Over how many days.
const DAYS: u32 = 30;

/// Longer than that, so that every day has its partitions.
const KEPT_DAYS: u64 = 90;

/// One in as many is exhausted; the others were delivered.
const EXHAUSTED_ONE_IN: i64 = 1_000;

/// How many webhooks share the other half.
const QUIET_WEBHOOKS: i64 = 1_000;

/// One of the others.
pub(crate) const QUIET: &str = "wh_00000000000000000000000000000001";

/// `$1`: the day's beginning, `$2`: how many rows, `$3`: how many there were before, `$6`: the hot webhook, which
/// every even one is for.
const INSERT_DAY: &str = "
    WITH numbered AS (
        SELECT number, md5('delivery ' || ($3::bigint + number)) AS hash, $1::timestamptz + number * (interval '1 day' / $2::bigint) AS at
        FROM generate_series(0, $2::bigint - 1) AS number
    ), told AS (
        SELECT number, hash, at, 'dlv_' || hash AS delivery, 'evt_' || hash AS event,
               CASE WHEN number % 2 = 0 THEN $6::text
                    ELSE 'wh_' || lpad(to_hex(1 + (number / 2) % $5::bigint), 32, '0') END AS webhook,
               (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8'
                || substr(hash, 4, 15))::uuid AS request,
               number % $4::bigint = 0 AS is_exhausted
        FROM numbered
    ), of_events AS (
        INSERT INTO events (mode, organisation, event, event_type, appointment, occurred_at, taken_at)
        SELECT 'live', 'org_bench', event, 'appointment.scheduled', 'apt_' || hash, at, at FROM told
    ), of_deliveries AS (
        INSERT INTO deliveries (id, mode, organisation, event, event_type, webhook, begun_at, state, reason, since, series,
                                attempt, request, status, outcome, rank)
        SELECT delivery, 'live', 'org_bench', event, 'appointment.scheduled', webhook, at,
               CASE WHEN is_exhausted THEN 'exhausted' ELSE 'delivered' END,
               CASE WHEN is_exhausted THEN 'attempts_failed' END, at, 1, 1, request, 200, '2xx',
               decode('0000000103' || hash, 'hex')
        FROM told
    )
    INSERT INTO attempts (mode, request, delivery, organisation, webhook, series, attempt, started_at, head_us, whole_us,
                          status, outcome, verdict, expanded, signed_at, signature)
    SELECT 'live', request, delivery, 'org_bench', webhook, 1, 1, at, 900, 1000, 200, '2xx', 'delivered', '', 1700000000,
           'v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    FROM told";

/// Fills the tables, day by day.
///
/// * returns the days' beginnings, the oldest first.
pub(crate) async fn fill(stage: &Stage, attempts: usize) -> Result<Vec<OffsetDateTime>> {
    let today = OffsetDateTime::now_utc().replace_time(time::Time::MIDNIGHT);
    let days: Vec<OffsetDateTime> = (1..=DAYS).rev().map(|ago| today - Duration::DAY * ago).collect();
    let of_day = i64::try_from(attempts)? / i64::from(DAYS);
    let mut before = 0_i64;
    for day in &days {
        make_partitions(stage, *day).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [day, &of_day, &before, &EXHAUSTED_ONE_IN, &QUIET_WEBHOOKS, &stage.hot];
        stage.tables.execute(INSERT_DAY, &parameters).await.with_context(|| format!("fill {day}"))?;
        before += of_day;
    }
    stage.tables.batch_execute("VACUUM (ANALYZE)").await?;
    Ok(days)
}

/// Has the store make a day's partitions, as for a record that comes late.
async fn make_partitions(stage: &Stage, day: OffsetDateTime) -> Result<()> {
    let told = Told::new(Mode::Live, &format!("evt_day_{}", day.date()), &WebhookId::from_uuid(&[9; 16]))?;
    stage.store.write_log(&entries(&[(&told, day + Duration::HOUR)])?, kept_for(KEPT_DAYS)).await?;
    Ok(())
}

/// What a recorder makes of the records of some deliveries.
pub(crate) fn entries(told: &[(&Told, OffsetDateTime)]) -> Result<Vec<LogEntry>> {
    let mut records = Records::default();
    for (told, at) in told {
        records.push_event(&told.event, &told.body, *at);
        records.push_attempt(&told.attempt(*at));
    }
    let decoded: Vec<Record> = decode_batch(&records.into_message())?;
    decoded.into_iter().map(|record| Ok(LogEntry::new(record)?)).collect()
}
