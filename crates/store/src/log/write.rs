//! Writing rows in bulk. The same rows twice change nothing.
//!
//! Each table takes all its rows by one statement, from arrays. `COPY` cannot skip what is there already, and by way of a
//! temporary table it is slower: of requests alone, 22 µs a row from arrays and 92 by `COPY` at 20 rows, 9 and 14 at 500,
//! the same at 2000 (PostgreSQL 15, two cores).

use std::sync::LazyLock;

use bellhop_model::{Decided, EndReason, Mode, RequestId};
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

use super::entry::{LogEntry, moment};
use super::rates::{self, Added};
use super::rows::{EventRow, Rows};
use crate::postgres::Fault;
use crate::{LogRetention, Store, StoreError};

/// Only who adds the event adds its payload, so that a repeated event with another `taken_at` makes no second one.
const WRITE_EVENTS: &str = "
    WITH given AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                             $7::timestamptz[], $8::boolean[], $9::bytea[])
            AS given (mode, organisation, event, event_type, appointment, occurred_at, taken_at, is_test, sealed)
    ), added AS (
        INSERT INTO events (mode, organisation, event, event_type, appointment, occurred_at, taken_at, is_test)
        SELECT mode, organisation, event, event_type, appointment, occurred_at, taken_at, is_test FROM given
        ON CONFLICT DO NOTHING RETURNING mode, organisation, event
    ), kept AS (
        INSERT INTO payloads (mode, organisation, event, taken_at, sealed)
        SELECT mode, organisation, event, taken_at, sealed
        FROM given JOIN added USING (mode, organisation, event) WHERE sealed IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT (SELECT count(*) FROM added) AS events, (SELECT count(*) FROM kept) AS payloads";

/// What is new of them, by webhook and slot, is told for the rates: what is written twice counts once.
static WRITE_ATTEMPTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH added AS (
             INSERT INTO attempts (mode, request, delivery, organisation, webhook, series, attempt, started_at,
                                   connected_us, head_us, whole_us, status, outcome, verdict, next_at, expanded,
                                   signed_at, signature, user_agent, origin)
             SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                                  $7::smallint[], $8::timestamptz[], $9::bigint[], $10::bigint[], $11::bigint[],
                                  $12::integer[], $13::text[], $14::text[], $15::timestamptz[], $16::text[],
                                  $17::bigint[], $18::text[], $19::text[], $20::text[])
             ON CONFLICT DO NOTHING RETURNING webhook, mode, organisation, started_at, whole_us, outcome)
         {}",
        rates::added_by_slot()
    )
});

const WRITE_ANSWERS: &str = "
    INSERT INTO answers (mode, request, sealed) SELECT * FROM unnest($1::text[], $2::uuid[], $3::bytea[])
    ON CONFLICT DO NOTHING";

/// A delivery's state takes the place of one of lower rank, all of it together; `begun_at` is the earliest of all.
const WRITE_DELIVERIES: &str = "
    INSERT INTO deliveries AS held (id, mode, organisation, event, event_type, webhook, begun_at, state, reason, next_at,
                                    since, series, attempt, request, status, outcome, rank)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                         $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bigint[],
                         $13::smallint[], $14::uuid[], $15::integer[], $16::text[], $17::bytea[])
    ON CONFLICT (id) DO UPDATE SET
        begun_at = least(held.begun_at, excluded.begun_at),
        (state, reason, next_at, since, series, attempt, request, status, outcome, rank) = (
            SELECT state, reason, next_at, since, series, attempt, request, status, outcome, rank
            FROM (VALUES
                (held.state, held.reason, held.next_at, held.since, held.series, held.attempt, held.request,
                 held.status, held.outcome, held.rank),
                (excluded.state, excluded.reason, excluded.next_at, excluded.since, excluded.series, excluded.attempt,
                 excluded.request, excluded.status, excluded.outcome, excluded.rank)
            ) AS both_ (state, reason, next_at, since, series, attempt, request, status, outcome, rank)
            ORDER BY rank DESC LIMIT 1)
    WHERE held.rank < excluded.rank OR excluded.begun_at < held.begun_at";

/// What one write added; what was there already does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogWritten {
    /// Events added.
    pub events: u64,
    /// Payloads added.
    pub payloads: u64,
    /// Requests added.
    pub attempts: u64,
    /// Answers added.
    pub answers: u64,
    /// Deliveries added, or moved on.
    pub deliveries: u64,
    /// Payloads, requests and answers left out because they are too old to be kept.
    pub expired: usize,
}

impl Store {
    /// Writes entries, all or none. Written before, they change nothing.
    ///
    /// * `retention`: decides for what no partition exists whether one is made or it is too old to be kept.
    ///
    /// # Errors
    /// [`StoreError::is_of_data`] tells that some entry can never be written; anything else is no entry's fault.
    pub async fn write_log(
        &self,
        entries: &[LogEntry],
        retention: LogRetention,
    ) -> Result<LogWritten, StoreError> {
        let mut rows = Rows::of(entries, &self.inner.sealing);
        match self.insert(&rows).await {
            Err(error) if error.is_check_violation() => {}
            written => return written,
        }
        let kept = self.make_room(&rows.partitions(), retention).await?;
        let expired = rows.retain(&kept);
        let written = self.insert(&rows).await?;
        Ok(LogWritten { expired, ..written })
    }

    async fn insert(&self, rows: &Rows<'_>) -> Result<LogWritten, StoreError> {
        let insert = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let (events, payloads) = write_events(&transaction, &rows.events).await?;
            let added = write_attempts(&transaction, rows).await?;
            let attempts = added.iter().map(Added::made).sum();
            let answers = write_answers(&transaction, rows).await?;
            let deliveries = write_deliveries(&transaction, rows).await?;
            rows.health.write(&transaction).await?;
            rates::add(&transaction, &added).await?;
            transaction.commit().await?;
            Ok(LogWritten { events, payloads, attempts, answers, deliveries, expired: 0 })
        };
        self.inner.postgres.run(insert).await
    }
}

async fn write_events(transaction: &Transaction<'_>, rows: &[EventRow<'_>]) -> Result<(u64, u64), Fault> {
    if rows.is_empty() {
        return Ok((0, 0));
    }
    let modes = column(rows, |row| row.event.scope.mode.as_str());
    let organisations = column(rows, |row| row.event.scope.organisation.as_str());
    let ids = column(rows, |row| row.event.event.as_str());
    let types = column(rows, |row| row.event.event_type.as_str());
    let appointments = column(rows, |row| row.event.appointment.as_deref());
    let occurred_at = column(rows, |row| row.event.occurred_at);
    let taken_at = column(rows, |row| row.event.taken_at);
    let tests = column(rows, |row| row.event.is_test);
    let sealed = column(rows, |row| row.sealed.as_deref());
    let statement = transaction.prepare_cached(WRITE_EVENTS).await?;
    let parameters: [&(dyn ToSql + Sync); 9] =
        [&modes, &organisations, &ids, &types, &appointments, &occurred_at, &taken_at, &tests, &sealed];
    let row = transaction.query_one(&statement, &parameters).await?;
    let count = |name| Ok::<_, Fault>(row.try_get::<_, i64>(name)?.unsigned_abs());
    Ok((count("events")?, count("payloads")?))
}

/// * returns what was new.
async fn write_attempts(transaction: &Transaction<'_>, rows: &Rows<'_>) -> Result<Vec<Added>, Fault> {
    let rows = &rows.attempts;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let micros = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
    let modes = column(rows, |row| row.of.mode.as_str());
    let requests = column(rows, |row| *row.request.as_uuid());
    let deliveries = column(rows, |row| row.of.delivery.as_str());
    let organisations = column(rows, |row| row.of.organisation.as_str());
    let webhooks = column(rows, |row| row.of.webhook.as_str());
    let series = column(rows, |row| i64::from(row.series.0));
    let attempts = column(rows, |row| i16::from(row.attempt.number()));
    let started_at = column(rows, |row| at(row.started_at_us));
    let connected = column(rows, |row| row.timing.connected_us.map(micros));
    let heads = column(rows, |row| row.timing.head_us.map(micros));
    let wholes = column(rows, |row| micros(row.timing.whole_us));
    let statuses = column(rows, |row| row.status.map(i32::from));
    let outcomes = column(rows, |row| &*row.outcome);
    let verdicts = column(rows, |row| verdict(row.verdict));
    let next_at = column(rows, |row| next_at(row.verdict));
    let expanded = column(rows, |row| row.sent.payload.words().collect::<Vec<_>>().join(","));
    let signed_at = column(rows, |row| row.sent.timestamp);
    let signatures = column(rows, |row| &*row.sent.signature);
    let user_agents = column(rows, |row| row.sent.user_agent.as_deref());
    let origins = column(rows, |row| row.sent.origin.as_deref());
    let statement = transaction.prepare_cached(&WRITE_ATTEMPTS).await?;
    let parameters: [&(dyn ToSql + Sync); 20] = [
        &modes,
        &requests,
        &deliveries,
        &organisations,
        &webhooks,
        &series,
        &attempts,
        &started_at,
        &connected,
        &heads,
        &wholes,
        &statuses,
        &outcomes,
        &verdicts,
        &next_at,
        &expanded,
        &signed_at,
        &signatures,
        &user_agents,
        &origins,
    ];
    transaction.query(&statement, &parameters).await?.iter().map(Added::read).collect()
}

const fn verdict(decided: Decided) -> &'static str {
    match decided {
        Decided::Delivered => "delivered",
        Decided::Retry { .. } => "retry",
        Decided::Exhausted => "exhausted",
        Decided::Gone => "gone",
    }
}

fn next_at(decided: Decided) -> Option<OffsetDateTime> {
    match decided {
        Decided::Retry { at_us } => Some(at(at_us)),
        Decided::Delivered | Decided::Exhausted | Decided::Gone => None,
    }
}

async fn write_answers(transaction: &Transaction<'_>, rows: &Rows<'_>) -> Result<u64, Fault> {
    let rows = &rows.answers;
    if rows.is_empty() {
        return Ok(0);
    }
    let modes = column(rows, |row| Mode::as_str(row.mode));
    let requests = column(rows, |row| *row.request.as_uuid());
    let sealed = column(rows, |row| row.sealed.as_slice());
    let statement = transaction.prepare_cached(WRITE_ANSWERS).await?;
    Ok(transaction.execute(&statement, &[&modes, &requests, &sealed]).await?)
}

async fn write_deliveries(transaction: &Transaction<'_>, rows: &Rows<'_>) -> Result<u64, Fault> {
    let rows = &rows.deliveries;
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = column(rows, |row| row.id.as_str());
    let modes = column(rows, |row| row.scope.mode.as_str());
    let organisations = column(rows, |row| row.scope.organisation.as_str());
    let events = column(rows, |row| row.event.as_str());
    let types = column(rows, |row| row.event_type.as_str());
    let webhooks = column(rows, |row| row.webhook.as_str());
    let begun_at = column(rows, |row| row.begun_at);
    let states = column(rows, |row| row.standing.state.name().as_str());
    let reasons = column(rows, |row| row.standing.state.reason().map(EndReason::as_str));
    let next_at = column(rows, |row| row.standing.state.next_at_us().map(at));
    let since = column(rows, |row| at(row.standing.since_us));
    let series = column(rows, |row| i64::from(row.standing.series.0));
    let attempts = column(rows, |row| row.standing.attempt.map(|attempt| i16::from(attempt.number())));
    let requests = column(rows, |row| row.standing.request.as_ref().map(RequestId::as_uuid).copied());
    let statuses = column(rows, |row| row.standing.status.map(i32::from));
    let outcomes = column(rows, |row| row.standing.outcome.as_str());
    let ranks = column(rows, |row| row.standing.rank());
    let statement = transaction.prepare_cached(WRITE_DELIVERIES).await?;
    let parameters: [&(dyn ToSql + Sync); 17] = [
        &ids,
        &modes,
        &organisations,
        &events,
        &types,
        &webhooks,
        &begun_at,
        &states,
        &reasons,
        &next_at,
        &since,
        &series,
        &attempts,
        &requests,
        &statuses,
        &outcomes,
        &ranks,
    ];
    Ok(transaction.execute(&statement, &parameters).await?)
}

fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// A moment that was checked when the entry was made.
fn at(micros: i64) -> OffsetDateTime {
    moment(micros).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
