//! Webhooks by the thousand: registered through the store, since a command for each would take minutes.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use bellhop_model::{EndpointUrl, Mode, PayloadLevel};
use bellhop_store::{NewWebhook, SealingKeys, ServerUrl, Store, StoreOptions};

use super::event::EVENT_TYPE;
use crate::patience::PATIENCE;
use crate::place::Place;

/// Registers webhooks in one place.
#[derive(Debug)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// Opens a place's store.
    ///
    /// # Errors
    /// When the place's settings are unusable.
    pub fn open(place: &Place) -> Result<Self> {
        let environment = place.environment();
        let setting = |name: &str| environment.get(name).with_context(|| format!("{name} is not set"));
        let keys = SealingKeys::parse(setting("BELLHOP_SEALING_KEY")?)?;
        let (postgres, redis) = (place.postgres_url(), place.redis_url());
        let mut options = StoreOptions::new(ServerUrl::new(postgres), ServerUrl::new(redis), keys);
        options.redis.key_prefix.clone_from(setting("BELLHOP_REDIS_KEY_PREFIX")?);
        // Thousands are written at once, on a machine that may have other things to do.
        options.postgres.connect_timeout = PATIENCE / 2;
        options.postgres.query_timeout = PATIENCE / 4;
        Ok(Self { store: Store::open(&options)? })
    }

    /// Registers a webhook that wants [`EVENT_TYPE`] and expands nothing.
    ///
    /// * returns what it signs with, `whsec_…`.
    ///
    /// # Errors
    /// When the URL is refused, or the store.
    pub async fn add(&self, mode: Mode, organisation: &str, url: &str) -> Result<String> {
        let new = NewWebhook {
            mode,
            organisation: organisation.parse()?,
            url: EndpointUrl::parse(url, mode)?,
            event_types: BTreeSet::from([EVENT_TYPE.parse()?]),
            payload: PayloadLevel::default(),
            description: String::new(),
        };
        Ok(self.store.add_webhook(new).await?.value.secret.expose())
    }
}
