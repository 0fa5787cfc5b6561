//! Reading the truth: an organisation's active webhooks, whole webhooks, and what changed of late.

use std::time::Duration;

use bellhop_model::{EndpointUrl, Expansion, Mode, Subscription, Webhook, WebhookId, WebhookStatus};
use deadpool_postgres::GenericClient;
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::limits::CHANGES_PAGE_MAX;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::seal::Place;
use crate::{SealingKeys, StoreError, Subscriptions};

/// The columns that [`webhook`] reads.
pub(crate) const WEBHOOK_COLUMNS: &str =
    "id, mode, organisation, url, event_types, expansion, disabled_reason, version, created_at, updated_at";

/// One statement, hence one snapshot: the version belongs to the webhooks. An organisation without any is one row of
/// nulls.
const SUBSCRIPTIONS: &str = "
    SELECT held.version, id, url, event_types, expansion, sealed_secrets
    FROM (SELECT coalesce(
              (SELECT version FROM subscription_versions WHERE mode = $1 AND organisation = $2), 0) AS version) AS held
    LEFT JOIN webhooks ON webhooks.mode = $1 AND webhooks.organisation = $2 AND webhooks.disabled_reason IS NULL
    ORDER BY id";

const CHANGES: &str = "
    SELECT changed_at, mode, organisation, version FROM subscription_versions
    WHERE now() - make_interval(secs => $1) < changed_at AND ($2, $3, $4) < (changed_at, mode, organisation)
    ORDER BY changed_at, mode, organisation LIMIT $5";

/// That an organisation's subscriptions have reached a version.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) scope: Scope,
    pub(crate) version: i64,
    changed_at: OffsetDateTime,
}

/// Reads the active subscriptions of an organisation and opens their secrets.
pub(crate) async fn read_subscriptions(
    client: &impl GenericClient,
    keys: &SealingKeys,
    scope: &Scope,
) -> Result<Subscriptions, Fault> {
    let statement = client.prepare_cached(SUBSCRIPTIONS).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
        [&scope.mode.as_str(), &scope.organisation.as_str()];
    let rows = client.query(&statement, &parameters).await?;
    let version = rows.first().map_or(Ok(0), |row| row.try_get("version"))?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<_, Option<&str>>("id")?.is_some() {
            all.push(subscription(row, keys, scope)?);
        }
    }
    Ok(Subscriptions::new(version, all))
}

/// Reads one page of what changed within a time, in the order of the changes.
///
/// * `within`: how far back, by the database's clock.
/// * `after`: the last change of the page before.
pub(crate) async fn read_changes(
    client: &impl GenericClient,
    within: Duration,
    after: Option<&Change>,
) -> Result<Vec<Change>, Fault> {
    let statement = client.prepare_cached(CHANGES).await?;
    let from = after.map_or(OffsetDateTime::UNIX_EPOCH, |change| change.changed_at);
    let mode = after.map_or("", |change| change.scope.mode.as_str());
    let organisation = after.map_or("", |change| change.scope.organisation.as_str());
    let rows = client
        .query(&statement, &[&within.as_secs_f64(), &from, &mode, &organisation, &CHANGES_PAGE_MAX])
        .await?;
    rows.iter().map(change).collect()
}

/// Reads a whole webhook from a row of [`WEBHOOK_COLUMNS`].
pub(crate) fn webhook(row: &Row) -> Result<Webhook, Fault> {
    let id = webhook_id(row)?;
    let scope = scope_of(row)?;
    let reason: Option<&str> = row.try_get("disabled_reason")?;
    let status = match reason.map(str::parse) {
        None => WebhookStatus::Enabled,
        Some(Ok(reason)) => WebhookStatus::Disabled(reason),
        Some(Err(_)) => return Err(corrupt(&id, "reason")),
    };
    Ok(Webhook {
        url: url(row, &id, scope.mode)?,
        event_types: event_types(row, &id)?,
        expansion: expansion(row, &id)?,
        status,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        mode: scope.mode,
        organisation: scope.organisation,
        id,
    })
}

/// Reads `mode` and `organisation`.
pub(crate) fn scope_of(row: &Row) -> Result<Scope, Fault> {
    let unreadable = || StoreError::Corrupt("a row has a malformed mode or organisation".to_owned());
    let mode = row.try_get::<_, &str>("mode")?.parse().map_err(|_| unreadable())?;
    let organisation = row.try_get::<_, &str>("organisation")?.parse().map_err(|_| unreadable())?;
    Ok(Scope { mode, organisation })
}

/// Reads `id`.
pub(crate) fn webhook_id(row: &Row) -> Result<WebhookId, Fault> {
    let id = row.try_get::<_, &str>("id")?.parse();
    Ok(id.map_err(|_| StoreError::Corrupt("a webhook has a malformed id".to_owned()))?)
}

fn subscription(row: &Row, keys: &SealingKeys, scope: &Scope) -> Result<Subscription, Fault> {
    let id = webhook_id(row)?;
    let mut secrets = Vec::new();
    for sealed in row.try_get::<_, Vec<&[u8]>>("sealed_secrets")? {
        let opened = keys.open(Place::Secret(scope, &id), sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| corrupt(&id, "secret"))?;
        secrets.push(text.parse().map_err(|_| corrupt(&id, "secret"))?);
    }
    Ok(Subscription {
        url: url(row, &id, scope.mode)?,
        event_types: event_types(row, &id)?,
        expansion: expansion(row, &id)?,
        secrets,
        webhook: id,
    })
}

fn change(row: &Row) -> Result<Change, Fault> {
    Ok(Change {
        scope: scope_of(row)?,
        version: row.try_get("version")?,
        changed_at: row.try_get("changed_at")?,
    })
}

fn url(row: &Row, id: &WebhookId, mode: Mode) -> Result<EndpointUrl, Fault> {
    EndpointUrl::parse(row.try_get("url")?, mode).map_err(|_| corrupt(id, "URL"))
}

fn event_types<T: FromIterator<bellhop_model::EventType>>(row: &Row, id: &WebhookId) -> Result<T, Fault> {
    let texts: Vec<&str> = row.try_get("event_types")?;
    texts.into_iter().map(|text| text.parse().map_err(|_| corrupt(id, "event type"))).collect()
}

fn expansion(row: &Row, id: &WebhookId) -> Result<Expansion, Fault> {
    let mut expansion = Expansion::default();
    for name in row.try_get::<_, Vec<&str>>("expansion")? {
        expansion.add(name).map_err(|_| corrupt(id, "expansion"))?;
    }
    Ok(expansion)
}

fn corrupt(id: &WebhookId, column: &str) -> Fault {
    Fault::Store(StoreError::Corrupt(format!("the webhook `{id}` has a malformed {column}")))
}
