//! How webhooks fare, as records tell it: when each last took something, and when it last failed to for good.
//!
//! Both are the greatest of all that was told, so that it does not matter in what order, how often, or by how many
//! recorders it is told. [`bellhop_model::judge_failures`] says what follows from it.

use std::collections::BTreeMap;

use bellhop_model::{DeliveryState, EndState, Standing, WebhookId};
use deadpool_postgres::Transaction;
use time::OffsetDateTime;

use super::entry::moment;
use crate::postgres::Fault;

const MINUTE_US: i64 = 60_000_000;

/// Only what rises is written: a conflict locks the row even if nothing comes of it, and most of the time nothing would.
/// In one order for every writer, and among the last statements of its transaction, so that nobody waits for long.
const WRITE_HEALTH: &str = "
    INSERT INTO webhook_health AS held (webhook, delivered_until, exhausted_at)
    SELECT given.webhook, given.delivered_until, given.exhausted_at
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS given (webhook, delivered_until, exhausted_at)
    WHERE NOT EXISTS (
        SELECT FROM webhook_health AS known WHERE known.webhook = given.webhook
        AND (given.delivered_until IS NULL OR given.delivered_until <= known.delivered_until)
        AND (given.exhausted_at IS NULL OR given.exhausted_at <= known.exhausted_at))
    ORDER BY given.webhook
    ON CONFLICT (webhook) DO UPDATE SET
        delivered_until = greatest(held.delivered_until, excluded.delivered_until),
        exhausted_at = greatest(held.exhausted_at, excluded.exhausted_at)";

/// What some records tell of webhooks.
#[derive(Debug, Default)]
pub(super) struct HealthRows(BTreeMap<WebhookId, Health>);

/// In minutes since the epoch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Health {
    delivered_until: Option<i64>,
    exhausted_at: Option<i64>,
}

impl HealthRows {
    /// Notes what one record tells of a delivery to a webhook.
    pub(super) fn note(&mut self, webhook: &WebhookId, standing: &Standing) {
        let minute = standing.since_us.div_euclid(MINUTE_US);
        let told = match standing.state {
            DeliveryState::Delivered => Health { delivered_until: Some(minute + 1), exhausted_at: None },
            DeliveryState::Ended(reason) if reason.state() == EndState::Exhausted => {
                Health { delivered_until: None, exhausted_at: Some(minute) }
            }
            DeliveryState::Pending
            | DeliveryState::Retrying { .. }
            | DeliveryState::Deferred { .. }
            | DeliveryState::Ended(_) => return,
        };
        let health = self.0.entry(webhook.clone()).or_default();
        health.delivered_until = health.delivered_until.max(told.delivered_until);
        health.exhausted_at = health.exhausted_at.max(told.exhausted_at);
    }

    /// Writes what is new of it.
    pub(super) async fn write(&self, transaction: &Transaction<'_>) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let webhooks: Vec<&str> = self.0.keys().map(WebhookId::as_str).collect();
        let delivered: Vec<_> = self.0.values().map(|health| health.delivered_until.and_then(at)).collect();
        let exhausted: Vec<_> = self.0.values().map(|health| health.exhausted_at.and_then(at)).collect();
        let statement = transaction.prepare_cached(WRITE_HEALTH).await?;
        transaction.execute(&statement, &[&webhooks, &delivered, &exhausted]).await?;
        Ok(())
    }
}

/// A moment from minutes since the epoch; none beyond the calendar.
fn at(minute: i64) -> Option<OffsetDateTime> {
    moment(minute.saturating_mul(MINUTE_US)).ok()
}

#[cfg(test)]
mod tests {
    use bellhop_model::{EndReason, Series};

    use super::*;

    fn note(rows: &mut HealthRows, state: DeliveryState, since_us: i64) {
        let standing = Standing {
            series: Series::FIRST,
            state,
            attempt: None,
            since_us,
            request: None,
            status: None,
            outcome: String::new(),
        };
        rows.note(&WebhookId::from_uuid(&[7; 16]), &standing);
    }

    #[test]
    fn what_was_delivered_counts_to_the_end_of_its_minute_and_what_was_exhausted_from_the_beginning() {
        let exhausted = DeliveryState::Ended(EndReason::AttemptsFailed);
        let mut rows = HealthRows::default();
        for since_us in [61_000_000, 179_999_999, 0] {
            note(&mut rows, DeliveryState::Delivered, since_us);
            note(&mut rows, exhausted, since_us);
        }
        let told: Vec<_> = rows.0.into_values().collect();
        assert_eq!(told, [Health { delivered_until: Some(3), exhausted_at: Some(2) }]);
    }

    #[test]
    fn neither_the_cancelled_nor_the_unended_count() {
        let mut rows = HealthRows::default();
        for state in [
            DeliveryState::Pending,
            DeliveryState::Retrying { next_at_us: 0 },
            DeliveryState::Deferred { next_at_us: 0 },
            DeliveryState::Ended(EndReason::WebhookInactive),
            DeliveryState::Ended(EndReason::EndpointGone),
        ] {
            note(&mut rows, state, 0);
        }
        assert!(rows.0.is_empty(), "{rows:?}");
    }
}
