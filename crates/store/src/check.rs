//! Questions for start-up and readiness: do the servers answer, does the key fit?

use bellhop_model::WebhookId;
use deadpool_postgres::Object;
use deadpool_redis::Connection;

use crate::access::verify_one_key_per_sealing_key;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::seal::Place;
use crate::{Store, StoreError, truth};

/// One secret per sealing key in use. A sealed value holds the length of the key's id in its second byte, then the id.
const ONE_SECRET_PER_KEY: &str = "
    SELECT DISTINCT ON (substring(sealed FROM 3 FOR get_byte(sealed, 1))) mode, organisation, id, sealed
    FROM webhooks, unnest(sealed_secrets) AS sealed";

impl Store {
    /// Asks PostgreSQL for an answer.
    ///
    /// # Errors
    /// Why there was none.
    pub async fn ping_postgres(&self) -> Result<(), StoreError> {
        self.inner.postgres.run(async |client: &mut Object| Ok(client.batch_execute("").await?)).await
    }

    /// Asks Redis for an answer.
    ///
    /// # Errors
    /// Why there was none.
    pub async fn ping_redis(&self) -> Result<(), StoreError> {
        let ping = async |connection: &mut Connection| redis::cmd("PING").query_async(connection).await;
        self.inner.cached.redis().run(ping).await
    }

    /// Opens one stored secret per key in use and recognises one API key per key, so that a missing or wrong key shows at start-up and not in a delivery.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`] or [`StoreError::SealingKeyWrong`], otherwise PostgreSQL's.
    pub async fn verify_sealing_keys(&self) -> Result<(), StoreError> {
        let sealed: Vec<(Scope, WebhookId, Vec<u8>)> = self
            .inner
            .postgres
            .run(async |client: &mut Object| {
                let rows = client.query(ONE_SECRET_PER_KEY, &[]).await?;
                let read = |row| Ok((truth::scope_of(row)?, truth::webhook_id(row)?, row.try_get("sealed")?));
                rows.iter().map(read).collect::<Result<_, Fault>>()
            })
            .await?;
        for (scope, webhook, sealed) in &sealed {
            self.inner.sealing.open(Place::Secret(scope, webhook), sealed)?;
        }
        let keys =
            async |client: &mut Object| verify_one_key_per_sealing_key(&*client, &self.inner.sealing).await;
        self.inner.postgres.run(keys).await
    }
}
