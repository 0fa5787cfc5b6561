//! Thirty days of deliveries, each with one request: half of them to one hot webhook, the rest to many quiet ones.

use anyhow::{Context as _, Result};
use bellhop_model::{Mode, WebhookId};
use bellhop_store::Store;
use time::{Duration, OffsetDateTime};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::told::{Told, entries, kept_for};

/// Over how many days.
const DAYS: u32 = 30;

/// Longer than that, so that every day has its partitions.
const KEPT_DAYS: u64 = 90;

/// One in as many is exhausted; the others were delivered.
const EXHAUSTED_ONE_IN: i64 = 1_000;

/// What a log is about.
#[derive(Debug)]
pub struct Seed<'a> {
    /// Whose it is.
    pub organisation: &'a str,
    /// The webhook that every second delivery is for.
    pub hot: &'a str,
    /// Those that share the others.
    pub quiet: &'a [String],
    /// How many deliveries there are, each with one request.
    pub deliveries: usize,
}

/// `$1`: the day's beginning, `$2`: how many rows, `$3`: how many there were before, `$4`: which are exhausted, `$5`: the
/// quiet webhooks, `$6`: the hot one, which every even one is for, `$7`: whose.
const INSERT_DAY: &str = "
    WITH numbered AS (
        SELECT number, md5('delivery ' || ($3::bigint + number)) AS hash, $1::timestamptz + number * (interval '1 day' / $2::bigint) AS at
        FROM generate_series(0, $2::bigint - 1) AS number
    ), told AS (
        SELECT number, hash, at, 'dlv_' || hash AS delivery, 'evt_' || hash AS event,
               CASE WHEN number % 2 = 0 THEN $6::text
                    ELSE ($5::text[])[1 + ((number / 2) % cardinality($5::text[]))::int] END AS webhook,
               (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8'
                || substr(hash, 4, 15))::uuid AS request,
               number % $4::bigint = 0 AS is_exhausted
        FROM numbered
    ), of_events AS (
        INSERT INTO events (mode, organisation, event, event_type, appointment, occurred_at, taken_at)
        SELECT 'live', $7::text, event, 'appointment.scheduled', 'apt_' || hash, at, at FROM told
    ), of_deliveries AS (
        INSERT INTO deliveries (id, mode, organisation, event, event_type, webhook, begun_at, state, reason, since, series,
                                attempt, request, status, outcome, rank)
        SELECT delivery, 'live', $7::text, event, 'appointment.scheduled', webhook, at,
               CASE WHEN is_exhausted THEN 'exhausted' ELSE 'delivered' END,
               CASE WHEN is_exhausted THEN 'attempts_failed' END, at, 1, 1, request, 200, '2xx',
               decode('0000000103' || hash, 'hex')
        FROM told
    )
    INSERT INTO attempts (mode, request, delivery, organisation, webhook, series, attempt, started_at, head_us, whole_us,
                          status, outcome, verdict, expanded, signed_at, signature)
    SELECT 'live', request, delivery, $7::text, webhook, 1, 1, at, 900, 1000, 200, '2xx', 'delivered', '', 1700000000,
           'v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    FROM told";

/// Fills the tables of live mode, day by day.
///
/// * `tables`: a connection that finds them.
/// * returns the days' beginnings, the oldest first.
///
/// # Errors
/// PostgreSQL's.
pub async fn fill(store: &Store, tables: &Client, seed: &Seed<'_>) -> Result<Vec<OffsetDateTime>> {
    let today = OffsetDateTime::now_utc().replace_time(time::Time::MIDNIGHT);
    let days: Vec<OffsetDateTime> = (1..=DAYS).rev().map(|ago| today - Duration::DAY * ago).collect();
    let of_day = i64::try_from(seed.deliveries)? / i64::from(DAYS);
    let mut before = 0_i64;
    for day in &days {
        make_partitions(store, *day).await?;
        let parameters: [&(dyn ToSql + Sync); 7] =
            [day, &of_day, &before, &EXHAUSTED_ONE_IN, &seed.quiet, &seed.hot, &seed.organisation];
        tables.execute(INSERT_DAY, &parameters).await.with_context(|| format!("fill {day}"))?;
        before += of_day;
    }
    tables.batch_execute("VACUUM (ANALYZE)").await?;
    Ok(days)
}

/// Has the store make a day's partitions, as for a record that comes late.
async fn make_partitions(store: &Store, day: OffsetDateTime) -> Result<()> {
    let told = Told::new(Mode::Live, &format!("evt_day_{}", day.date()), &WebhookId::from_uuid(&[9; 16]))?;
    store.write_log(&entries(&[(&told, day + Duration::HOUR)])?, kept_for(KEPT_DAYS)).await?;
    Ok(())
}
