//! Creating at most once for an idempotency key: the first answer is kept for a day and given again.

use deadpool_postgres::{GenericClient, Object, Transaction};

use super::Organisation;
use crate::limits::{IDEMPOTENT_ANSWERS_KEPT, SWEEP_ROWS_MAX};
use crate::postgres::Fault;
use crate::seal::Place;
use crate::{Registered, Store, StoreError};

/// How a creation is told from another, and what is answered to it.
pub struct Idempotency<'a> {
    /// What the caller calls the creation; without a zero byte.
    pub key: &'a str,
    /// SHA-256 of what was asked for.
    pub request: [u8; 32],
    /// Renders what is to be answered, now and when it is asked for again.
    pub render: &'a (dyn Fn(&Registered) -> Vec<u8> + Sync),
}

/// What became of a creation.
#[derive(Debug)]
pub enum Creation {
    /// It was made.
    Made(Box<Registered>),
    /// It was made before; this was answered then.
    Repeated(Vec<u8>),
}

impl Store {
    /// Removes what was kept for long enough.
    ///
    /// * returns how many answers went.
    ///
    /// # Errors
    /// PostgreSQL's. What went stays gone; the next round does the rest.
    pub async fn sweep_idempotent_answers(&self) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let swept = self.inner.postgres.run(async |client: &mut Object| sweep(&*client).await).await?;
            removed += swept;
            if swept < SWEEP_ROWS_MAX.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}

impl Organisation<'_> {
    /// Finds what was answered before. The version's lock makes those who create at once take turns.
    pub(super) async fn repeated(
        &self,
        transaction: &Transaction<'_>,
        idempotency: Option<&Idempotency<'_>>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let Some(Idempotency { key, request, .. }) = idempotency else { return Ok(None) };
        let find = "SELECT request, sealed FROM idempotent_answers
            WHERE mode = $1 AND organisation = $2 AND key = $3 AND now() - make_interval(secs => $4) < created_at";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let kept = IDEMPOTENT_ANSWERS_KEPT.as_secs_f64();
        let Some(row) = transaction.query_opt(find, &[&mode, &organisation, key, &kept]).await? else {
            return Ok(None);
        };
        if row.try_get::<_, &[u8]>("request")? != request {
            return Err(StoreError::IdempotencyKeyUsed.into());
        }
        let place = Place::IdempotentAnswer(&self.scope, key);
        Ok(Some(self.store.inner.sealing.open(place, row.try_get("sealed")?)?))
    }

    /// Keeps what is answered now, and removes some of what was kept for long enough, so that as much goes as comes.
    pub(super) async fn keep(
        &self,
        transaction: &Transaction<'_>,
        idempotency: Option<&Idempotency<'_>>,
        registered: &Registered,
    ) -> Result<(), Fault> {
        let Some(Idempotency { key, request, render }) = idempotency else { return Ok(()) };
        sweep(transaction).await?;
        // Over one that ran out and was not swept yet; any other was found before.
        let insert = "INSERT INTO idempotent_answers (mode, organisation, key, request, sealed)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (mode, organisation, key) DO UPDATE
            SET request = excluded.request, sealed = excluded.sealed, created_at = now()";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let place = Place::IdempotentAnswer(&self.scope, key);
        let sealed = self.store.inner.sealing.seal(place, &render(registered));
        transaction.execute(insert, &[&mode, &organisation, key, &&request[..], &sealed]).await?;
        Ok(())
    }
}

/// Removes some of what was kept for long enough, and waits for nobody who does the same.
async fn sweep(client: &impl GenericClient) -> Result<u64, Fault> {
    let sweep = "DELETE FROM idempotent_answers WHERE (mode, organisation, key) IN (
        SELECT mode, organisation, key FROM idempotent_answers
        WHERE created_at <= now() - make_interval(secs => $1) ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let kept = IDEMPOTENT_ANSWERS_KEPT.as_secs_f64();
    Ok(client.execute(sweep, &[&kept, &SWEEP_ROWS_MAX]).await?)
}
