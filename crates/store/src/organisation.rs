//! One organisation in one mode, as somebody who acts for it sees it: nothing of another exists.

mod change;
pub use change::WebhookChange;
mod copy;
mod create;
mod idempotency;
pub use idempotency::{Creation, Idempotency};
mod log;
mod reveal;
pub use reveal::RevealedRequest;
mod secrets;

use std::fmt;

use bellhop_model::{Mode, OrganisationId, Webhook, WebhookId};
use deadpool_postgres::{GenericClient, Object};

use crate::postgres::Fault;
use crate::scope::Scope;
use crate::truth::{self, WEBHOOK_COLUMNS};
use crate::{Author, Store, StoreError, WebhookFilter};

/// What somebody may read and change of one organisation in one mode. Every change is on record as theirs.
#[derive(Clone)]
pub struct Organisation<'a> {
    pub(crate) store: &'a Store,
    pub(crate) scope: Scope,
    pub(crate) author: &'a Author,
}

impl Store {
    /// One organisation in one mode, for somebody to act in.
    #[must_use]
    pub fn organisation<'a>(
        &'a self,
        mode: Mode,
        organisation: &OrganisationId,
        author: &'a Author,
    ) -> Organisation<'a> {
        Organisation { store: self, scope: Scope::new(mode, organisation), author }
    }
}

impl Organisation<'_> {
    /// Reads one webhook.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`], also for one of another organisation or mode; otherwise PostgreSQL's.
    pub async fn webhook(&self, id: &WebhookId) -> Result<Webhook, StoreError> {
        let read = async |client: &mut Object| self.select(&*client, id).await;
        self.store.inner.postgres.run(read).await
    }

    /// Lists webhooks in the order of their registration.
    ///
    /// * `filter`: its mode and organisation are replaced by ours.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn webhooks(&self, filter: WebhookFilter) -> Result<Vec<Webhook>, StoreError> {
        let Scope { mode, organisation } = self.scope.clone();
        let ours = WebhookFilter { mode: Some(mode), organisation: Some(organisation), ..filter };
        self.store.webhooks(&ours).await
    }

    /// Reads one of our webhooks.
    async fn select(&self, client: &impl GenericClient, id: &WebhookId) -> Result<Webhook, Fault> {
        let select = format!(
            "SELECT {WEBHOOK_COLUMNS} FROM webhooks WHERE id = $1 AND mode = $2 AND organisation = $3"
        );
        let (mode, organisation) = (self.scope.mode.as_str(), self.scope.organisation.as_str());
        let statement = client.prepare_cached(&select).await?;
        let row = client.query_opt(&statement, &[&id.as_str(), &mode, &organisation]).await?;
        truth::webhook(&row.ok_or_else(|| StoreError::UnknownWebhook(id.clone()))?)
    }

    /// The same within a write, unless it changed since the caller read it.
    ///
    /// * `expected`: the version that the caller read; any if `None`.
    async fn select_unchanged(
        &self,
        client: &impl GenericClient,
        id: &WebhookId,
        expected: Option<i64>,
    ) -> Result<Webhook, Fault> {
        let webhook = self.select(client, id).await?;
        match expected {
            Some(expected) if expected != webhook.version => {
                Err(StoreError::Changed { webhook: id.clone(), current: webhook.version }.into())
            }
            _ => Ok(webhook),
        }
    }
}

impl fmt::Debug for Organisation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Organisation({})", self.scope)
    }
}
