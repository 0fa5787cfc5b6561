//! Sessions of the console: who is signed in, until when, and what they may still do.
//!
//! A row is found by the hash of what the browser shows, so that who reads the table can show nothing. Two ends are
//! looked at each time, one that is fixed and one that moves with use; of a session by keys also whether each key still
//! opens anything.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellhop_model::{ApiKeyId, Mode, OrganisationId, Role};
use deadpool_postgres::{Object, Transaction};
use ring::digest;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::limits::{LAST_USE_INTERVAL, SESSIONS_PER_HOLDER_MAX, SWEEP_ROWS_MAX};
use crate::postgres::Fault;
use crate::scope::Scope;
use crate::{Act, Action, Author, Store, StoreError, audit, random};

/// Characters of a token: base64 of 256 bits.
const TOKEN_CHARS: usize = 43;

const FIND: &str = "
    SELECT sessions.organisation, user_name, sessions.role,
           live.id AS live_id, live.role AS live_role, live.name AS live_name,
           test.id AS test_id, test.role AS test_role, test.name AS test_name,
           seen_at < now() - make_interval(secs => $3) AS is_sight_news
    FROM sessions
    LEFT JOIN api_keys AS live ON live.id = live_key AND live.revoked_at IS NULL
        AND coalesce(now() < live.expires_at, true)
    LEFT JOIN api_keys AS test ON test.id = test_key AND test.revoked_at IS NULL
        AND coalesce(now() < test.expires_at, true)
    WHERE sessions.hash = $1 AND now() < sessions.expires_at AND now() < seen_at + make_interval(secs => $2)";

/// Somebody who signs in.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The mode they asked to see.
    pub mode: Mode,
    /// Their organisation.
    pub organisation: OrganisationId,
    /// Who they are.
    pub holder: SessionHolder,
    /// How long they stay signed in at the most.
    pub lifetime: Duration,
    /// The session that this one takes the place of, which ends.
    pub replaces: Option<SessionToken>,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionHolder {
    /// A user whom the platform signed in; both modes are open to them.
    User {
        /// What the platform calls them.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// Whoever has these keys, at most one per mode; no other mode is open to them.
    Keys(Vec<SessionKey>),
}

/// A key that somebody is signed in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The mode it opens.
    pub mode: Mode,
    /// What it is called.
    pub id: ApiKeyId,
    /// What it may do.
    pub role: Role,
    /// What a person calls it.
    pub name: String,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Their organisation.
    pub organisation: OrganisationId,
    /// Who they are, and what is open to them now: a key that opens nothing any more is not among theirs.
    pub holder: SessionHolder,
}

/// What a browser shows. `Debug` is redacted.
#[derive(Clone)]
pub struct SessionToken(String);

impl SessionToken {
    fn draw() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random::bytes::<32>()))
    }

    /// Takes over what a browser shows; `None` when it cannot be a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_shaped = text.len() == TOKEN_CHARS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        is_shaped.then(|| Self(text.to_owned()))
    }

    /// The token, for the browser alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it; fit for telling one session from another, and for nothing else.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        digest.as_ref().try_into().expect("a digest of SHA-256 has 32 bytes")
    }
}

impl Store {
    /// Signs somebody in. Of their sessions the oldest ends when they have too many.
    ///
    /// * `from`: who signs in, for the record. A user's sign-in is on record by [`Store::redeem_sign_in`] already.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn begin_session(&self, new: &NewSession, from: &Author) -> Result<SessionToken, StoreError> {
        let token = SessionToken::draw();
        let begin = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            sweep(&transaction).await?;
            if let Some(replaced) = &new.replaces {
                let delete = "DELETE FROM sessions WHERE hash = $1";
                transaction.execute(delete, &[&replaced.hash().as_slice()]).await?;
            }
            insert(&transaction, new, &token).await?;
            end_oldest(&transaction, new).await?;
            if let Some(key) = key_of(&new.holder, new.mode) {
                let scope = Scope::new(new.mode, &new.organisation);
                audit::record(&transaction, &scope, from, &Act::new(Action::SessionBegun, key)).await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.inner.postgres.run(begin).await?;
        Ok(token)
    }

    /// Who shows a token, if it still opens anything.
    ///
    /// * `idle_max`: how long nobody may have been seen for it to open still.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn session(
        &self,
        token: &SessionToken,
        idle_max: Duration,
    ) -> Result<Option<Session>, StoreError> {
        Ok(self.find_session(token, idle_max).await?.map(|(session, _)| session))
    }

    /// The same of somebody who does something, which keeps the session from ending for want of use.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn session_in_use(
        &self,
        token: &SessionToken,
        idle_max: Duration,
    ) -> Result<Option<Session>, StoreError> {
        let Some((session, is_sight_news)) = self.find_session(token, idle_max).await? else {
            return Ok(None);
        };
        if is_sight_news {
            let note = "UPDATE sessions SET seen_at = now() WHERE hash = $1";
            let hash = token.hash();
            let note = async |client: &mut Object| Ok(client.execute(note, &[&hash.as_slice()]).await?);
            self.inner.postgres.run(note).await?;
        }
        Ok(Some(session))
    }

    /// Signs somebody out, on record. A session that ended already is nothing to do.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn end_session(&self, token: &SessionToken, from: &Author) -> Result<(), StoreError> {
        let delete = "DELETE FROM sessions WHERE hash = $1 RETURNING mode, organisation,
            coalesce(user_name, CASE mode WHEN 'live' THEN live_key ELSE test_key END, live_key, test_key) AS holder";
        let hash = token.hash();
        let end = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            if let Some(row) = transaction.query_opt(delete, &[&hash.as_slice()]).await? {
                let scope = crate::truth::scope_of(&row)?;
                let act = Act::new(Action::SessionEnded, row.try_get::<_, &str>("holder")?);
                audit::record(&transaction, &scope, from, &act).await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.inner.postgres.run(end).await
    }

    /// * returns who it is, and whether their being seen is news.
    async fn find_session(
        &self,
        token: &SessionToken,
        idle_max: Duration,
    ) -> Result<Option<(Session, bool)>, StoreError> {
        let hash = token.hash();
        let (idle, interval) = (idle_max.as_secs_f64(), LAST_USE_INTERVAL.as_secs_f64());
        let find = async |client: &mut Object| {
            let statement = client.prepare_cached(FIND).await?;
            let row = client.query_opt(&statement, &[&hash.as_slice(), &idle, &interval]).await?;
            let Some(row) = row else { return Ok(None) };
            let is_sight_news: bool = row.try_get("is_sight_news")?;
            Ok(session(&row)?.map(|session| (session, is_sight_news)))
        };
        self.inner.postgres.run(find).await
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// Who a session is, unless no key of it opens anything any more.
fn session(row: &Row) -> Result<Option<Session>, Fault> {
    let organisation = row.try_get::<_, &str>("organisation")?.parse().map_err(|_| malformed())?;
    let holder = match row.try_get::<_, Option<String>>("user_name")? {
        Some(name) => {
            let role: Option<&str> = row.try_get("role")?;
            SessionHolder::User { name, role: role.unwrap_or_default().parse().map_err(|_| malformed())? }
        }
        None => {
            let mut keys = Vec::new();
            for mode in Mode::ALL {
                keys.extend(session_key(row, mode)?);
            }
            if keys.is_empty() {
                return Ok(None);
            }
            SessionHolder::Keys(keys)
        }
    };
    Ok(Some(Session { organisation, holder }))
}

fn session_key(row: &Row, mode: Mode) -> Result<Option<SessionKey>, Fault> {
    let column = |name: &str| format!("{mode}_{name}");
    let Some(id) = row.try_get::<_, Option<&str>>(&*column("id"))? else { return Ok(None) };
    Ok(Some(SessionKey {
        mode,
        id: id.parse().map_err(|_| malformed())?,
        role: row.try_get::<_, &str>(&*column("role"))?.parse().map_err(|_| malformed())?,
        name: row.try_get(&*column("name"))?,
    }))
}

fn malformed() -> StoreError {
    StoreError::Corrupt("a session has a malformed organisation, role or key".to_owned())
}

async fn insert(transaction: &Transaction<'_>, new: &NewSession, token: &SessionToken) -> Result<(), Fault> {
    const INSERT: &str = "
        INSERT INTO sessions (hash, mode, organisation, user_name, role, live_key, test_key, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))";
    let (user, role) = match &new.holder {
        SessionHolder::User { name, role } => (Some(name.as_str()), Some(role.as_str())),
        SessionHolder::Keys(_) => (None, None),
    };
    let [live, test] = Mode::ALL.map(|mode| key_of(&new.holder, mode));
    let (hash, lifetime_seconds) = (token.hash(), new.lifetime.as_secs_f64());
    let parameters: [&(dyn ToSql + Sync); 8] = [
        &hash.as_slice(),
        &new.mode.as_str(),
        &new.organisation.as_str(),
        &user,
        &role,
        &live,
        &test,
        &lifetime_seconds,
    ];
    transaction.execute(INSERT, &parameters).await?;
    Ok(())
}

/// Ends the oldest sessions of whoever has too many.
async fn end_oldest(transaction: &Transaction<'_>, new: &NewSession) -> Result<(), Fault> {
    const END: &str = "
        DELETE FROM sessions WHERE hash IN (
            SELECT hash FROM sessions WHERE organisation = $1 AND user_name IS NOT DISTINCT FROM $2
                AND live_key IS NOT DISTINCT FROM $3 AND test_key IS NOT DISTINCT FROM $4
            ORDER BY begun_at DESC OFFSET $5)";
    let user = match &new.holder {
        SessionHolder::User { name, .. } => Some(name.as_str()),
        SessionHolder::Keys(_) => None,
    };
    let [live, test] = Mode::ALL.map(|mode| key_of(&new.holder, mode));
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&new.organisation.as_str(), &user, &live, &test, &SESSIONS_PER_HOLDER_MAX];
    transaction.execute(END, &parameters).await?;
    Ok(())
}

fn key_of(holder: &SessionHolder, mode: Mode) -> Option<&str> {
    match holder {
        SessionHolder::User { .. } => None,
        SessionHolder::Keys(keys) => keys.iter().find(|key| key.mode == mode).map(|key| key.id.as_str()),
    }
}

/// Removes some of those that have run out, so that as many go as come.
async fn sweep(transaction: &Transaction<'_>) -> Result<(), Fault> {
    let delete = "DELETE FROM sessions WHERE hash IN (
        SELECT hash FROM sessions WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)";
    transaction.execute(delete, &[&SWEEP_ROWS_MAX]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_nothing_else_is_one() {
        let token = SessionToken::draw();
        let read = SessionToken::parse(token.expose()).expect("our own");
        assert_eq!(read.hash(), token.hash());
        assert!(!format!("{token:?}").contains(token.expose()));
        for text in ["", "a", &"a".repeat(44), &"/".repeat(43), &"é".repeat(21)] {
            assert!(SessionToken::parse(text).is_none(), "{text}");
        }
    }
}
