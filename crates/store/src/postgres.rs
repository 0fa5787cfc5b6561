//! Connections to PostgreSQL: few, checked, and never waited for without bound.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::chain;
use crate::{PostgresOptions, StoreError};

/// The pool, and how to speak of it in errors.
pub(crate) struct Postgres {
    pool: Pool,
    address: String,
    query_timeout: Duration,
}

/// What an operation may fail with; `?` takes both.
pub(crate) enum Fault {
    Postgres(tokio_postgres::Error),
    Store(StoreError),
}

/// A connection in use. Given back to the pool when it is dropped, but for a panic.
struct Lent(Option<Object>);

impl Postgres {
    /// Prepares connections; none is opened yet.
    pub(crate) fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let mut config: Config = options.url.expose().parse().map_err(|_| {
            let expected = "postgres://user:password@host:5432/database";
            StoreError::Options(format!("the PostgreSQL URL cannot be read: expected `{expected}`"))
        })?;
        configure(&mut config, options);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if config.get_ssl_mode() == SslMode::Require {
            Manager::from_config(config.clone(), verified_tls()?, recycling)
        } else {
            Manager::from_config(config.clone(), NoTls, recycling)
        };
        let wait = Some(options.connect_timeout);
        let pool = Pool::builder(manager)
            .max_size(options.connections_max)
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Options(error.to_string()))?;
        Ok(Self { pool, address: address_of(&config), query_timeout: options.query_timeout })
    }

    /// Runs one operation on a connection of its own, within the query timeout.
    pub(crate) async fn run<T>(
        &self,
        operation: impl AsyncFnOnce(&mut Object) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.run_within(self.query_timeout, operation).await
    }

    /// Runs one operation within a time of its own.
    ///
    /// A connection whose operation ran out of time is dropped: nobody knows what it is still waiting for. So is one whose
    /// operation panicked, perhaps with half a message written: what followed would be read as the rest of it.
    pub(crate) async fn run_within<T>(
        &self,
        time: Duration,
        operation: impl AsyncFnOnce(&mut Object) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut client = Lent(Some(self.pool.get().await.map_err(|error| self.no_connection(error))?));
        match timeout(time, operation(client.connection())).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Fault::Store(error))) => Err(error),
            Ok(Err(Fault::Postgres(error))) => Err(self.judge(&error)),
            Err(_) => {
                client.discard();
                Err(self.away(format!("no answer within {time:?}")))
            }
        }
    }

    fn no_connection(&self, error: PoolError) -> StoreError {
        match error {
            PoolError::Backend(error) => self.judge(&error),
            PoolError::Timeout(_) => self.away("no connection in time".to_owned()),
            other => self.away(other.to_string()),
        }
    }

    /// Decides what kind of failure it is by its code, never by its text.
    fn judge(&self, error: &tokio_postgres::Error) -> StoreError {
        let Some(answer) = error.as_db_error() else {
            return self.away(chain(error));
        };
        let (code, message) = (answer.code(), answer.message().to_owned());
        if is_refusal(code) {
            return StoreError::PostgresRefused { address: self.address.clone(), reason: message };
        }
        if is_schema_missing(code) {
            return StoreError::NotMigrated;
        }
        if *code == SqlState::CANNOT_CONNECT_NOW || *code == SqlState::TOO_MANY_CONNECTIONS {
            return self.away(message);
        }
        let is_transient = ["08", "40", "53", "55", "57", "58"].contains(&&code.code()[..2])
            || *code == SqlState::READ_ONLY_SQL_TRANSACTION;
        StoreError::PostgresFailed { code: code.code().to_owned(), message, is_transient }
    }

    fn away(&self, reason: String) -> StoreError {
        StoreError::PostgresAway { address: self.address.clone(), reason }
    }
}

impl Lent {
    fn connection(&mut self) -> &mut Object {
        self.0.as_mut().expect("it is lent until it is dropped")
    }

    /// Closes it rather than give it back.
    fn discard(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.discard();
        }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Adds what every connection needs: our schema, limits that hold on the server when we are gone, and that a commit is on
/// disk when it is answered, since a message of the log is then forgotten by the broker. Whoever wants less of that says
/// so in the URL; a server's default does not count.
fn configure(config: &mut Config, options: &PostgresOptions) {
    let given = config.get_options().unwrap_or_default();
    let limit_ms = options.query_timeout.as_millis();
    let schema = &options.schema;
    let ours = format!(
        "-c synchronous_commit=on {given} -c search_path={schema} -c statement_timeout={limit_ms} \
         -c idle_in_transaction_session_timeout={limit_ms}"
    );
    config.options(&ours);
    config.connect_timeout(options.connect_timeout);
    config.tcp_user_timeout(options.connect_timeout + options.query_timeout);
    if config.get_application_name().is_none() {
        config.application_name("bellhop");
    }
}

/// TLS as the public web does it. The provider is named, so that it does not depend on what `main` installed.
fn verified_tls() -> Result<MakeRustlsConnect, StoreError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Options(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// `host:port/database`, without user and password.
fn address_of(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{host}:{port}/{database}")
}

fn is_refusal(code: &SqlState) -> bool {
    let refusals = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    refusals.contains(code)
}

fn is_schema_missing(code: &SqlState) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INVALID_SCHEMA_NAME].contains(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_neither_user_nor_password() {
        let config: Config = "postgres://anna:hunter2@db.example:6543/hooks".parse().expect("valid");
        assert_eq!(address_of(&config), "db.example:6543/hooks");
    }

    #[test]
    fn options_of_the_url_are_kept() {
        let mut config: Config = "postgres://h/d?options=-c%20geqo%3Doff".parse().expect("valid");
        let keys =
            crate::SealingKeys::parse("k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("valid");
        let url = crate::ServerUrl::new("");
        let options = crate::StoreOptions::new(url.clone(), url, keys);
        configure(&mut config, &options.postgres);
        let given = config.get_options().expect("set");
        assert!(given.contains(" -c geqo=off -c search_path=bellhop "), "{given}");
    }
}
