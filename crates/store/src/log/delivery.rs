//! Deliveries as the log tells of them: which there are, where each stands, and the requests of one.

use std::fmt;
use std::str::FromStr;

use bellhop_model::{
    Attempt, DeliveryId, DeliveryState, DeliveryStateName, EndReason, EventId, EventType, Mode,
    OrganisationId, PayloadLevel, RequestId, Series, Standing, Timing, WebhookId, micros_of,
};
use deadpool_postgres::Object;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::entry::moment;
use super::partition::first_request;
use super::row::{corrupt, parsed, series_of};
use crate::limits::{DELIVERIES_PAGE_MAX, DELIVERY_ATTEMPTS_MAX};
use crate::postgres::Fault;
use crate::{Store, StoreError};

const DELIVERY_COLUMNS: &str = "id, mode, organisation, event, event_type, webhook, begun_at, state, reason, next_at, \
     since, series, attempt, request, status, outcome, \
     EXISTS (SELECT FROM events WHERE events.mode = deliveries.mode AND events.organisation = deliveries.organisation \
             AND events.event = deliveries.event AND events.is_test) AS is_test";

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only of this mode.
    pub mode: Option<Mode>,
    /// Only of this organisation.
    pub organisation: Option<OrganisationId>,
    /// Only to this webhook.
    pub webhook: Option<WebhookId>,
    /// Only in this state.
    pub state: Option<DeliveryStateName>,
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only those that began at this moment or later.
    pub since: Option<OffsetDateTime>,
    /// Only those that began before this moment.
    pub until: Option<OffsetDateTime>,
    /// Only those after the last of the page before.
    pub after: Option<DeliveryCursor>,
}

/// A place in a list of deliveries. As text, `<microseconds>.<delivery>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCursor {
    begun_at: OffsetDateTime,
    id: DeliveryId,
}

/// A text that is no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a place in a list of deliveries: take what the page before told")]
pub struct DeliveryCursorError;

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
        let (conditions, parameters) = filter.conditions();
        let limit = limit.min(DELIVERIES_PAGE_MAX);
        let list = format!(
            "SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE {conditions} ORDER BY begun_at DESC, id DESC LIMIT {limit}"
        );
        let select = async |client: &mut Object| {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
            let rows = client.query(&list, &parameters).await?;
            rows.iter().map(delivery).collect()
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
            delivery(&row.ok_or_else(|| StoreError::UnknownDelivery(id.clone()))?)
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
            "SELECT request, series, attempt, started_at, connected_us, head_us, whole_us, status, outcome, verdict,
                    next_at, expanded, signed_at, signature
             FROM attempts WHERE mode = $1 AND delivery = $2 AND $3 <= request
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
}

type Parameter = Box<dyn ToSql + Sync + Send>;

impl DeliveryFilter {
    /// What follows `WHERE`. Only what is asked for is in it, so that the right index serves.
    fn conditions(&self) -> (String, Vec<Parameter>) {
        let Self { mode, organisation, webhook, state, event_type, event, since, until, after } = self;
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut conditions = vec!["true".to_owned()];
        let mut require = |condition: &str, parameter: Option<Parameter>| {
            if let Some(parameter) = parameter {
                parameters.push(parameter);
                conditions.push(format!("{condition} ${}", parameters.len()));
            }
        };
        let text = |text: Option<&str>| text.map(|text| Box::new(text.to_owned()) as Parameter);
        require("mode =", text(mode.map(Mode::as_str)));
        require("organisation =", text(organisation.as_ref().map(OrganisationId::as_str)));
        require("webhook =", text(webhook.as_ref().map(WebhookId::as_str)));
        require("state =", text(state.map(DeliveryStateName::as_str)));
        require("event_type =", text(event_type.as_ref().map(EventType::as_str)));
        require("event =", text(event.as_ref().map(EventId::as_str)));
        require("begun_at >=", since.map(|since| Box::new(since) as Parameter));
        require("begun_at <", until.map(|until| Box::new(until) as Parameter));
        if let Some(DeliveryCursor { begun_at, id }) = after {
            parameters.push(Box::new(*begun_at));
            parameters.push(Box::new(id.as_str().to_owned()));
            let count = parameters.len();
            conditions.push(format!("(begun_at, id) < (${}, ${count})", count - 1));
        }
        (conditions.join(" AND "), parameters)
    }
}

impl LoggedDelivery {
    /// The place of this delivery in a list.
    #[must_use]
    pub fn cursor(&self) -> DeliveryCursor {
        DeliveryCursor { begun_at: self.begun_at, id: self.id.clone() }
    }
}

impl fmt::Display for DeliveryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", micros_of(self.begun_at), self.id)
    }
}

impl FromStr for DeliveryCursor {
    type Err = DeliveryCursorError;

    fn from_str(text: &str) -> Result<Self, DeliveryCursorError> {
        let (micros, id) = text.split_once('.').ok_or(DeliveryCursorError)?;
        let micros = micros.parse().map_err(|_| DeliveryCursorError)?;
        let begun_at = moment(micros).map_err(|_| DeliveryCursorError)?;
        Ok(Self { begun_at, id: id.parse().map_err(|_| DeliveryCursorError)? })
    }
}

fn delivery(row: &Row) -> Result<LoggedDelivery, Fault> {
    let id = parsed(row, "id")?;
    Ok(LoggedDelivery {
        mode: parsed(row, "mode")?,
        organisation: parsed(row, "organisation")?,
        event: parsed(row, "event")?,
        event_type: parsed(row, "event_type")?,
        is_test: row.try_get("is_test")?,
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
    })
}

fn status(row: &Row) -> Result<Option<u16>, Fault> {
    let status: Option<i32> = row.try_get("status")?;
    Ok(status.map(|status| u16::try_from(status).map_err(|_| corrupt("status"))).transpose()?)
}

fn attempt_of(number: i16) -> Result<Attempt, StoreError> {
    Attempt::try_from(i64::from(number)).map_err(|_| corrupt("attempt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_survives_its_text() {
        let text = format!("1700000000000123.dlv_{}", "0a".repeat(16));
        let cursor: DeliveryCursor = text.parse().expect("a place");
        assert_eq!(cursor.to_string(), text);
        for text in ["", "1700000000000123", "x.dlv_00", "1.dlv_00", "99999999999999999999.dlv_00"] {
            assert!(text.parse::<DeliveryCursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_in_the_condition() {
        let (conditions, parameters) = DeliveryFilter::default().conditions();
        assert_eq!((conditions.as_str(), parameters.len()), ("true", 0));
        let cursor = format!("1.dlv_{}", "0".repeat(32)).parse().expect("a place");
        let filter =
            DeliveryFilter { mode: Some(Mode::Live), after: Some(cursor), ..DeliveryFilter::default() };
        let (conditions, parameters) = filter.conditions();
        assert_eq!(conditions, "true AND mode = $1 AND (begun_at, id) < ($2, $3)");
        assert_eq!(parameters.len(), 3);
    }
}
