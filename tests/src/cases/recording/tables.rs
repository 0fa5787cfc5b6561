//! The tables of the delivery log, read by SQL of our own.

use anyhow::{Context as _, Result, ensure};
use time::OffsetDateTime;
use tokio_postgres::{Client, NoTls};

use crate::context::Site;
use crate::patience::eventually;

/// A connection to a place's tables.
pub(crate) struct Tables {
    client: Client,
    url: String,
}

/// What a row of requests tells.
pub(crate) struct AttemptRow {
    pub(crate) webhook: String,
    pub(crate) event: String,
    pub(crate) attempt: i16,
    pub(crate) status: Option<i32>,
    pub(crate) signature: String,
}

/// What a row of deliveries tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeliveryRow {
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) since_us: i64,
    pub(crate) next_at_us: Option<i64>,
    pub(crate) rank: Vec<u8>,
    pub(crate) begun_at_us: i64,
}

impl Tables {
    /// Connects.
    pub(crate) async fn open(site: &Site) -> Result<Self> {
        Ok(Self { client: site.place.postgres().await?, url: site.place.postgres_url() })
    }

    /// Keeps everybody else out of a table for as long as this connection is open.
    pub(crate) async fn lock(&self, table: &str) -> Result<()> {
        let statement = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        self.client.batch_execute(&statement).await.with_context(|| statement.clone())
    }

    /// How many rows a table has; a condition may follow its name.
    pub(crate) async fn count(&self, table: &str) -> Result<i64> {
        Ok(self.client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0))
    }

    /// Waits until a table has at least so many rows.
    pub(crate) async fn await_count(&self, table: &str, count: i64) -> Result<()> {
        let look = async || Ok((count <= self.count(table).await?).then_some(()));
        eventually(format!("{count} rows in {table}"), look).await
    }

    /// All requests, with the event that each delivered.
    pub(crate) async fn attempts(&self) -> Result<Vec<AttemptRow>> {
        let statement = "
            SELECT attempts.webhook, event, attempts.attempt, attempts.status, signature
            FROM attempts JOIN deliveries ON deliveries.id = delivery";
        let rows = self.client.query(statement, &[]).await?;
        let read = |row: &tokio_postgres::Row| AttemptRow {
            webhook: row.get(0),
            event: row.get(1),
            attempt: row.get(2),
            status: row.get(3),
            signature: row.get(4),
        };
        Ok(rows.iter().map(read).collect())
    }

    /// How many deliveries stand where, by webhook, state and last attempt.
    pub(crate) async fn standings(&self) -> Result<Vec<(String, String, i16, i64)>> {
        let statement =
            "SELECT webhook, state, attempt, count(*) FROM deliveries GROUP BY webhook, state, attempt";
        let rows = self.client.query(statement, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect())
    }

    /// One delivery.
    pub(crate) async fn delivery(&self, id: &str) -> Result<DeliveryRow> {
        let statement = "
            SELECT state, reason, rank, (extract(epoch FROM begun_at) * 1000000)::bigint,
                   (extract(epoch FROM since) * 1000000)::bigint, (extract(epoch FROM next_at) * 1000000)::bigint
            FROM deliveries WHERE id = $1";
        let row = self.client.query_one(statement, &[&id]).await?;
        Ok(DeliveryRow {
            state: row.get(0),
            reason: row.get(1),
            rank: row.get(2),
            begun_at_us: row.get(3),
            since_us: row.get(4),
            next_at_us: row.get(5),
        })
    }

    /// The events of which there are rows in a table.
    pub(crate) async fn events_in(&self, table: &str) -> Result<Vec<String>> {
        let statement = match table {
            "attempts" | "answers" => format!(
                "SELECT event FROM {table} JOIN attempts AS made USING (mode, request)
                 JOIN deliveries ON deliveries.id = made.delivery ORDER BY event"
            ),
            _ => format!("SELECT event FROM {table} ORDER BY event"),
        };
        let rows = self.client.query(&statement, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The names of all partitions, attached or not.
    pub(crate) async fn partitions(&self) -> Result<Vec<String>> {
        let statement = "
            SELECT relname::text FROM pg_class
            WHERE relnamespace = 'bellhop'::regnamespace AND relkind = 'r' AND relname ~ '_[0-9]{8}$'
            ORDER BY relname";
        let rows = self.client.query(statement, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Begins to detach a partition and gives up, as a recorder does that is killed while somebody reads.
    pub(crate) async fn interrupt_a_drop(&self, parent: &str, day: &str) -> Result<()> {
        let (reader, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        reader.batch_execute(&format!("BEGIN; SELECT FROM bellhop.{parent}")).await?;
        self.client.batch_execute("SET statement_timeout = '300ms'").await?;
        let detach = format!("ALTER TABLE {parent} DETACH PARTITION {parent}_{day} CONCURRENTLY");
        let interrupted = self.client.batch_execute(&detach).await;
        self.client.batch_execute("RESET statement_timeout").await?;
        ensure!(interrupted.is_err(), "nothing was interrupted");
        let pending = "pg_inherits WHERE inhdetachpending";
        ensure!(self.count(pending).await? == 1, "nothing is half detached");
        reader.batch_execute("ROLLBACK").await.context("end the reader")
    }

    /// What tells whether anything in the tables has changed.
    pub(crate) async fn fingerprints(&self) -> Result<Vec<(String, i64, Option<String>)>> {
        let mut prints = Vec::new();
        for table in
            ["events", "payloads", "attempts", "answers", "deliveries", "webhook_health", "webhook_rates"]
        {
            let statement = format!(
                "SELECT count(*), md5(string_agg(row::text, '|' ORDER BY row::text)) FROM {table} AS row"
            );
            let row = self.client.query_one(&statement, &[]).await?;
            prints.push((table.to_owned(), row.get(0), row.get(1)));
        }
        Ok(prints)
    }

    /// Every row of every table as text, bytes in hexadecimal.
    pub(crate) async fn dump(&self) -> Result<String> {
        let tables = "
            SELECT relname::text FROM pg_class
            WHERE relnamespace = 'bellhop'::regnamespace AND relkind = 'r' ORDER BY relname";
        let mut dump = String::new();
        for table in self.client.query(tables, &[]).await? {
            let rows = format!("SELECT row::text FROM {} AS row", table.get::<_, &str>(0));
            for row in self.client.query(&rows, &[]).await? {
                dump.push_str(row.get(0));
                dump.push('\n');
            }
        }
        Ok(dump)
    }

    /// Changes rows by a statement, for what nothing else does in time.
    ///
    /// * returns how many.
    pub(crate) async fn change(&self, statement: &str) -> Result<u64> {
        self.client.execute(statement, &[]).await.with_context(|| statement.to_owned())
    }

    /// The database's clock.
    pub(crate) async fn now(&self) -> Result<OffsetDateTime> {
        let row = self.client.query_one("SELECT (extract(epoch FROM now()) * 1000000)::bigint", &[]).await?;
        let micros: i64 = row.get(0);
        Ok(OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)?)
    }
}
