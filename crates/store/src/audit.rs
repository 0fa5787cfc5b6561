//! Who did what to an organisation's webhooks, keys and secrets: written with the change, read by its administrators.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use bellhop_model::ApiKeyId;
use bellhop_model::limits::ACTOR_CHARS_MAX;
use deadpool_postgres::{GenericClient, Object};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::limits::AUDIT_PAGE_MAX;
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::{Organisation, StoreError};

/// Who does something, and from where.
#[derive(Debug, Clone)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// Where the request came from; `None` when it was no request.
    pub address: Option<IpAddr>,
    /// The request's id; `None` when it was no request.
    pub request: Option<String>,
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The holder of a key.
    Key(ApiKeyId),
    /// The platform's own backend.
    Operator,
    /// Somebody signed in to the console, by the name the platform gave.
    User(String),
    /// Somebody at the operator's shell, by the name of their account there.
    CommandLine(String),
    /// Bellhop itself.
    System,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Act {
    /// What kind of thing.
    pub action: Action,
    /// The id of the webhook, key or other thing it was done to.
    pub target: String,
    /// What changed, by name, as far as it may be told: no secret, no payload, no whole URL.
    pub details: Map<String, Value>,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The kinds of things that are on record.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word used in the table and the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

actions! {
    /// A webhook was registered.
    WebhookCreated = "webhook.created",
    /// A webhook was registered as a copy of one of the other mode.
    WebhookCopied = "webhook.copied",
    /// URL, events, description, expansion or payload level changed.
    WebhookUpdated = "webhook.updated",
    /// Deliveries are made again.
    WebhookEnabled = "webhook.enabled",
    /// Deliveries are made no more.
    WebhookDisabled = "webhook.disabled",
    /// A webhook is gone for good.
    WebhookDeleted = "webhook.deleted",
    /// Somebody looked at a webhook's secret.
    SecretRevealed = "secret.revealed",
    /// A webhook has a new secret.
    SecretRotated = "secret.rotated",
    /// A test event was sent.
    TestEventSent = "test_event.sent",
    /// Somebody looked at a payload.
    PayloadViewed = "payload.viewed",
    /// A delivery is made again.
    DeliveryRedelivered = "delivery.redelivered",
    /// Deliveries of a webhook are made again, one after the other.
    RecoveryBegun = "recovery.begun",
    /// No more of them are.
    RecoveryCancelled = "recovery.cancelled",
    /// An event's payload and the answers to it are gone for good.
    EventExpunged = "event.expunged",
    /// A key was made.
    KeyCreated = "key.created",
    /// A key opens nothing any more.
    KeyRevoked = "key.revoked",
    /// The platform asked for a user's sign-in to the console.
    SignInCreated = "sign_in.created",
    /// A user signed in to the console by a sign-in.
    SignInUsed = "sign_in.used",
    /// The holder of a key signed in to the console, or opened the other mode by another key.
    SessionBegun = "session.begun",
    /// Somebody signed out of the console.
    SessionEnded = "session.ended",
}

/// One entry as it is read.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// What it is called; entries sort by it, and it by time.
    pub id: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// What kind of actor: `key`, `operator`, `user`, `cli` or `system`.
    pub actor_kind: String,
    /// Which of its kind.
    pub actor: String,
    /// The word of an [`Action`], perhaps of a later version.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// Where the request came from.
    pub address: Option<String>,
    /// The request's id.
    pub request: Option<String>,
    /// What changed, by name.
    pub details: Map<String, Value>,
}

/// Which entries to list, the newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only about this webhook, key or other thing.
    pub target: Option<String>,
    /// Only of this word.
    pub action: Option<String>,
    /// Only those before this one: the last of the page before.
    pub before: Option<AuditCursor>,
    /// Most entries; never more than [`AUDIT_PAGE_MAX`].
    pub limit: usize,
}

/// A place in a list of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor(pub Uuid);

/// A text that is no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a place in a list of audit entries: take what the page before told")]
pub struct AuditCursorError;

impl Author {
    /// Bellhop itself.
    pub const SYSTEM: Self = Self { actor: Actor::System, address: None, request: None };
}

impl Actor {
    fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Operator => "operator",
            Self::User(_) => "user",
            Self::CommandLine(_) => "cli",
            Self::System => "system",
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Key(id) => id.as_str(),
            Self::Operator => "operator",
            Self::User(name) | Self::CommandLine(name) => name,
            Self::System => "bellhop",
        }
    }

    /// The name under which the log keeps who asked for something.
    pub(crate) fn asker(&self) -> bellhop_model::Actor {
        let shown = |letter: &char| !letter.is_control();
        let name: String = self.name().chars().filter(shown).take(ACTOR_CHARS_MAX).collect();
        name.parse().unwrap_or_else(|_| self.kind().parse().expect("the word for a kind names somebody"))
    }
}

impl Act {
    /// Something done to something, without more to tell.
    #[must_use]
    pub fn new(action: Action, target: impl Into<String>) -> Self {
        Self { action, target: target.into(), details: Map::new() }
    }

    /// The same with one thing more to tell.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

impl Organisation<'_> {
    /// Puts on record what changed nothing here: that something was looked at, or asked for elsewhere.
    ///
    /// # Errors
    /// PostgreSQL's; then whoever asked must not be shown it.
    pub async fn put_on_record(&self, act: &Act) -> Result<(), StoreError> {
        self.store
            .inner
            .postgres
            .run(async |client: &mut Object| record(client, &self.scope, self.author, act).await)
            .await
    }

    /// Lists what was done, the newest first.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let list = format!(
            "SELECT id, at, actor_kind, actor, action, target, address, request, details::text FROM audit
             WHERE mode = $1 AND organisation = $2 AND ($3::uuid IS NULL OR id < $3)
               AND ($4::text IS NULL OR target = $4) AND ($5::text IS NULL OR action = $5)
             ORDER BY id DESC LIMIT {}",
            filter.limit.min(AUDIT_PAGE_MAX)
        );
        let before = filter.before.map(|AuditCursor(id)| id);
        let parameters: [&(dyn ToSql + Sync); 5] = [
            &self.scope.mode.as_str(),
            &self.scope.organisation.as_str(),
            &before,
            &filter.target,
            &filter.action,
        ];
        let read = async |client: &mut Object| {
            let rows = client.query(&list, &parameters).await?;
            rows.iter().map(entry).collect()
        };
        self.store.inner.postgres.run(read).await
    }
}

/// Writes an entry, in the transaction of the change it tells of.
pub(crate) async fn record(
    client: &impl GenericClient,
    scope: &Scope,
    author: &Author,
    act: &Act,
) -> Result<(), Fault> {
    const INSERT: &str = "
        INSERT INTO audit (id, mode, organisation, actor_kind, actor, action, target, address, request, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb)";
    let Author { actor, address, request } = author;
    let address = address.map(|address| address.to_canonical().to_string());
    let details = Value::from(act.details.clone()).to_string();
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &Uuid::now_v7(),
        &scope.mode.as_str(),
        &scope.organisation.as_str(),
        &actor.kind(),
        &actor.name(),
        &act.action.as_str(),
        &act.target,
        &address,
        request,
        &details,
    ];
    client.execute(INSERT, &parameters).await?;
    Ok(())
}

fn entry(row: &Row) -> Result<AuditEntry, Fault> {
    let id: Uuid = row.try_get("id")?;
    let details = serde_json::from_str(row.try_get("details")?);
    let details =
        details.map_err(|_| StoreError::Corrupt(format!("the audit entry `{id}` has malformed details")))?;
    Ok(AuditEntry {
        id,
        at: row.try_get("at")?,
        actor_kind: row.try_get("actor_kind")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        address: row.try_get("address")?,
        request: row.try_get("request")?,
        details,
    })
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl FromStr for AuditCursor {
    type Err = AuditCursorError;

    fn from_str(text: &str) -> Result<Self, AuditCursorError> {
        Uuid::try_parse(text).map(Self).map_err(|_| AuditCursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_nothing_else_is_one() {
        let cursor = AuditCursor(Uuid::from_u128(7));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "7", "' OR 1=1", "zz000000000000000000000000000007"] {
            assert_eq!(text.parse::<AuditCursor>(), Err(AuditCursorError), "{text}");
        }
    }

    #[test]
    fn whoever_asks_has_a_name_in_the_log() {
        let long = "a".repeat(ACTOR_CHARS_MAX + 1);
        let named = [
            (Actor::User(" Zoë\u{1b}[2J ".to_owned()), "Zoë[2J"),
            (Actor::User("\n".to_owned()), "user"),
            (Actor::CommandLine(long.clone()), &long[1..]),
            (Actor::Operator, "operator"),
            (Actor::System, "bellhop"),
        ];
        for (actor, name) in named {
            assert_eq!(actor.asker().as_str(), name, "{actor:?}");
        }
    }

    #[test]
    fn every_action_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> =
            Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(words.len(), Action::ALL.len());
    }
}
