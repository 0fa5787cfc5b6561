//! The log's health data, opened for somebody who may see it.

use std::collections::BTreeMap;

use bellhop_model::{AnswerRecord, RequestId};
use deadpool_postgres::Object;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::LoggedDelivery;
use super::partition::first_request;
use crate::limits::DELIVERY_ATTEMPTS_MAX;
use crate::scope::Scope;
use crate::seal::Place;
use crate::{Store, StoreError};

/// The row of `events` says in which partition the payload is.
const PAYLOAD: &str = "
    SELECT sealed FROM events JOIN payloads USING (mode, organisation, event, taken_at)
    WHERE mode = $1 AND organisation = $2 AND event = $3";

impl Store {
    /// Opens the event of a delivery, as it was published.
    ///
    /// * returns `None` when it is no longer, or not yet, on record.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`] or [`StoreError::SealingKeyWrong`], otherwise PostgreSQL's.
    pub async fn payload(&self, delivery: &LoggedDelivery) -> Result<Option<Vec<u8>>, StoreError> {
        let LoggedDelivery { mode, organisation, event, .. } = delivery;
        let read = async |client: &mut Object| {
            let parameters: [&(dyn ToSql + Sync); 3] =
                [&mode.as_str(), &organisation.as_str(), &event.as_str()];
            let row = client.query_opt(PAYLOAD, &parameters).await?;
            Ok(row.map(|row| row.try_get::<_, Vec<u8>>("sealed")).transpose()?)
        };
        let scope = Scope::new(*mode, organisation);
        let open = |sealed: Vec<u8>| self.inner.sealing.open(Place::Payload(&scope, event), &sealed);
        self.inner.postgres.run(read).await?.map(open).transpose()
    }

    /// Opens what the endpoint answered to the requests of a delivery, as far as it is on record.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`] or [`StoreError::SealingKeyWrong`], otherwise PostgreSQL's.
    pub async fn answers(
        &self,
        delivery: &LoggedDelivery,
    ) -> Result<BTreeMap<RequestId, AnswerRecord>, StoreError> {
        let select = format!(
            "SELECT request, sealed FROM attempts JOIN answers USING (mode, request)
             WHERE mode = $1 AND delivery = $2 AND $3 <= request ORDER BY request LIMIT {DELIVERY_ATTEMPTS_MAX}"
        );
        let read = async |client: &mut Object| {
            let earliest = first_request(delivery.begun_at);
            let parameters: [&(dyn ToSql + Sync); 3] =
                [&delivery.mode.as_str(), &delivery.id.as_str(), &earliest];
            let rows = client.query(&select, &parameters).await?;
            let answer = |row: &Row| {
                Ok((
                    RequestId::from(row.try_get::<_, Uuid>("request")?),
                    row.try_get::<_, Vec<u8>>("sealed")?,
                ))
            };
            rows.iter().map(answer).collect()
        };
        let sealed: Vec<(RequestId, Vec<u8>)> = self.inner.postgres.run(read).await?;
        let scope = Scope::new(delivery.mode, &delivery.organisation);
        let open = |(request, sealed): (RequestId, Vec<u8>)| {
            let opened = self.inner.sealing.open(Place::Answer(&scope, &request), &sealed)?;
            let answer = serde_json::from_slice(&opened)
                .map_err(|_| StoreError::Corrupt("an answer is not what was sealed".to_owned()))?;
            Ok((request, answer))
        };
        sealed.into_iter().map(open).collect()
    }
}
