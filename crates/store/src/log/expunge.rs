//! Removing the health data of one event on request, before its time is over.

use bellhop_model::{Actor, DeliveryStateName, EventId, Mode, OrganisationId};
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

use super::partition::first_request;
use super::row::parsed;
use crate::limits::LATE_ANSWER_AGE_MAX;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::{Act, Action, Organisation, StoreError, audit};

/// The row stays: a late record of the event then finds it and brings no payload.
const MARK: &str = "
    UPDATE events SET expunged_at = coalesce(expunged_at, clock_timestamp()), expunged_by = coalesce(expunged_by, $4)
    WHERE mode = $1 AND organisation = $2 AND event = $3 RETURNING expunged_at, expunged_by";

const REMOVE_PAYLOAD: &str = "DELETE FROM payloads WHERE mode = $1 AND organisation = $2 AND event = $3";

/// `$4`: no request of the event can be older.
const REMOVE_ANSWERS: &str = "
    DELETE FROM answers USING attempts
    WHERE answers.mode = $1 AND attempts.mode = $1 AND attempts.request = answers.request AND $4 <= answers.request
      AND $4 <= attempts.request AND attempts.delivery IN (
          SELECT id FROM deliveries WHERE event = $3 AND mode = $1 AND organisation = $2)";

const DELIVERIES: &str = "
    SELECT state, begun_at FROM deliveries WHERE event = $3 AND mode = $1 AND organisation = $2";

const LATELY: &str = "
    SELECT mode, organisation, event FROM events
    WHERE clock_timestamp() - make_interval(secs => $1) < expunged_at ORDER BY expunged_at LIMIT $2";

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunged {
    /// Since when the event counts as expunged: a second request keeps the first one's moment.
    pub at: OffsetDateTime,
    /// Who asked first.
    pub by: Actor,
    /// Whether there was a payload.
    pub payload: bool,
    /// How many answers there were.
    pub answers: u64,
    /// How many deliveries of the event have not ended: their messages carry the payload until they do.
    pub under_way: usize,
}

/// What lay there of an event.
struct Removed {
    payload: bool,
    answers: u64,
    under_way: usize,
}

/// What an event is called.
type Name<'e> = (Mode, &'e OrganisationId, &'e EventId);

impl Organisation<'_> {
    /// Removes the payload of one event, and what endpoints answered to it. It cannot be owed again afterwards. On record.
    ///
    /// What PostgreSQL has forgotten lies in its files until it vacuums, and in backups for as long as they are kept.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn expunge_event(&self, event: &EventId) -> Result<Expunged, StoreError> {
        let Scope { mode, organisation } = &self.scope;
        let asker = self.author.actor.asker();
        let expunge = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let parameters: [&(dyn ToSql + Sync); 4] =
                [&mode.as_str(), &organisation.as_str(), &event.as_str(), &asker.as_str()];
            let row = transaction.query_opt(MARK, &parameters).await?;
            let row = row.ok_or_else(|| self.unknown_event(event))?;
            let Removed { payload, answers, under_way } =
                remove(&transaction, (*mode, organisation, event)).await?;
            let act = Act::new(Action::EventExpunged, event.as_str())
                .with("payload", payload)
                .with("answers", answers);
            audit::record(&transaction, &self.scope, self.author, &act).await?;
            transaction.commit().await?;
            let (at, by) = (row.try_get("expunged_at")?, parsed(&row, "expunged_by")?);
            Ok(Expunged { at, by, payload, answers, under_way })
        };
        self.store.inner.postgres.run(expunge).await
    }
}

/// Removes what came late of events that were expunged: the record of a request that was under way then.
///
/// * returns how many answers and payloads went.
pub(super) async fn remove_late(client: &mut Object, most: i64) -> Result<u64, Fault> {
    let rows = client.query(LATELY, &[&LATE_ANSWER_AGE_MAX.as_secs_f64(), &most]).await?;
    let mut removed = 0;
    for row in rows {
        let (organisation, event) = (parsed(&row, "organisation")?, parsed(&row, "event")?);
        let transaction = client.transaction().await?;
        let late = remove(&transaction, (parsed(&row, "mode")?, &organisation, &event)).await?;
        transaction.commit().await?;
        removed += late.answers + u64::from(late.payload);
    }
    Ok(removed)
}

async fn remove(
    transaction: &Transaction<'_>,
    (mode, organisation, event): Name<'_>,
) -> Result<Removed, Fault> {
    let name: [&(dyn ToSql + Sync); 3] = [&mode.as_str(), &organisation.as_str(), &event.as_str()];
    let mut under_way = 0;
    let mut earliest: Option<OffsetDateTime> = None;
    for row in transaction.query(DELIVERIES, &name).await? {
        let state: DeliveryStateName = parsed(&row, "state")?;
        under_way += usize::from(!state.is_ended());
        let begun_at = row.try_get("begun_at")?;
        earliest = Some(earliest.map_or(begun_at, |earliest| earliest.min(begun_at)));
    }
    let payload = transaction.execute(REMOVE_PAYLOAD, &name).await? != 0;
    let answers = match earliest {
        None => 0,
        Some(earliest) => {
            let first = first_request(earliest);
            let parameters: [&(dyn ToSql + Sync); 4] = [name[0], name[1], name[2], &first];
            transaction.execute(REMOVE_ANSWERS, &parameters).await?
        }
    };
    Ok(Removed { payload, answers, under_way })
}
