//! Making, listing and revoking an organisation's keys.

use std::time::Duration;

use bellhop_model::{ApiKey, ApiKeyId, Role};
use deadpool_postgres::{Object, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::authenticate::{Hashed, hash};
use crate::limits::{KEYS_PER_ORGANISATION_MAX, LIST_PAGE_MAX};
use crate::postgres::Fault;
use crate::{Act, Action, Organisation, StoreError, audit, random};

const KEY_COLUMNS: &str = "id, role, name, created_at, expires_at, coalesce(expires_at <= now(), false) AS is_expired, revoked_at, last_used_at";

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it may do. One whose role opens nothing is stored, and refused with the reason when it is used.
    pub role: Role,
    /// What a person calls it.
    pub name: String,
    /// How long it opens; for ever if `None`.
    pub lifetime: Option<Duration>,
}

/// A key just made.
#[derive(Debug)]
pub struct RegisteredKey {
    /// What is on record.
    pub stored: StoredKey,
    /// The key. This is the only time it is shown; nobody can show it again.
    pub key: ApiKey,
}

/// What is on record of a key.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// What it is called.
    pub id: ApiKeyId,
    /// What it may do.
    pub role: Role,
    /// What a person calls it.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it stops to open.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether that moment has passed.
    pub is_expired: bool,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

impl Organisation<'_> {
    /// Makes a key.
    ///
    /// # Errors
    /// [`StoreError::TooManyKeys`], otherwise PostgreSQL's.
    pub async fn create_key(&self, new: &NewKey) -> Result<RegisteredKey, StoreError> {
        let inner = &self.store.inner;
        let key = ApiKey::from_random(self.scope.mode, Uuid::now_v7().as_bytes(), &random::bytes());
        let sealing_key = inner.sealing.current_id();
        let hashed = hash(&inner.sealing, sealing_key, &key)?;
        let create = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            self.refuse_another_key(&transaction).await?;
            let stored = self.insert_key(&transaction, &key, new, &hashed).await?;
            let act = Act::new(Action::KeyCreated, key.id().as_str())
                .with("role", new.role.as_str())
                .with("name", new.name.as_str());
            audit::record(&transaction, &self.scope, self.author, &act).await?;
            transaction.commit().await?;
            Ok(stored)
        };
        let stored = inner.postgres.run(create).await?;
        Ok(RegisteredKey { stored, key })
    }

    /// Has a key open nothing any more. Revoking one again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`], otherwise PostgreSQL's.
    pub async fn revoke_key(&self, id: &ApiKeyId) -> Result<StoredKey, StoreError> {
        let revoke = "UPDATE api_keys SET revoked_at = now()
            WHERE id = $1 AND mode = $2 AND organisation = $3 AND revoked_at IS NULL";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let parameters: [&(dyn ToSql + Sync); 3] = [&id.as_str(), &mode, &organisation];
        let revoke = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            if transaction.execute(revoke, &parameters).await? == 1 {
                let act = Act::new(Action::KeyRevoked, id.as_str());
                audit::record(&transaction, &self.scope, self.author, &act).await?;
            }
            let select = format!(
                "SELECT {KEY_COLUMNS} FROM api_keys WHERE id = $1 AND mode = $2 AND organisation = $3"
            );
            let row = transaction.query_opt(&select, &parameters).await?;
            let stored = stored(&row.ok_or_else(|| StoreError::UnknownKey(id.clone()))?)?;
            transaction.commit().await?;
            Ok(stored)
        };
        self.store.inner.postgres.run(revoke).await
    }

    /// What is on record of a key.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`], otherwise PostgreSQL's.
    pub async fn key(&self, id: &ApiKeyId) -> Result<StoredKey, StoreError> {
        let select =
            format!("SELECT {KEY_COLUMNS} FROM api_keys WHERE id = $1 AND mode = $2 AND organisation = $3");
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let read = async |client: &mut Object| {
            let row = client.query_opt(&select, &[&id.as_str(), &mode, &organisation]).await?;
            stored(&row.ok_or_else(|| StoreError::UnknownKey(id.clone()))?)
        };
        self.store.inner.postgres.run(read).await
    }

    /// Lists keys in the order in which they were made, at most [`LIST_PAGE_MAX`].
    ///
    /// * `after`: the last of the page before.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn keys(&self, after: Option<&ApiKeyId>, limit: usize) -> Result<Vec<StoredKey>, StoreError> {
        let list = format!(
            "SELECT {KEY_COLUMNS} FROM api_keys WHERE mode = $1 AND organisation = $2
             AND ($3::text IS NULL OR $3 < id) ORDER BY id LIMIT {}",
            limit.min(LIST_PAGE_MAX)
        );
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let after = after.map(ApiKeyId::as_str);
        let read = async |client: &mut Object| {
            let rows = client.query(&list, &[&mode, &organisation, &after]).await?;
            rows.iter().map(stored).collect()
        };
        self.store.inner.postgres.run(read).await
    }

    /// Refuses one key too many. The lock makes those who create at once take turns.
    async fn refuse_another_key(&self, transaction: &Transaction<'_>) -> Result<(), Fault> {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('bellhop keys ' || $1, 0))";
        transaction.execute(lock, &[&self.scope.to_string()]).await?;
        let count = "SELECT count(*) FROM api_keys WHERE mode = $1 AND organisation = $2
            AND revoked_at IS NULL AND coalesce(now() < expires_at, true)";
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let row = transaction.query_one(count, &[&mode, &organisation]).await?;
        let count = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(usize::MAX);
        if KEYS_PER_ORGANISATION_MAX <= count { Err(StoreError::TooManyKeys.into()) } else { Ok(()) }
    }

    async fn insert_key(
        &self,
        transaction: &Transaction<'_>,
        key: &ApiKey,
        new: &NewKey,
        hashed: &Hashed,
    ) -> Result<StoredKey, Fault> {
        let insert = format!(
            "INSERT INTO api_keys (id, mode, organisation, role, name, sealing_key, hash, proof, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9)) RETURNING {KEY_COLUMNS}"
        );
        let lifetime_seconds = new.lifetime.map(|lifetime| lifetime.as_secs_f64());
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &key.id().as_str(),
            &self.scope.mode.as_str(),
            &self.scope.organisation.as_str(),
            &new.role.as_str(),
            &new.name,
            &self.store.inner.sealing.current_id(),
            &hashed.hash,
            &hashed.proof,
            &lifetime_seconds,
        ];
        stored(&transaction.query_one(&insert, &parameters).await?)
    }
}

fn stored(row: &Row) -> Result<StoredKey, Fault> {
    let malformed = || StoreError::Corrupt("a key has a malformed id or role".to_owned());
    Ok(StoredKey {
        id: row.try_get::<_, &str>("id")?.parse().map_err(|_| malformed())?,
        role: row.try_get::<_, &str>("role")?.parse().map_err(|_| malformed())?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        is_expired: row.try_get("is_expired")?,
        revoked_at: row.try_get("revoked_at")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}
