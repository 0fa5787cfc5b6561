//! Sign-ins to the console: the platform's backend asks for one on behalf of a user, whose browser then shows it, once.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellhop_model::{Mode, OrganisationId, Role};
use deadpool_postgres::Object;
use ring::digest;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

use crate::limits::SWEEP_ROWS_MAX;
use crate::{Act, Action, Actor, Author, Organisation, Store, StoreError, audit, random, truth};

/// What every sign-in begins with.
const PREFIX: &str = "signin_";

/// Who is to be signed in.
#[derive(Debug, Clone)]
pub struct NewSignIn {
    /// What they may do.
    pub role: Role,
    /// What the console and the audit call them.
    pub user: String,
    /// How long the sign-in opens.
    pub lifetime: Duration,
}

/// A sign-in just made. `Debug` is redacted.
#[derive(Clone)]
pub struct MintedSignIn {
    /// What the user's browser shows. Nobody can tell it again.
    pub token: String,
    /// When it stops to open.
    pub expires_at: OffsetDateTime,
}

/// Who was signed in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The mode they asked to see.
    pub mode: Mode,
    /// Their organisation.
    pub organisation: OrganisationId,
    /// What they may do.
    pub role: Role,
    /// What they are called.
    pub user: String,
}

impl Organisation<'_> {
    /// Makes a sign-in for a user, on record.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn mint_sign_in(&self, new: &NewSignIn) -> Result<MintedSignIn, StoreError> {
        let insert = "INSERT INTO sign_ins (hash, mode, organisation, role, user_name, expires_at)
            VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) RETURNING expires_at";
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>()));
        let lifetime_seconds = new.lifetime.as_secs_f64();
        let hash = hash(&token);
        let parameters: [&(dyn ToSql + Sync); 6] = [
            &hash,
            &self.scope.mode.as_str(),
            &self.scope.organisation.as_str(),
            &new.role.as_str(),
            &new.user,
            &lifetime_seconds,
        ];
        let mint = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            sweep(&transaction).await?;
            let row = transaction.query_one(insert, &parameters).await?;
            let act = Act::new(Action::SignInCreated, new.user.as_str()).with("role", new.role.as_str());
            audit::record(&transaction, &self.scope, self.author, &act).await?;
            transaction.commit().await?;
            Ok(row.try_get("expires_at")?)
        };
        let expires_at = self.store.inner.postgres.run(mint).await?;
        Ok(MintedSignIn { token, expires_at })
    }
}

impl Store {
    /// Opens with a sign-in, which then opens no more; on record as the user's doing.
    ///
    /// * `from`: where the browser is and what its request is called; the actor is replaced by the user.
    /// * returns `None` when it is unknown, used or has run out, which nobody needs to tell apart.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn redeem_sign_in(&self, token: &str, from: &Author) -> Result<Option<SignIn>, StoreError> {
        if !token.starts_with(PREFIX) {
            return Ok(None);
        }
        let redeem = "UPDATE sign_ins SET used_at = now()
            WHERE hash = $1 AND used_at IS NULL AND now() < expires_at
            RETURNING mode, organisation, role, user_name";
        let hash = hash(token);
        let redeem = async |client: &mut Object| {
            let transaction = client.transaction().await?;
            let Some(row) = transaction.query_opt(redeem, &[&hash]).await? else { return Ok(None) };
            let scope = truth::scope_of(&row)?;
            let user: String = row.try_get("user_name")?;
            let role = row.try_get::<_, &str>("role")?.parse();
            let role = role.map_err(|_| StoreError::Corrupt("a sign-in has a malformed role".to_owned()))?;
            let author = Author { actor: Actor::User(user.clone()), ..from.clone() };
            let act = Act::new(Action::SignInUsed, user.as_str());
            audit::record(&transaction, &scope, &author, &act).await?;
            transaction.commit().await?;
            Ok(Some(SignIn { mode: scope.mode, organisation: scope.organisation, role, user }))
        };
        self.inner.postgres.run(redeem).await
    }
}

impl fmt::Debug for MintedSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MintedSignIn(… until {})", self.expires_at)
    }
}

fn hash(token: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec()
}

/// Removes some of those that have run out, so that as many go as come.
async fn sweep(transaction: &deadpool_postgres::Transaction<'_>) -> Result<(), crate::postgres::Fault> {
    let delete = "DELETE FROM sign_ins WHERE hash IN (
        SELECT hash FROM sign_ins WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)";
    transaction.execute(delete, &[&SWEEP_ROWS_MAX]).await?;
    Ok(())
}
