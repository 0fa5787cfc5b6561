//! Finding the webhooks that fail, and disabling them. What failing means is decided in the model.
//!
//! Most webhooks are told to be sound by their one row of health. For the others the first few deliveries that were
//! exhausted since they were last sound are found by an index. So a look costs what the failing webhooks cost, not what
//! the log holds.

use std::time::Duration;

use bellhop_model::limits::{DELIVERY_AGE_MAX, FAILING_DELIVERIES_MIN};
use bellhop_model::{
    DisabledReason, ExhaustedDeliveries, FailureDecision, FailureEvidence, LogReach, Mode, OrganisationId,
    WebhookId, WebhookStatus, judge_failures,
};
use deadpool_postgres::Object;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::partition::first_request;
use crate::limits::{FAILING_PAGE_MAX, LOG_REMOVAL_ROWS_MAX};
use crate::postgres::Fault;
use crate::{Store, StoreError, truth};

/// A clock that runs ahead must not make an old log look new, so what is of the future does not count.
const RECORDED_UNTIL: &str = "
    SELECT started_at FROM attempts WHERE mode = $1 AND request < $2 ORDER BY request DESC LIMIT 1";

/// Active webhooks that may be failing, each with the first deliveries that were exhausted since it was last sound.
///
/// What was begun long before that does not count: it was made again, or waited for long, and looking for it would mean
/// to go through all that ever was.
const SUSPECTS: &str = "
    SELECT suspect.*, early.first_at, early.count
    FROM (
        SELECT id, mode, organisation, version, updated_at, delivered_until, exhausted_at, suspected_at,
               greatest(updated_at, delivered_until) AS counts_from
        FROM webhooks JOIN webhook_health ON webhook_health.webhook = webhooks.id
        WHERE disabled_reason IS NULL AND $1 < id
          AND greatest(updated_at, delivered_until) + make_interval(secs => $2) <= exhausted_at
        ORDER BY id LIMIT $3
    ) AS suspect
    CROSS JOIN LATERAL (
        SELECT min(since) AS first_at, count(*) AS count FROM (
            SELECT since FROM deliveries
            WHERE deliveries.webhook = suspect.id AND state = 'exhausted'
              AND suspect.counts_from - make_interval(secs => $4) <= begun_at AND suspect.counts_from < since
            ORDER BY begun_at, id LIMIT $5
        ) AS exhausted
    ) AS early
    ORDER BY id";

const SUSPECT: &str = "UPDATE webhook_health SET suspected_at = clock_timestamp() WHERE webhook = $1";

const FORGET_REMOVED: &str = "
    DELETE FROM webhook_health WHERE webhook IN (
        SELECT webhook FROM webhook_health
        WHERE NOT EXISTS (SELECT FROM webhooks WHERE webhooks.id = webhook) LIMIT $1)";

/// A webhook that was found failing, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingWebhook {
    /// Which.
    pub id: WebhookId,
    /// Its mode.
    pub mode: Mode,
    /// Whose it is.
    pub organisation: OrganisationId,
    version: i64,
}

impl Store {
    /// Looks for webhooks to which nothing could be delivered for `after`, and notes those that it is too early to tell of.
    ///
    /// Any number of processes may look.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn failing_webhooks(&self, after: Duration) -> Result<Vec<FailingWebhook>, StoreError> {
        let reach = self.inner.postgres.run(async |client| log_reach(client).await).await?;
        let mut failing = Vec::new();
        let mut last = None;
        loop {
            let page = async |client: &mut Object| judge_page(client, last.as_ref(), &reach, after).await;
            let Page { found, last: Some(next) } = self.inner.postgres.run(page).await? else { break };
            failing.extend(found);
            last = Some(next);
        }
        self.inner
            .postgres
            .run(async |client| Ok(client.execute(FORGET_REMOVED, &[&LOG_REMOVAL_ROWS_MAX]).await?))
            .await?;
        Ok(failing)
    }

    /// Disables a webhook that was found failing, unless it was changed since.
    ///
    /// * returns whether this call disabled it.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn disable_failing_webhook(&self, failing: &FailingWebhook) -> Result<bool, StoreError> {
        let disabled = WebhookStatus::Disabled(DisabledReason::Failing);
        match self.disable_webhook_of(&failing.id, failing.version, DisabledReason::Failing).await {
            Ok(written) => {
                Ok(written.value.status == disabled && written.value.version == failing.version + 1)
            }
            Err(StoreError::UnknownWebhook(_) | StoreError::Changed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Some webhooks that were looked at.
struct Page {
    found: Vec<FailingWebhook>,
    /// The last one of those looked at; none when there was none.
    last: Option<WebhookId>,
}

async fn log_reach(client: &Object) -> Result<LogReach, Fault> {
    let now: OffsetDateTime = client.query_one("SELECT clock_timestamp()", &[]).await?.try_get(0)?;
    let mut recorded_until = None;
    for mode in Mode::ALL {
        let newest = client.query_opt(RECORDED_UNTIL, &[&mode.as_str(), &first_request(now)]).await?;
        let newest: Option<OffsetDateTime> = newest.map(|row| row.try_get(0)).transpose()?;
        recorded_until = recorded_until.max(newest);
    }
    Ok(LogReach { now, recorded_until })
}

async fn judge_page(
    client: &mut Object,
    after_id: Option<&WebhookId>,
    reach: &LogReach,
    after: Duration,
) -> Result<Page, Fault> {
    let after_id = after_id.map_or("", WebhookId::as_str);
    let (after_seconds, age_seconds) = (after.as_secs_f64(), DELIVERY_AGE_MAX.as_secs_f64());
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&after_id, &after_seconds, &FAILING_PAGE_MAX, &age_seconds, &i64::from(FAILING_DELIVERIES_MIN)];
    let mut page = Page { found: Vec::new(), last: None };
    for row in client.query(SUSPECTS, &parameters).await? {
        let id = truth::webhook_id(&row)?;
        match judge_failures(&evidence(&row)?, reach, after) {
            FailureDecision::Leave => {}
            FailureDecision::Suspect => drop(client.execute(SUSPECT, &[&id.as_str()]).await?),
            FailureDecision::Disable => {
                let scope = truth::scope_of(&row)?;
                let (mode, organisation) = (scope.mode, scope.organisation);
                let version = row.try_get("version")?;
                page.found.push(FailingWebhook { id: id.clone(), mode, organisation, version });
            }
        }
        page.last = Some(id);
    }
    Ok(page)
}

fn evidence(row: &Row) -> Result<FailureEvidence, Fault> {
    let exhausted = |first_at| -> Result<ExhaustedDeliveries, Fault> {
        let count = u32::try_from(row.try_get::<_, i64>("count")?).unwrap_or(u32::MAX);
        Ok(ExhaustedDeliveries { first_at, newest_at: row.try_get("exhausted_at")?, count })
    };
    let first_at: Option<OffsetDateTime> = row.try_get("first_at")?;
    Ok(FailureEvidence {
        changed_at: row.try_get("updated_at")?,
        delivered_until: row.try_get("delivered_until")?,
        exhausted: first_at.map(exhausted).transpose()?,
        suspected_at: row.try_get("suspected_at")?,
    })
}
