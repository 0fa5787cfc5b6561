//! Events as the log tells of them; what they carry is elsewhere, sealed.

use std::fmt;
use std::str::FromStr;

use bellhop_model::{Actor, EventId, EventType, micros_of};
use deadpool_postgres::Object;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::entry::moment;
use super::row::parsed;
use crate::limits::EVENTS_PAGE_MAX;
use crate::postgres::Fault;
use crate::{Organisation, StoreError};

const EVENT_COLUMNS: &str =
    "event, event_type, appointment, occurred_at, taken_at, is_test, expunged_at, expunged_by";

/// Which events of an organisation to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only those of this appointment.
    pub appointment: Option<String>,
    /// Only those that were taken at this moment or later.
    pub since: Option<OffsetDateTime>,
    /// Only those that were taken before this moment.
    pub until: Option<OffsetDateTime>,
    /// Only those after the last of the page before.
    pub after: Option<EventCursor>,
}

/// A place in a list of events. As text, `<microseconds>.<event>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor {
    taken_at: OffsetDateTime,
    event: EventId,
}

/// A text that is no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a place in a list of events: take what the page before told")]
pub struct EventCursorError;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Which.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// The appointment's id, if it has one that could be kept.
    pub appointment: Option<String>,
    /// When it happened, as its publisher says.
    pub occurred_at: OffsetDateTime,
    /// When a worker took it.
    pub taken_at: OffsetDateTime,
    /// Whether nothing happened: it is a test event.
    pub is_test: bool,
    /// When its payload was removed on request, and who asked.
    pub expunged: Option<(OffsetDateTime, Actor)>,
}

impl Organisation<'_> {
    /// Lists events, the newest first, at most [`EVENTS_PAGE_MAX`].
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn events(&self, filter: &EventFilter, limit: usize) -> Result<Vec<LoggedEvent>, StoreError> {
        let EventFilter { event_type, appointment, since, until, after } = filter;
        let list = format!(
            "SELECT {EVENT_COLUMNS} FROM events
             WHERE mode = $1 AND organisation = $2 AND ($3::text IS NULL OR event_type = $3)
               AND ($4::text IS NULL OR appointment = $4) AND ($5::timestamptz IS NULL OR $5 <= taken_at)
               AND ($6::timestamptz IS NULL OR taken_at < $6)
               AND ($7::timestamptz IS NULL OR (taken_at, event) < ($7, $8::text))
             ORDER BY taken_at DESC, event DESC LIMIT {}",
            limit.min(EVENTS_PAGE_MAX)
        );
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &self.scope.mode.as_str(),
            &self.scope.organisation.as_str(),
            &event_type.as_ref().map(EventType::as_str),
            appointment,
            since,
            until,
            &after.as_ref().map(|after| after.taken_at),
            &after.as_ref().map(|after| after.event.as_str()),
        ];
        let read = async |client: &mut Object| {
            let rows = client.query(&list, &parameters).await?;
            rows.iter().map(event).collect()
        };
        self.store.inner.postgres.run(read).await
    }

    /// Reads one event.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn event(&self, id: &EventId) -> Result<LoggedEvent, StoreError> {
        let select = format!(
            "SELECT {EVENT_COLUMNS} FROM events WHERE mode = $1 AND organisation = $2 AND event = $3"
        );
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let read = async |client: &mut Object| {
            let row = client.query_opt(&select, &[&mode, &organisation, &id.as_str()]).await?;
            event(&row.ok_or_else(|| self.unknown_event(id))?)
        };
        self.store.inner.postgres.run(read).await
    }
}

impl LoggedEvent {
    /// The place of this event in a list.
    #[must_use]
    pub fn cursor(&self) -> EventCursor {
        EventCursor { taken_at: self.taken_at, event: self.event.clone() }
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", micros_of(self.taken_at), self.event)
    }
}

impl FromStr for EventCursor {
    type Err = EventCursorError;

    fn from_str(text: &str) -> Result<Self, EventCursorError> {
        let (micros, event) = text.split_once('.').ok_or(EventCursorError)?;
        let micros = micros.parse().map_err(|_| EventCursorError)?;
        let taken_at = moment(micros).map_err(|_| EventCursorError)?;
        Ok(Self { taken_at, event: event.parse().map_err(|_| EventCursorError)? })
    }
}

fn event(row: &Row) -> Result<LoggedEvent, Fault> {
    let expunged_at: Option<OffsetDateTime> = row.try_get("expunged_at")?;
    Ok(LoggedEvent {
        event: parsed(row, "event")?,
        event_type: parsed(row, "event_type")?,
        appointment: row.try_get("appointment")?,
        occurred_at: row.try_get("occurred_at")?,
        taken_at: row.try_get("taken_at")?,
        is_test: row.try_get("is_test")?,
        expunged: expunged_at.map(|at| Ok::<_, Fault>((at, parsed(row, "expunged_by")?))).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_survives_its_text() {
        let text = "1700000000000123.evt_0-a";
        let cursor: EventCursor = text.parse().expect("a place");
        assert_eq!(cursor.to_string(), text);
        for text in ["", "1700000000000123", "x.evt_1", "1.", "1.e.v", "1.'", "99999999999999999999.evt_1"] {
            assert!(text.parse::<EventCursor>().is_err(), "{text}");
        }
    }
}
