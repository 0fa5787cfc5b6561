//! Reading the truth: an organisation's active webhooks, whole webhooks, and what changed of late.

use std::time::Duration;

use bellhop_model::{
    DisabledReason, EndpointUrl, Mode, PayloadLevel, SigningSecret, Subscription, Webhook, WebhookId,
    WebhookStatus,
};
use deadpool_postgres::GenericClient;
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::limits::CHANGES_PAGE_MAX;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::seal::Place;
use crate::{SealingKeys, StoreError, Subscriptions};

/// The columns that [`webhook`] reads.
pub(crate) const WEBHOOK_COLUMNS: &str = "id, mode, organisation, url, event_types, expansion, description, \
     array(SELECT until FROM unnest(secrets_until) AS until WHERE now() < until) AS secrets_until, \
     disabled_reason, version, created_at, updated_at";

/// One statement, hence one snapshot: the version belongs to the webhooks. An organisation without any is one row of
/// nulls.
const SUBSCRIPTIONS: &str = "
    SELECT held.version, id, url, event_types, expansion, sealed_secrets, secrets_until
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

/// Reads why a webhook is disabled, if it is.
pub(crate) fn disabled_reason(row: &Row) -> Result<Option<DisabledReason>, Fault> {
    let reason: Option<&str> = row.try_get("disabled_reason")?;
    Ok(reason.map(DisabledReason::parse))
}

/// Reads a whole webhook from a row of [`WEBHOOK_COLUMNS`].
pub(crate) fn webhook(row: &Row) -> Result<Webhook, Fault> {
    let id = webhook_id(row)?;
    let scope = scope_of(row)?;
    let status = disabled_reason(row)?.map_or(WebhookStatus::Enabled, WebhookStatus::Disabled);
    Ok(Webhook {
        url: url(row, &id, scope.mode)?,
        event_types: event_types(row, &id)?,
        payload: payload_level(row, &id)?,
        description: row.try_get("description")?,
        secrets_until: row.try_get("secrets_until")?,
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
    let secrets = secrets(row, keys, scope, &id)?;
    Ok(Subscription {
        url: url(row, &id, scope.mode)?,
        event_types: event_types(row, &id)?,
        payload: payload_level(row, &id)?,
        secrets,
        webhook: id,
    })
}

/// Opens `sealed_secrets`: the current one, then those that a rotation keeps alive and that `secrets_until` ends.
pub(crate) fn secrets(
    row: &Row,
    keys: &SealingKeys,
    scope: &Scope,
    id: &WebhookId,
) -> Result<Vec<SigningSecret>, Fault> {
    let sealed: Vec<&[u8]> = row.try_get("sealed_secrets")?;
    let until: Vec<OffsetDateTime> = row.try_get("secrets_until")?;
    if sealed.len() != until.len() + 1 {
        return Err(corrupt(id, "list of secrets"));
    }
    let ends = std::iter::once(None).chain(until.iter().map(|until| Some(until.unix_timestamp())));
    let open = |(sealed, until): (&[u8], Option<i64>)| {
        let opened = keys.open(Place::Secret(scope, id), sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| corrupt(id, "secret"))?;
        let secret = text.parse().map_err(|_| corrupt(id, "secret"))?;
        Ok(SigningSecret { secret, until })
    };
    sealed.into_iter().zip(ends).map(open).collect()
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

/// The column was there before there was a choice, hence its name. It holds the level in words, so that a program from
/// before refuses the webhook instead of sending what it no longer wants.
fn payload_level(row: &Row, id: &WebhookId) -> Result<PayloadLevel, Fault> {
    let words: Vec<&str> = row.try_get("expansion")?;
    PayloadLevel::from_words(words).map_err(|_| corrupt(id, "payload level"))
}

fn corrupt(id: &WebhookId, column: &str) -> Fault {
    Fault::Store(StoreError::Corrupt(format!("the webhook `{id}` has a malformed {column}")))
}
