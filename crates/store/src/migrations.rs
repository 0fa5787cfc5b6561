//! The schema's history, embedded, and the command that brings a database up to it.

use deadpool_postgres::Object;
use refinery::{Migration, Runner};

use crate::error::chain;
use crate::limits::{MIGRATION_LOCK_TIMEOUT, MIGRATION_TIMEOUT};
use crate::postgres::Fault;
use crate::{Store, StoreError};

/// Every migration ever released, in order. A released file never changes; the history notices.
const MIGRATIONS: [(&str, &str); 10] = [
    ("V1__webhooks", include_str!("../migrations/V1__webhooks.sql")),
    ("V2__delivery_log", include_str!("../migrations/V2__delivery_log.sql")),
    ("V3__access", include_str!("../migrations/V3__access.sql")),
    ("V4__webhook_health", include_str!("../migrations/V4__webhook_health.sql")),
    ("V5__recovery", include_str!("../migrations/V5__recovery.sql")),
    ("V6__test_events", include_str!("../migrations/V6__test_events.sql")),
    ("V7__deferred", include_str!("../migrations/V7__deferred.sql")),
    ("V8__log_access", include_str!("../migrations/V8__log_access.sql")),
    ("V9__sessions", include_str!("../migrations/V9__sessions.sql")),
    ("V10__log_lookups", include_str!("../migrations/V10__log_lookups.sql")),
];

impl Store {
    /// Brings the schema up to this version. Run twice or by many at once it is harmless: one works, the others wait.
    ///
    /// The user needs `CREATE` on the database only when the schema does not exist yet.
    ///
    /// * returns the names of what was applied now; empty when nothing was left to do.
    ///
    /// # Errors
    /// [`StoreError::MigrationFailed`] when one fails or the history is another program's; what the failed one did is
    /// undone, those before it stay.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let schema = &self.inner.schema;
        let migrate = async |client: &mut Object| {
            let result = migrate_locked(client, schema).await;
            // A lock lives as long as its session, and a pooled session lives long.
            let unlocked = client.batch_execute("SELECT pg_advisory_unlock_all(); RESET ALL").await;
            let applied = result?;
            unlocked?;
            Ok(applied)
        };
        self.inner.postgres.run_within(MIGRATION_TIMEOUT, migrate).await
    }

    /// Makes sure that the schema is what this version needs. A newer one is fine: migrations only add.
    ///
    /// # Errors
    /// [`StoreError::NotMigrated`] when tables are missing or too old.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let found = self.inner.postgres.run(async |client| {
            let row = client.query_one("SELECT coalesce(max(version), 0) FROM migrations", &[]).await?;
            Ok(row.try_get::<_, i32>(0)?)
        });
        let needed = runner(&self.inner.schema).get_migrations().iter().map(Migration::version).max();
        if needed <= Some(found.await?) { Ok(()) } else { Err(StoreError::NotMigrated) }
    }
}

async fn migrate_locked(client: &mut Object, schema: &str) -> Result<Vec<String>, Fault> {
    let (lock_ms, total_ms) = (MIGRATION_LOCK_TIMEOUT.as_millis(), MIGRATION_TIMEOUT.as_millis());
    client
        .batch_execute(&format!(
            "SET lock_timeout = {lock_ms}; SET statement_timeout = {total_ms}; \
             SET idle_in_transaction_session_timeout = {total_ms}"
        ))
        .await?;
    client
        .execute("SELECT pg_advisory_lock(hashtextextended('bellhop migrate ' || $1, 0))", &[&schema])
        .await?;
    let existing = client.query_opt("SELECT FROM pg_namespace WHERE nspname = $1", &[&schema]).await?;
    if existing.is_none() {
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).await?;
    }
    let report = runner(schema).run_async(&mut ***client).await;
    let report = report.map_err(|error| StoreError::MigrationFailed(chain(&error)))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

fn runner(schema: &str) -> Runner {
    let migrations =
        MIGRATIONS.map(|(name, sql)| Migration::unapplied(name, sql).expect("the names are well formed"));
    let mut runner = Runner::new(&migrations);
    runner.set_migration_table_name(format!("{schema}.migrations"));
    runner
}
