//! How webhooks fare over time: requests, successes and latencies, counted in slots of five minutes as they are written.

use std::fmt::Write as _;
use std::time::Duration;

use bellhop_model::WebhookId;
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::row::parsed;
use crate::limits::RATE_POINTS_MAX;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::{Organisation, StoreError};

/// How long one slot is. Moments on the hour are among those at which slots begin.
pub const RATE_SLOT: Duration = Duration::from_secs(5 * 60);

/// Up to how long requests took that are counted together, in microseconds. Each is at most two and a half times the one
/// before, which is as exact as a quantile can be; what took longer is counted last. The table's check knows how many
/// counts there are.
const LATENCY_BOUNDS_US: [u64; 12] = [
    5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    15_000_000,
];

/// Counts of requests by how long they took.
type Latency = [u64; LATENCY_BOUNDS_US.len() + 1];

/// What some requests add to one slot.
#[derive(Debug)]
pub(super) struct Added {
    webhook: String,
    slot: OffsetDateTime,
    mode: String,
    organisation: String,
    made: i64,
    taken: i64,
    /// Counts, separated by commas: an array of arrays must be a rectangle, and has no rows to unnest.
    latency: String,
}

/// Which time to tell of, and in what steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSpan {
    /// From here on; the step that this lies in is told as a whole.
    pub since: OffsetDateTime,
    /// Before this.
    pub until: OffsetDateTime,
    /// How long one point is: a multiple of [`RATE_SLOT`], at least one.
    pub step: Duration,
}

/// How a webhook fared in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatePoint {
    /// The step's beginning.
    pub begins_at: OffsetDateTime,
    /// Requests that were made.
    pub made: u64,
    /// How many of them the endpoint took.
    pub taken: u64,
    latency: Latency,
}

/// What to select to know what rows of `added` add to which slots, and how many rows there are.
///
/// Failures that tell an organisation what names exist inside (`dns`, `forbidden_address`) count, and how long they took
/// does not.
pub(super) fn added_by_slot() -> String {
    let bounds = LATENCY_BOUNDS_US.map(|bound| bound.to_string()).join(",");
    let mut counts = String::new();
    for bucket in 0..=LATENCY_BOUNDS_US.len() {
        let separator = if bucket == 0 { "" } else { ", " };
        write!(counts, "{separator}count(*) FILTER (WHERE bucket = {bucket})").expect("a string takes all");
    }
    format!(
        "SELECT webhook, slot, mode, organisation, count(*) AS made, count(*) FILTER (WHERE outcome = '2xx') AS taken,
                concat_ws(',', {counts}) AS latency
         FROM (
             SELECT webhook, mode, organisation, outcome,
                    to_timestamp(floor(extract(epoch FROM started_at) / {slot}) * {slot}) AS slot,
                    CASE WHEN outcome NOT IN ('dns', 'forbidden_address')
                         THEN width_bucket(whole_us - 1, ARRAY[{bounds}]::bigint[]) END AS bucket
             FROM added) AS told
         GROUP BY webhook, slot, mode, organisation",
        slot = RATE_SLOT.as_secs()
    )
}

/// In one order for every writer, and the last statement of its transaction: a webhook's current slot is written by all who
/// have requests of it, who thus wait for each other for as short as can be.
const ADD: &str = "
    INSERT INTO webhook_rates AS held (webhook, slot, mode, organisation, made, taken, latency)
    SELECT webhook, slot, mode, organisation, made, taken, string_to_array(latency, ',')::bigint[]
    FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
        AS given (webhook, slot, mode, organisation, made, taken, latency)
    ORDER BY webhook, slot, mode, organisation
    ON CONFLICT (webhook, slot, mode, organisation) DO UPDATE SET
        made = held.made + excluded.made, taken = held.taken + excluded.taken,
        latency = ARRAY(SELECT one + other FROM unnest(held.latency, excluded.latency)
                        WITH ORDINALITY AS both_ (one, other, place) ORDER BY place)";

impl Added {
    pub(super) fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            webhook: row.try_get("webhook")?,
            slot: row.try_get("slot")?,
            mode: row.try_get("mode")?,
            organisation: row.try_get("organisation")?,
            made: row.try_get("made")?,
            taken: row.try_get("taken")?,
            latency: row.try_get("latency")?,
        })
    }

    /// How many requests.
    pub(super) const fn made(&self) -> u64 {
        self.made.unsigned_abs()
    }
}

/// Adds to slots.
pub(super) async fn add(transaction: &Transaction<'_>, added: &[Added]) -> Result<(), Fault> {
    if added.is_empty() {
        return Ok(());
    }
    let texts = |value: fn(&Added) -> &str| added.iter().map(value).collect::<Vec<_>>();
    let slots: Vec<OffsetDateTime> = added.iter().map(|added| added.slot).collect();
    let made: Vec<i64> = added.iter().map(|added| added.made).collect();
    let taken: Vec<i64> = added.iter().map(|added| added.taken).collect();
    let statement = transaction.prepare_cached(ADD).await?;
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &texts(|added| &added.webhook),
        &slots,
        &texts(|added| &added.mode),
        &texts(|added| &added.organisation),
        &made,
        &taken,
        &texts(|added| &added.latency),
    ];
    transaction.execute(&statement, &parameters).await?;
    Ok(())
}

impl Organisation<'_> {
    /// Tells how one of our webhooks fared, the oldest step first, at most [`RATE_POINTS_MAX`]. A step without a request has
    /// no point.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn rates(&self, webhook: &WebhookId, span: RateSpan) -> Result<Vec<RatePoint>, StoreError> {
        self.webhook(webhook).await?;
        let read = async |client: &mut Object| read(client, &self.scope, &[webhook.as_str()], span).await;
        let points = self.store.inner.postgres.run(read).await?;
        Ok(points.into_iter().map(|(_, point)| point).collect())
    }
}

/// Reads how webhooks fared, the oldest step first, at most [`RATE_POINTS_MAX`] of each.
pub(super) async fn read(
    client: &Object,
    scope: &Scope,
    webhooks: &[&str],
    span: RateSpan,
) -> Result<Vec<(WebhookId, RatePoint)>, Fault> {
    let mut sums = String::new();
    for place in 1..=LATENCY_BOUNDS_US.len() + 1 {
        let separator = if place == 1 { "" } else { ", " };
        write!(sums, "{separator}sum(latency[{place}])::bigint").expect("a string takes all");
    }
    let select = format!(
        "SELECT webhook, begins_at, sum(made)::bigint AS made, sum(taken)::bigint AS taken, ARRAY[{sums}] AS latency
         FROM (SELECT webhook, to_timestamp(floor(extract(epoch FROM slot) / $6::bigint) * $6) AS begins_at, made, taken, latency
               FROM webhook_rates
               WHERE webhook = ANY ($1) AND mode = $2 AND organisation = $3
                 AND to_timestamp(floor(extract(epoch FROM $4::timestamptz) / $6) * $6) <= slot AND slot < $5) AS told
         GROUP BY webhook, begins_at ORDER BY begins_at, webhook LIMIT {}",
        RATE_POINTS_MAX * webhooks.len().max(1)
    );
    let step = i64::try_from(span.step.max(RATE_SLOT).as_secs()).unwrap_or(i64::MAX);
    let parameters: [&(dyn ToSql + Sync); 6] =
        [&webhooks, &scope.mode.as_str(), &scope.organisation.as_str(), &span.since, &span.until, &step];
    let rows = client.query(&select, &parameters).await?;
    rows.iter().map(|row| Ok((parsed(row, "webhook")?, point(row)?))).collect()
}

impl RatePoint {
    /// The share of requests that the endpoint took, 0 to 1.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        exact(self.taken) / exact(self.made.max(1))
    }

    /// Within how many milliseconds a share of the requests was over.
    ///
    /// It is told from counts between fixed bounds, as if the requests between two of them were spread evenly; what took
    /// longer than the last bound counts as long as that.
    ///
    /// * `share`: 0 to 1.
    /// * returns `None` when no request counts.
    #[must_use]
    pub fn latency_ms(&self, share: f64) -> Option<f64> {
        let all: u64 = self.latency.iter().sum();
        if all == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * exact(all);
        let (mut below, mut least) = (0.0, 0.0);
        for (count, bound) in self.latency.iter().zip(LATENCY_BOUNDS_US) {
            let (count, bound) = (exact(*count), exact(bound));
            if 0.0 < count && wanted <= below + count {
                let part = ((wanted - below) / count).clamp(0.0, 1.0);
                return Some((least + part * (bound - least)) / 1_000.0);
            }
            (below, least) = (below + count, bound);
        }
        Some(least / 1_000.0)
    }
}

/// Counts and microseconds of this aeon lose nothing.
const fn exact(number: u64) -> f64 {
    number as f64
}

fn point(row: &Row) -> Result<RatePoint, Fault> {
    let number = |name| Ok::<_, Fault>(row.try_get::<_, i64>(name)?.unsigned_abs());
    let counts: Vec<i64> = row.try_get("latency")?;
    let mut latency: Latency = [0; LATENCY_BOUNDS_US.len() + 1];
    for (held, count) in latency.iter_mut().zip(counts) {
        *held = count.unsigned_abs();
    }
    Ok(RatePoint {
        begins_at: row.try_get("begins_at")?,
        made: number("made")?,
        taken: number("taken")?,
        latency,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latency: Latency) -> RatePoint {
        RatePoint { begins_at: OffsetDateTime::UNIX_EPOCH, made: 0, taken: 0, latency }
    }

    fn counted(places: &[(usize, u64)]) -> RatePoint {
        let mut latency: Latency = [0; LATENCY_BOUNDS_US.len() + 1];
        for (place, count) in places {
            latency[*place] = *count;
        }
        of(latency)
    }

    #[test]
    fn a_quantile_lies_between_the_bounds_of_what_was_counted() {
        let cases = [
            (vec![], 0.5, None),
            (vec![(0, 10)], 0.5, Some(2.5)),
            (vec![(0, 10)], 1.0, Some(5.0)),
            (vec![(4, 4)], 0.5, Some(75.0)),
            (vec![(0, 99), (12, 1)], 0.99, Some(5.0)),
            (vec![(0, 50), (12, 50)], 0.99, Some(15_000.0)),
            (vec![(2, 1), (7, 1)], 0.0, Some(10.0)),
            (vec![(2, 1), (7, 1)], 0.75, Some(750.0)),
        ];
        for (places, share, expected) in cases {
            assert_eq!(counted(&places).latency_ms(share), expected, "{places:?} {share}");
        }
    }

    #[test]
    fn the_bounds_rise_and_a_day_holds_whole_slots() {
        assert!(LATENCY_BOUNDS_US.is_sorted());
        assert_eq!(3_600 % RATE_SLOT.as_secs(), 0);
    }
}
