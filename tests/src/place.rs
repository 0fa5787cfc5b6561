//! A place of its own for each case: virtual host, database and prefix of keys, so that cases run side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use redis::aio::MultiplexedConnection;
use tokio_postgres::{Client, NoTls};

use crate::http;
use crate::patience::eventually;
use crate::stack::{Addresses, Service};
use crate::tree;

/// Waits short enough for a test and long enough to be told apart.
pub const RETRY_WAITS: &str = "300ms,600ms";

/// Numbers the places of this program.
static PLACES: AtomicU32 = AtomicU32::new(0);

/// Where one case's processes live. [`Place::clear`] removes it.
#[derive(Debug)]
pub struct Place {
    name: String,
    addresses: Addresses,
    settings: BTreeMap<String, String>,
}

impl Place {
    /// Makes the virtual host and the database.
    ///
    /// * `addresses`: the servers; RabbitMQ may be another stack's than the rest.
    /// * `settings`: environment variables on top of the usual ones.
    ///
    /// # Errors
    /// When a server refuses.
    pub async fn make(addresses: Addresses, settings: &[(&str, &str)]) -> Result<Self> {
        let name = format!("case_{}", PLACES.fetch_add(1, Ordering::Relaxed));
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let place = Self { name, addresses, settings };
        let host = place.make_virtual_host();
        let database = place.query(format!("CREATE DATABASE {}", place.name));
        tokio::try_join!(host, database)?;
        Ok(place)
    }

    /// The environment of a `bellhop` process that lives here.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let usual = [
            ("BELLHOP_AMQP_URL", self.amqp_url()),
            ("BELLHOP_REDIS_URL", self.redis_url()),
            ("BELLHOP_REDIS_KEY_PREFIX", self.name.clone()),
            ("BELLHOP_POSTGRES_URL", self.postgres_url()),
            ("BELLHOP_SEALING_KEY", self.addresses.sealing_key.clone()),
            ("BELLHOP_SENDER_ALLOW_CIDRS", self.addresses.allow_cidrs.clone()),
            ("BELLHOP_RETRY_WAITS", RETRY_WAITS.to_owned()),
            ("BELLHOP_PROBES_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let mut environment = self.settings.clone();
        for (name, value) in usual {
            environment.entry(name.to_owned()).or_insert(value);
        }
        environment
    }

    /// RabbitMQ, at this place's virtual host.
    #[must_use]
    pub fn amqp_url(&self) -> String {
        format!("{}/{}", self.addresses.amqp, self.name)
    }

    /// Redis, which all places share.
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("{}/0", self.addresses.redis)
    }

    /// PostgreSQL, at this place's database.
    #[must_use]
    pub fn postgres_url(&self) -> String {
        format!("{}/{}", self.addresses.postgres, self.name)
    }

    /// The virtual host's name, for RabbitMQ's management.
    #[must_use]
    pub fn virtual_host(&self) -> &str {
        &self.name
    }

    /// The key under which Redis has the copy of an organisation's subscriptions.
    ///
    /// * `scope`: `<mode>:<organisation>`.
    #[must_use]
    pub fn copy_key(&self, scope: &str) -> String {
        format!("{}:subs:{scope}", self.name)
    }

    /// A connection to Redis beside the program.
    ///
    /// # Errors
    /// When Redis refuses.
    pub async fn redis(&self) -> Result<MultiplexedConnection> {
        let client = redis::Client::open(self.redis_url())?;
        client.get_multiplexed_async_connection().await.context("connect to Redis")
    }

    /// A connection to the tables beside the program; it ends when it is dropped.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn postgres(&self) -> Result<Client> {
        let (client, connection) =
            tokio_postgres::connect(&self.postgres_url(), NoTls).await.context("connect to PostgreSQL")?;
        tokio::spawn(connection);
        client.batch_execute("SET search_path TO bellhop").await?;
        Ok(client)
    }

    /// The servers this place lies on.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Removes the virtual host with its queues, and the database.
    ///
    /// * `private`: servers that no other place is on; they go as a whole, if they are not gone already.
    ///
    /// # Errors
    /// When a server refuses.
    pub async fn clear(&self, private: &[Service]) -> Result<()> {
        if !private.contains(&Service::Rabbitmq) {
            self.manage(Method::DELETE, &format!("vhosts/{}", self.name), "").await?;
        }
        if !private.contains(&Service::Postgres) {
            self.query(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await?;
        }
        Ok(())
    }

    /// RabbitMQ stops waiting for a cluster's nodes, with a 500, long before each of them has started the virtual host;
    /// it starts all the same.
    async fn make_virtual_host(&self) -> Result<()> {
        let path = format!("vhosts/{}", self.name);
        if let Err(refusal) = self.manage(Method::PUT, &path, "{}").await {
            let look = || async { Ok(is_running_everywhere(&self.ask(&path).await?).then_some(())) };
            eventually("a virtual host to run on every node", look).await.context(refusal)?;
        }
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        self.manage(Method::PUT, &format!("permissions/{}/bellhop", self.name), all).await
    }

    /// Tells RabbitMQ's management something.
    ///
    /// * `path`: below `/api/`, such as `policies/{virtual host}/{name}`.
    /// * `body`: JSON, or empty.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn manage(&self, method: Method, path: &str, body: &str) -> Result<()> {
        let url = format!("{}/api/{path}", self.addresses.management);
        let response = http::call(method, &url, body.to_owned()).await?;
        ensure!((200..300).contains(&response.status), "{path}: {} {}", response.status, response.body);
        Ok(())
    }

    /// Asks RabbitMQ's management something.
    ///
    /// * `path`: below `/api/`.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn ask(&self, path: &str) -> Result<serde_json::Value> {
        let response = http::get(&format!("{}/api/{path}", self.addresses.management)).await?;
        ensure!(response.status == 200, "{path}: {} {}", response.status, response.body);
        Ok(serde_json::from_str(&response.body)?)
    }

    /// Gives queues a policy.
    ///
    /// * `pattern`: of the queues' names.
    /// * `priority`: the highest that matches a queue applies to it, and no other.
    /// * `definition`: JSON.
    ///
    /// # Errors
    /// When RabbitMQ refuses.
    pub async fn set_policy(&self, name: &str, pattern: &str, priority: u16, definition: &str) -> Result<()> {
        let pattern = serde_json::Value::from(pattern);
        let policy = format!(
            r#"{{"pattern":{pattern},"apply-to":"queues","priority":{priority},"definition":{definition}}}"#
        );
        self.manage(Method::PUT, &format!("policies/{}/{name}", self.name), &policy).await
    }

    /// Takes a policy away again.
    ///
    /// # Errors
    /// When RabbitMQ refuses.
    pub async fn clear_policy(&self, name: &str) -> Result<()> {
        self.manage(Method::DELETE, &format!("policies/{}/{name}", self.name), "").await
    }

    /// Gives the virtual host the policy that is shipped to keep other policies away.
    ///
    /// # Errors
    /// When RabbitMQ refuses.
    pub async fn set_shipped_policy(&self) -> Result<()> {
        let shipped = std::fs::read_to_string(tree::repository().join("deploy/rabbitmq/policies.json"))?;
        let shipped: serde_json::Value = serde_json::from_str(&shipped)?;
        let mut policy = shipped["policies"][0].clone();
        policy["vhost"] = serde_json::Value::from(self.virtual_host());
        self.manage(Method::PUT, &format!("policies/{}/bellhop", self.name), &policy.to_string()).await
    }

    /// Runs a statement in the database `postgres`: one's own cannot be made or dropped from inside.
    async fn query(&self, statement: String) -> Result<()> {
        let url = format!("{}/postgres", self.addresses.postgres);
        let (client, connection) =
            tokio_postgres::connect(&url, NoTls).await.context("connect to PostgreSQL")?;
        let connection = tokio::spawn(connection);
        client.batch_execute(&statement).await.with_context(|| statement.clone())?;
        drop(client);
        connection.await?.context("end the connection to PostgreSQL")
    }
}

fn is_running_everywhere(virtual_host: &serde_json::Value) -> bool {
    let nodes = virtual_host["cluster_state"].as_object();
    nodes.is_some_and(|nodes| !nodes.is_empty() && nodes.values().all(|state| state == "running"))
}
