//! What the cases about the API work with: a site, its API, and keys.

use anyhow::Result;
use bellhop_model::{ApiKeyId, Mode, OrganisationId, Records, Role, decode_batch};
use bellhop_store::{Author, LogEntry, LogRetention, ModeRetention, NewKey, Store};
use serde_json::{Value, json};
use std::time::Duration;

use crate::api::Api;
use crate::appointment::{ORGANISATION, SCHEDULED};
use crate::context::{Context, Site};

/// What the platform's backend shows.
pub(super) const OPERATOR: &str = "operator_0123456789012345678901234567890123456789";

/// Cases ask as fast as they can, unless they are about that.
const SETTINGS: [(&str, &str); 5] = [
    ("BELLHOP_API_OPERATOR_CREDENTIAL", OPERATOR),
    ("BELLHOP_API_KEY_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_KEY_REQUESTS_BURST", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_BURST", "100000"),
];

/// Longer than any case looks back.
pub(super) const RETENTION: LogRetention = LogRetention { live: DAYS, test: DAYS };
const DAYS: ModeRetention =
    ModeRetention { payload: Duration::from_secs(30 * 86_400), attempts: Duration::from_secs(90 * 86_400) };

/// A site, its API, a store beside it, and a key of an administrator for Test Mode.
pub(super) struct Ground {
    pub(super) site: Site,
    pub(super) api: Api,
    pub(super) store: Store,
    pub(super) key: String,
}

impl Ground {
    pub(super) async fn prepare(context: &Context) -> Result<Self> {
        Self::prepare_with(context, &[]).await
    }

    /// * `settings`: on top of the usual ones.
    pub(super) async fn prepare_with(context: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        let site = context.site_with(&[&SETTINGS[..], settings].concat()).await?;
        let (api, store) = (site.api().await?, site.store()?);
        let key = key(&store, Mode::Test, ORGANISATION, Role::Administrator).await?;
        Ok(Self { site, api, store, key })
    }

    /// Another key.
    pub(super) async fn key(&self, mode: Mode, organisation: &str, role: Role) -> Result<String> {
        key(&self.store, mode, organisation, role).await
    }

    /// Registers a webhook and gives what was answered.
    pub(super) async fn create(&self, url: &str) -> Result<Value> {
        Ok(self.api.post(&self.key, "/v1/webhooks", &webhook(url)).expect(201).await?.body)
    }

    /// Writes what records tell, as a recorder does.
    pub(super) async fn record(&self, records: Records) -> Result<()> {
        let records = decode_batch(&records.into_message())?;
        let entries: Vec<LogEntry> = records.into_iter().map(LogEntry::new).collect::<Result<_, _>>()?;
        self.store.write_log(&entries, RETENTION).await?;
        Ok(())
    }

    /// A place in Test Mode that is as its last writer left it.
    pub(super) fn organisation(&self) -> Result<bellhop_store::Organisation<'_>> {
        Ok(self.store.organisation(Mode::Test, &ORGANISATION.parse()?, &Author::SYSTEM))
    }
}

/// A registration that wants [`SCHEDULED`].
pub(super) fn webhook(url: &str) -> Value {
    json!({ "url": url, "events": [SCHEDULED] })
}

pub(super) async fn key(store: &Store, mode: Mode, organisation: &str, role: Role) -> Result<String> {
    Ok(limited_key(store, mode, organisation, (role, None)).await?.0)
}

/// A key that runs out.
pub(super) async fn limited_key(
    store: &Store,
    mode: Mode,
    organisation: &str,
    (role, lifetime): (Role, Option<Duration>),
) -> Result<(String, ApiKeyId)> {
    let organisation: OrganisationId = organisation.parse()?;
    let new = NewKey { role, name: "a case's".to_owned(), lifetime };
    let made = store.organisation(mode, &organisation, &Author::SYSTEM).create_key(&new).await?;
    Ok((made.key.expose().to_owned(), made.stored.id))
}
