//! Deliveries as the log tells of them: which there are, where each stands, and the requests of one.

use bellhop_model::{
    Attempt, DeliveryId, DeliveryState, DeliveryStateName, EndReason, EventId, EventType, Mode,
    OrganisationId, PayloadLevel, RequestId, Sent, Series, Standing, Timing, WebhookId, micros_of,
};
use deadpool_postgres::Object;
use time::{Duration, OffsetDateTime};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::DeliveryFilter;
use super::entry::moment;
use super::filter::Conditions;
use super::partition::first_request;
use super::row::{corrupt, parsed, series_of};
use crate::limits::{DELIVERIES_PAGE_MAX, DELIVERY_ATTEMPTS_MAX};
use crate::postgres::Fault;
use crate::{Store, StoreError};

/// The columns that [`delivery`] reads. What is read of the event is one row's value each: with EXISTS the planner, which does
/// not reckon with LIMIT here, would read all events to look a page of fifty up in a hash.
pub(super) const DELIVERY_COLUMNS: &str = "id, mode, organisation, event, event_type, webhook, begun_at, state, reason, next_at, \
     since, series, attempt, request, status, outcome, \
     coalesce((SELECT events.is_test FROM events WHERE events.mode = deliveries.mode \
               AND events.organisation = deliveries.organisation AND events.event = deliveries.event), false) AS is_test, \
     (SELECT events.appointment FROM events WHERE events.mode = deliveries.mode \
      AND events.organisation = deliveries.organisation AND events.event = deliveries.event) AS appointment";

/// For a page of what was answered with some status. The planner takes outcome and state for independent of each other, and
/// can tell nothing of a last request's status, so it expects next to nothing, reads all that there is by a bitmap, and sorts
/// that. Without bitmaps it reads an index that has the order, and no more of it than the page.
const IN_ORDER: &str = "SET LOCAL enable_bitmapscan = off";

const ATTEMPT_COLUMNS: &str = "request, series, attempt, started_at, connected_us, head_us, whole_us, status, outcome, \
     verdict, next_at, expanded, signed_at, signature, user_agent, origin";

/// A delivery, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDelivery {
    /// Which.
    pub id: DeliveryId,
    /// Live or test.
    pub mode: Mode,
    /// Whose event it is.
    pub organisation: OrganisationId,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Whether nothing happened: it is a test event.
    pub is_test: bool,
    /// The appointment's id, if it has one that could be kept, and the event is on record.
    pub appointment: Option<String>,
    /// To whom.
    pub webhook: WebhookId,
    /// The earliest moment that is on record.
    pub begun_at: OffsetDateTime,
    /// Where it stands.
    pub standing: Standing,
}

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedAttempt {
    /// Which.
    pub request: RequestId,
    /// Which series it belongs to.
    pub series: Series,
    /// Which of the three.
    pub attempt: Attempt,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// How long it took.
    pub timing: Timing,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The outcome's label.
    pub outcome: String,
    /// What was decided: `delivered`, `retry`, `exhausted` or `gone`.
    pub verdict: String,
    /// Of `retry`: not before.
    pub next_at: Option<OffsetDateTime>,
    /// How much of the event was sent.
    pub payload: PayloadLevel,
    /// The header `webhook-timestamp`, unix seconds.
    pub signed_at: i64,
    /// The header `webhook-signature`.
    pub signature: String,
    /// The header `user-agent`; absent of requests from before it was kept.
    pub user_agent: Option<String>,
    /// Scheme, host and port of where it went; absent of requests from before that was kept.
    pub origin: Option<String>,
}

impl LoggedAttempt {
    /// What was noted when it was sent, from which the request can be made again.
    #[must_use]
    pub fn sent(&self) -> Sent<'_> {
        Sent {
            payload: self.payload,
            timestamp: self.signed_at,
            signature: self.signature.as_str().into(),
            user_agent: self.user_agent.as_deref().map(Into::into),
            origin: self.origin.as_deref().map(Into::into),
        }
    }
}

impl Store {
    /// Lists deliveries, the newest first, at most [`crate::DELIVERIES_PAGE_MAX`].
    ///
    /// * `limit`: how many at most.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
    ) -> Result<Vec<LoggedDelivery>, StoreError> {
        let Conditions { of_page, of_rows, parameters } = filter.conditions();
        let limit = limit.min(DELIVERIES_PAGE_MAX);
        // The page is found first, by what its index alone tells. Asked for whole rows, the planner reads the newest of all
        // webhooks until enough are of one that has many: all of the log since, when that one has been quiet.
        let list = format!(
            "SELECT {DELIVERY_COLUMNS} FROM deliveries
             JOIN (SELECT id FROM deliveries WHERE {of_page} ORDER BY begun_at DESC, id DESC LIMIT {limit}) AS page
             USING (id) WHERE {of_rows} ORDER BY begun_at DESC, id DESC"
        );
        let select = async |client: &mut Object| {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
            let rows = if filter.status.is_some() {
                let transaction = client.transaction().await?;
                transaction.batch_execute(IN_ORDER).await?;
                let rows = transaction.query(&list, &parameters).await?;
                transaction.commit().await?;
                rows
            } else {
                client.query(&list, &parameters).await?
            };
            let mut deliveries = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
            fill_statuses(client, &mut deliveries).await?;
            Ok(deliveries)
        };
        self.inner.postgres.run(select).await
    }

    /// Reads one delivery.
    ///
    /// # Errors
    /// [`StoreError::UnknownDelivery`], otherwise PostgreSQL's.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<LoggedDelivery, StoreError> {
        let select = format!("SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE id = $1");
        let read = async |client: &mut Object| {
            let row = client.query_opt(&select, &[&id.as_str()]).await?;
            let mut found = [delivery(&row.ok_or_else(|| StoreError::UnknownDelivery(id.clone()))?)?];
            fill_statuses(client, &mut found).await?;
            let [delivery] = found;
            Ok(delivery)
        };
        self.inner.postgres.run(read).await
    }

    /// Lists the requests of a delivery in the order of their beginning, at most [`crate::DELIVERY_ATTEMPTS_MAX`].
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn attempts(&self, delivery: &LoggedDelivery) -> Result<Vec<LoggedAttempt>, StoreError> {
        // The bound on the id spares the partitions of earlier days.
        let list = format!(
            "SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE mode = $1 AND delivery = $2 AND $3 <= request
             ORDER BY request LIMIT {DELIVERY_ATTEMPTS_MAX}"
        );
        let read = async |client: &mut Object| {
            let earliest = first_request(delivery.begun_at);
            let parameters: [&(dyn ToSql + Sync); 3] =
                [&delivery.mode.as_str(), &delivery.id.as_str(), &earliest];
            let rows = client.query(&list, &parameters).await?;
            rows.iter().map(attempt).collect()
        };
        self.inner.postgres.run(read).await
    }

    /// Reads one request of a delivery.
    ///
    /// # Errors
    /// [`StoreError::UnknownRequest`], otherwise PostgreSQL's.
    pub async fn attempt(
        &self,
        delivery: &LoggedDelivery,
        request: RequestId,
    ) -> Result<LoggedAttempt, StoreError> {
        let select = format!(
            "SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE mode = $1 AND request = $2 AND delivery = $3"
        );
        let read = async |client: &mut Object| {
            let parameters: [&(dyn ToSql + Sync); 3] =
                [&delivery.mode.as_str(), request.as_uuid(), &delivery.id.as_str()];
            let row = client.query_opt(&select, &parameters).await?;
            let unknown = || StoreError::UnknownRequest { delivery: delivery.id.clone(), request };
            attempt(&row.ok_or_else(unknown)?)
        };
        self.inner.postgres.run(read).await
    }
}

/// The statuses of last requests, which the records of ends do not repeat.
///
/// * `$2` and `$3`: deliveries and their series; `$4` and `$5`: no such request is older or younger.
const LAST_STATUSES: &str = "
    SELECT DISTINCT ON (made.delivery) made.delivery, made.status
    FROM attempts AS made
    JOIN unnest($2::text[], $3::bigint[]) AS given (delivery, series)
      ON made.delivery = given.delivery AND made.series = given.series
    WHERE made.mode = $1 AND $4 <= made.request AND made.request < $5 AND made.delivery = ANY ($2)
    ORDER BY made.delivery, made.request DESC";

/// Looks up with what the last requests of deliveries were answered that have ended.
pub(super) async fn fill_statuses(client: &Object, deliveries: &mut [LoggedDelivery]) -> Result<(), Fault> {
    for mode in Mode::ALL {
        let is_open =
            |delivery: &&mut LoggedDelivery| delivery.mode == mode && is_status_elsewhere(&delivery.standing);
        let mut open: Vec<&mut LoggedDelivery> = deliveries.iter_mut().filter(is_open).collect();
        let Some(earliest) = open.iter().map(|delivery| delivery.begun_at).min() else { continue };
        let latest = open.iter().map(|delivery| delivery.standing.since_us).max().unwrap_or_default();
        let latest = moment(latest).unwrap_or(earliest) + Duration::SECOND;
        let ids: Vec<&str> = open.iter().map(|delivery| delivery.id.as_str()).collect();
        let series: Vec<i64> = open.iter().map(|delivery| i64::from(delivery.standing.series.0)).collect();
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&mode.as_str(), &ids, &series, &first_request(earliest), &first_request(latest)];
        for row in client.query(LAST_STATUSES, &parameters).await? {
            let (id, status) = (row.try_get::<_, &str>("delivery")?, status(&row)?);
            if let Some(delivery) = open.iter_mut().find(|delivery| delivery.id.as_str() == id) {
                delivery.standing.status = status;
            }
        }
    }
    Ok(())
}

/// Whether the record of an end led here, though a request had been made.
fn is_status_elsewhere(standing: &Standing) -> bool {
    matches!(standing.state, DeliveryState::Ended(_))
        && standing.request.is_none()
        && standing.attempt.is_some()
}

/// Reads a delivery from a row of [`DELIVERY_COLUMNS`].
pub(super) fn delivery(row: &Row) -> Result<LoggedDelivery, Fault> {
    let id = parsed(row, "id")?;
    Ok(LoggedDelivery {
        mode: parsed(row, "mode")?,
        organisation: parsed(row, "organisation")?,
        event: parsed(row, "event")?,
        event_type: parsed(row, "event_type")?,
        is_test: row.try_get("is_test")?,
        appointment: row.try_get("appointment")?,
        webhook: parsed(row, "webhook")?,
        begun_at: row.try_get("begun_at")?,
        standing: Standing {
            series: series_of(row, "series")?,
            state: state(row)?,
            attempt: row.try_get::<_, Option<i16>>("attempt")?.map(attempt_of).transpose()?,
            since_us: micros_of(row.try_get("since")?),
            request: row.try_get::<_, Option<Uuid>>("request")?.map(RequestId::from),
            status: status(row)?,
            outcome: row.try_get("outcome")?,
        },
        id,
    })
}

fn state(row: &Row) -> Result<DeliveryState, Fault> {
    let name: DeliveryStateName = parsed(row, "state")?;
    Ok(match name {
        DeliveryStateName::Pending => DeliveryState::Pending,
        DeliveryStateName::Delivered => DeliveryState::Delivered,
        DeliveryStateName::Retrying => {
            DeliveryState::Retrying { next_at_us: micros_of(row.try_get("next_at")?) }
        }
        DeliveryStateName::Deferred => {
            DeliveryState::Deferred { next_at_us: micros_of(row.try_get("next_at")?) }
        }
        DeliveryStateName::Exhausted | DeliveryStateName::Cancelled => {
            let reason = row.try_get::<_, Option<&str>>("reason")?.and_then(EndReason::parse);
            DeliveryState::Ended(reason.ok_or_else(|| corrupt("reason"))?)
        }
    })
}

fn attempt(row: &Row) -> Result<LoggedAttempt, Fault> {
    let micros = |name| Ok::<_, Fault>(row.try_get::<_, Option<i64>>(name)?.map(i64::unsigned_abs));
    let words: &str = row.try_get("expanded")?;
    Ok(LoggedAttempt {
        request: row.try_get::<_, Uuid>("request")?.into(),
        series: series_of(row, "series")?,
        attempt: attempt_of(row.try_get("attempt")?)?,
        started_at: row.try_get("started_at")?,
        timing: Timing {
            connected_us: micros("connected_us")?,
            head_us: micros("head_us")?,
            whole_us: micros("whole_us")?.unwrap_or_default(),
        },
        status: status(row)?,
        outcome: row.try_get("outcome")?,
        verdict: row.try_get("verdict")?,
        next_at: row.try_get("next_at")?,
        payload: PayloadLevel::from_words(words.split(',').filter(|word| !word.is_empty()))
            .map_err(|_| corrupt("payload level"))?,
        signed_at: row.try_get("signed_at")?,
        signature: row.try_get("signature")?,
        user_agent: row.try_get("user_agent")?,
        origin: row.try_get("origin")?,
    })
}

fn status(row: &Row) -> Result<Option<u16>, Fault> {
    let status: Option<i32> = row.try_get("status")?;
    Ok(status.map(|status| u16::try_from(status).map_err(|_| corrupt("status"))).transpose()?)
}

fn attempt_of(number: i16) -> Result<Attempt, StoreError> {
    Attempt::try_from(i64::from(number)).map_err(|_| corrupt("attempt"))
}
