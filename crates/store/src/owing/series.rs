//! Series after the first: begun because somebody asked, owed until the broker has the first attempt.

use bellhop_model::{
    Actor, DeliveryId, DeliveryStateName, DisabledReason, EventId, EventType, Mode, OrganisationId,
    RecoveryId, Series, WebhookId,
};
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Refusal;
use crate::limits::{DELIVERY_SERIES_MAX, LEASE};
use crate::log::row::{optional, parsed, series_of};
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::{Act, Action, Organisation, Store, StoreError, audit, truth};

/// Taken in the order of ids by all who lock several, so that they wait for one another and not for each other.
const LOCK_DELIVERIES: &str = "SELECT FROM deliveries WHERE id = ANY ($1) ORDER BY id FOR UPDATE";

/// Read only when the rows are locked: a statement that waits for a lock sees of other tables what was before the wait.
const CANDIDATES: &str = "
    SELECT held.id, held.mode, held.organisation, held.event, held.event_type, held.webhook, held.state, held.series,
           begun.last AS last_series, begun.owed AS owed_series,
           payloads.mode IS NOT NULL AS has_payload, events.expunged_at, events.expunged_by,
           webhooks.id IS NOT NULL AS is_registered, webhooks.disabled_reason
    FROM deliveries AS held
    LEFT JOIN events USING (mode, organisation, event)
    LEFT JOIN payloads ON payloads.mode = held.mode AND payloads.organisation = held.organisation
                      AND payloads.event = held.event AND payloads.taken_at = events.taken_at
    LEFT JOIN webhooks ON webhooks.id = held.webhook
    LEFT JOIN LATERAL (
        SELECT max(series) AS last,
               max(series) FILTER (WHERE published_at IS NULL AND withdrawn_at IS NULL) AS owed
        FROM series WHERE series.delivery = held.id) AS begun ON true
    WHERE held.id = ANY ($1) ORDER BY held.id";

const BEGIN: &str = "
    INSERT INTO series (delivery, series, mode, organisation, event, event_type, webhook, recovery, begun_by,
                        leased_until)
    SELECT *, $8::text, $9::text,
           CASE WHEN $8::text IS NOT NULL THEN clock_timestamp() + make_interval(secs => $10) END
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    RETURNING delivery, series, mode, organisation, event, event_type, webhook, recovery, begun_at";

/// What to do when a series is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Refuse: the endpoint would get the event from both.
    Refused,
    /// Begin another beside it, because the first is known to be stuck.
    Forced,
}

/// A series whose first attempt the broker does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedSeries {
    /// The delivery that is owed again.
    pub delivery: DeliveryId,
    /// Which series of it.
    pub series: Series,
    /// Live or test.
    pub mode: Mode,
    /// Whose event it is.
    pub organisation: OrganisationId,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// To whom.
    pub webhook: WebhookId,
    /// The recovery it belongs to; `None` when this one delivery was asked for.
    pub recovery: Option<RecoveryId>,
    /// When it was asked for.
    pub begun_at: OffsetDateTime,
}

/// A series after the first as the log tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedSeries {
    /// Which.
    pub series: Series,
    /// Who asked for it.
    pub begun_by: Actor,
    /// When.
    pub begun_at: OffsetDateTime,
    /// The recovery it belongs to, if it was not asked for by itself.
    pub recovery: Option<RecoveryId>,
    /// How far it got before its first attempt.
    pub progress: SeriesProgress,
}

/// Whether the broker has a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesProgress {
    /// A recorder will publish it.
    Owed,
    /// The broker has it since then.
    Published(OffsetDateTime),
    /// Nothing was published: its payload went before that could be.
    Withdrawn(OffsetDateTime),
}

/// A delivery, locked, with all that decides whether it can be owed again.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    delivery: DeliveryId,
    mode: Mode,
    organisation: OrganisationId,
    event: EventId,
    event_type: EventType,
    webhook: WebhookId,
    state: DeliveryStateName,
    series: Series,
    last_series: Option<Series>,
    owed_series: Option<Series>,
    has_payload: bool,
    expunged: Option<(OffsetDateTime, Actor)>,
    /// Absent when it was removed.
    webhook_status: Option<Option<DisabledReason>>,
}

impl Organisation<'_> {
    /// Owes a delivery again: begins another series of three, which a recorder publishes. On record.
    ///
    /// # Errors
    /// [`StoreError::UnknownDelivery`], also for one of another organisation or mode; [`StoreError::Refused`] when it cannot
    /// be owed again; otherwise PostgreSQL's.
    pub async fn redeliver(&self, id: &DeliveryId, overlap: Overlap) -> Result<OwedSeries, StoreError> {
        let by = self.author.actor.asker();
        let Scope { mode, organisation } = &self.scope;
        let begin = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let candidates = candidates(&transaction, &[id.as_str()]).await?;
            let ours =
                |candidate: &Candidate| candidate.mode == *mode && candidate.organisation == *organisation;
            let candidate = candidates.into_iter().find(ours);
            let candidate = candidate.ok_or_else(|| StoreError::UnknownDelivery(id.clone()))?;
            candidate.admit(overlap).map_err(StoreError::Refused)?;
            let mut begun = begin_series(&transaction, &[candidate], None, &by).await?;
            let begun = begun.pop().expect("one was begun");
            let act = Act::new(Action::DeliveryRedelivered, id.as_str())
                .with("webhook", begun.webhook.as_str())
                .with("series", begun.series.0)
                .with("forced", overlap == Overlap::Forced);
            audit::record(&transaction, &self.scope, self.author, &act).await?;
            transaction.commit().await?;
            Ok(begun)
        };
        self.store.inner.postgres.run(begin).await
    }
}

impl Store {
    /// Lists the series of a delivery that somebody asked for, the first of them first, at most
    /// [`crate::DELIVERY_SERIES_MAX`].
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn series(&self, delivery: &DeliveryId) -> Result<Vec<LoggedSeries>, StoreError> {
        let list = format!(
            "SELECT series, begun_by, begun_at, recovery, published_at, withdrawn_at
             FROM series WHERE delivery = $1 ORDER BY series LIMIT {DELIVERY_SERIES_MAX}"
        );
        let read = async |client: &mut Object| {
            let rows = client.query(&list, &[&delivery.as_str()]).await?;
            rows.iter().map(logged).collect()
        };
        self.inner.postgres.run(read).await
    }
}

impl Candidate {
    /// Whether it may be owed again because somebody asked for this one.
    fn admit(&self, overlap: Overlap) -> Result<(), Refusal> {
        let Self { delivery, state, series, webhook, .. } = self;
        if let Some(owed) = self.owed_series {
            return Err(Refusal::AlreadyOwed { delivery: delivery.clone(), series: owed });
        }
        if !state.is_ended() && overlap == Overlap::Refused {
            return Err(Refusal::UnderWay { delivery: delivery.clone(), series: *series, state: *state });
        }
        match self.webhook_status {
            None => return Err(Refusal::WebhookRemoved(webhook.clone())),
            Some(Some(reason)) => return Err(Refusal::WebhookDisabled { webhook: webhook.clone(), reason }),
            Some(None) => {}
        }
        if self.has_payload {
            return Ok(());
        }
        Err(match &self.expunged {
            Some((at, by)) => Refusal::Expunged { event: self.event.clone(), by: by.clone(), at: *at },
            None => Refusal::PayloadGone(self.event.clone()),
        })
    }

    /// Whether it stands in one of some states, and nobody else has asked for it.
    pub(super) fn stands_in(&self, states: &[DeliveryStateName]) -> bool {
        states.contains(&self.state) && self.owed_series.is_none()
    }

    /// Whether its payload can be sent again.
    pub(super) const fn has_payload(&self) -> bool {
        self.has_payload
    }

    fn next_series(&self) -> i64 {
        let last = self.last_series.map_or(self.series, |last| last.max(self.series));
        i64::from(last.0) + 1
    }
}

/// Locks deliveries until the transaction ends, and reads what decides about them.
pub(super) async fn candidates(transaction: &Transaction<'_>, ids: &[&str]) -> Result<Vec<Candidate>, Fault> {
    lock_deliveries(transaction, ids).await?;
    let statement = transaction.prepare_cached(CANDIDATES).await?;
    transaction.query(&statement, &[&ids]).await?.iter().map(candidate).collect()
}

/// Locks deliveries until the transaction ends.
pub(super) async fn lock_deliveries(transaction: &Transaction<'_>, ids: &[&str]) -> Result<(), Fault> {
    let statement = transaction.prepare_cached(LOCK_DELIVERIES).await?;
    transaction.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// Begins the next series of each, whose rows are locked.
pub(super) async fn begin_series(
    transaction: &Transaction<'_>,
    candidates: &[Candidate],
    recovery: Option<&RecoveryId>,
    by: &Actor,
) -> Result<Vec<OwedSeries>, Fault> {
    let column = |value: fn(&Candidate) -> &str| candidates.iter().map(value).collect::<Vec<_>>();
    let numbers: Vec<i64> = candidates.iter().map(Candidate::next_series).collect();
    let statement = transaction.prepare_cached(BEGIN).await?;
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &column(|candidate| candidate.delivery.as_str()),
        &numbers,
        &column(|candidate| candidate.mode.as_str()),
        &column(|candidate| candidate.organisation.as_str()),
        &column(|candidate| candidate.event.as_str()),
        &column(|candidate| candidate.event_type.as_str()),
        &column(|candidate| candidate.webhook.as_str()),
        &recovery.map(RecoveryId::as_str),
        &by.as_str(),
        &LEASE.as_secs_f64(),
    ];
    transaction.query(&statement, &parameters).await?.iter().map(owed).collect()
}

/// Reads a row of `series` that is owed.
pub(super) fn owed(row: &Row) -> Result<OwedSeries, Fault> {
    Ok(OwedSeries {
        delivery: parsed(row, "delivery")?,
        series: series_of(row, "series")?,
        mode: parsed(row, "mode")?,
        organisation: parsed(row, "organisation")?,
        event: parsed(row, "event")?,
        event_type: parsed(row, "event_type")?,
        webhook: parsed(row, "webhook")?,
        recovery: optional(row, "recovery")?,
        begun_at: row.try_get("begun_at")?,
    })
}

fn candidate(row: &Row) -> Result<Candidate, Fault> {
    let last_or_none = |name: &'static str| {
        let number: Option<i64> = row.try_get(name)?;
        number.map(|_| series_of(row, name)).transpose()
    };
    let expunged_at: Option<OffsetDateTime> = row.try_get("expunged_at")?;
    let is_registered: bool = row.try_get("is_registered")?;
    Ok(Candidate {
        delivery: parsed(row, "id")?,
        mode: parsed(row, "mode")?,
        organisation: parsed(row, "organisation")?,
        event: parsed(row, "event")?,
        event_type: parsed(row, "event_type")?,
        webhook: parsed(row, "webhook")?,
        state: parsed(row, "state")?,
        series: series_of(row, "series")?,
        last_series: last_or_none("last_series")?,
        owed_series: last_or_none("owed_series")?,
        has_payload: row.try_get("has_payload")?,
        expunged: expunged_at.map(|at| Ok::<_, Fault>((at, parsed(row, "expunged_by")?))).transpose()?,
        webhook_status: is_registered.then(|| truth::disabled_reason(row)).transpose()?,
    })
}

fn logged(row: &Row) -> Result<LoggedSeries, Fault> {
    let progress = match (row.try_get("published_at")?, row.try_get("withdrawn_at")?) {
        (Some(published_at), _) => SeriesProgress::Published(published_at),
        (None, Some(withdrawn_at)) => SeriesProgress::Withdrawn(withdrawn_at),
        (None, None) => SeriesProgress::Owed,
    };
    Ok(LoggedSeries {
        series: series_of(row, "series")?,
        begun_by: parsed(row, "begun_by")?,
        begun_at: row.try_get("begun_at")?,
        recovery: optional(row, "recovery")?,
        progress,
    })
}
