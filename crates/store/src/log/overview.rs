//! How several webhooks fare at a glance: their rates, and what went wrong last. A list of them takes two questions,
//! however many there are.

use std::collections::BTreeMap;

use bellhop_model::WebhookId;
use deadpool_postgres::Object;

use super::LoggedDelivery;
use super::delivery::{DELIVERY_COLUMNS, delivery, fill_statuses};
use super::rates::{self, RatePoint, RateSpan};
use crate::{Organisation, StoreError};

/// How one webhook fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookOverview {
    /// Its rates, the oldest step first; a step without a request has no point.
    pub points: Vec<RatePoint>,
    /// The newest delivery that has met a failure and was not delivered since.
    pub last_failure: Option<LoggedDelivery>,
}

impl Organisation<'_> {
    /// Tells how some of our webhooks fare. One that is not ours, or of which nothing is on record, is left out.
    ///
    /// * `span`: which time the rates are of.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn overview(
        &self,
        webhooks: &[WebhookId],
        span: RateSpan,
    ) -> Result<BTreeMap<WebhookId, WebhookOverview>, StoreError> {
        // One look into an index per webhook, which holds nothing that went well.
        let failures = format!(
            "SELECT {DELIVERY_COLUMNS} FROM unnest($1::text[]) AS given (looked_at), LATERAL (
                 SELECT * FROM deliveries
                 WHERE webhook = looked_at AND mode = $2 AND organisation = $3 AND state <> 'delivered'
                   AND state <> 'pending' AND outcome <> ''
                 ORDER BY begun_at DESC, id DESC LIMIT 1) AS deliveries"
        );
        let ids: Vec<&str> = webhooks.iter().map(WebhookId::as_str).collect();
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let read = async |client: &mut Object| {
            let mut told: BTreeMap<WebhookId, WebhookOverview> = BTreeMap::new();
            for (webhook, point) in rates::read(client, &self.scope, &ids, span).await? {
                told.entry(webhook).or_default().points.push(point);
            }
            let rows = client.query(&failures, &[&ids, &mode, &organisation]).await?;
            let mut failed = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
            fill_statuses(client, &mut failed).await?;
            for delivery in failed {
                let webhook = delivery.webhook.clone();
                told.entry(webhook).or_default().last_failure = Some(delivery);
            }
            Ok(told)
        };
        self.store.inner.postgres.run(read).await
    }
}
