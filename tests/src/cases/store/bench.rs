//! What the cases about the store work with.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{EndpointUrl, Expansion, Mode, OrganisationId};
use bellhop_store::{NewWebhook, SealingKeys, ServerUrl, Store, StoreOptions};
use redis::aio::MultiplexedConnection;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::context::Context;
use crate::patience::eventually;
use crate::place::Place;
use crate::stack::Stack;

/// Numbers the key prefixes of this program.
static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// Where the stores of a case live.
pub(super) struct Servers {
    pub(super) postgres: String,
    pub(super) redis: String,
    pub(super) sealing_key: String,
    /// What the case's keys begin with: Redis is shared, and every case is about one organisation.
    pub(super) key_prefix: String,
    _place: Option<Arc<Place>>,
}

impl Servers {
    /// A database and a key prefix on the shared servers.
    pub(super) async fn shared(context: &Context) -> Result<Self> {
        let place = context.bare_place().await?;
        let (postgres, redis) = (place.postgres_url(), place.redis_url());
        let sealing_key = place.addresses().sealing_key.clone();
        Ok(Self { postgres, redis, sealing_key, key_prefix: key_prefix(), _place: Some(place) })
    }

    /// Servers that may be ill-treated.
    pub(super) fn of(stack: &Stack) -> Self {
        let addresses = stack.addresses();
        let postgres = format!("{}/bellhop", addresses.postgres);
        let redis = format!("{}/0", addresses.redis);
        let sealing_key = addresses.sealing_key.clone();
        Self { postgres, redis, sealing_key, key_prefix: key_prefix(), _place: None }
    }

    /// The usual options.
    pub(super) fn options(&self) -> Result<StoreOptions> {
        let keys = SealingKeys::parse(&self.sealing_key)?;
        let mut options =
            StoreOptions::new(ServerUrl::new(&*self.postgres), ServerUrl::new(&*self.redis), keys);
        options.redis.key_prefix.clone_from(&self.key_prefix);
        Ok(options)
    }

    /// The key of the copy of [`organisation`]'s subscriptions.
    pub(super) fn copy_key(&self) -> String {
        format!("{}:subs:test:org_a", self.key_prefix)
    }

    /// A store with tables and nothing in them.
    pub(super) async fn store(&self) -> Result<Store> {
        let store = Store::open(&self.options()?)?;
        store.migrate().await?;
        Ok(store)
    }

    /// A connection of our own to the same Redis.
    pub(super) async fn redis_connection(&self) -> Result<MultiplexedConnection> {
        let client = redis::Client::open(&*self.redis)?;
        client.get_multiplexed_async_connection().await.context("connect to Redis")
    }
}

/// Watches for a store until the guard is dropped; returns when it hears what is published.
pub(super) async fn watch(store: &Store) -> Result<DropGuard> {
    let cancel = CancellationToken::new();
    let guard = cancel.clone().drop_guard();
    let watching = store.clone();
    tokio::spawn(async move { watching.watch(cancel).await });
    eventually("the listener", async || Ok((0 < store.stats().subscribed).then_some(()))).await?;
    Ok(guard)
}

/// A webhook of [`organisation`] in Test Mode.
pub(super) fn new_webhook(path: &str) -> NewWebhook {
    let url = format!("https://example.org/{path}?token=hidden");
    NewWebhook {
        mode: Mode::Test,
        organisation: organisation(),
        url: EndpointUrl::parse(&url, Mode::Test).expect("a URL"),
        event_types: ["appointment.scheduled".parse().expect("a type")].into(),
        payload: Expansion { patient: true, ..Expansion::default() }.into(),
        description: String::new(),
    }
}

/// The organisation that these cases are about.
pub(super) fn organisation() -> OrganisationId {
    "org_a".parse().expect("an id")
}

/// How many active webhooks a store sees.
pub(super) async fn count(store: &Store) -> Result<usize> {
    Ok(store.subscriptions(Mode::Test, &organisation()).await?.all.len())
}

/// An address at which nothing listens.
pub(super) fn dead_url(scheme: &str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("{scheme}://anna:hunter2@{}/0", listener.local_addr()?);
    drop(listener);
    Ok(url)
}

/// Insists on a number of webhooks.
pub(super) async fn ensure_count(store: &Store, expected: usize) -> Result<()> {
    let found = count(store).await?;
    ensure!(found == expected, "{found} webhooks instead of {expected}; {:?}", store.stats());
    Ok(())
}

fn key_prefix() -> String {
    format!("store_{}", PREFIXES.fetch_add(1, Ordering::Relaxed))
}
