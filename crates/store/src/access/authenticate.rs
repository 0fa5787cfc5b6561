//! Recognising a key by its keyed hash.
//!
//! The row says under which sealing key it was hashed, so that sealing keys can be rotated: a key that is used is hashed
//! anew under the current one. What nobody can tell from outside is whether a key was unknown or wrong.

use bellhop_model::{ApiKey, ApiKeyId, Mode, OrganisationId, Role};
use deadpool_postgres::{GenericClient, Object};
use ring::hmac;
use tokio_postgres::Row;

use crate::limits::LAST_USE_INTERVAL;
use crate::postgres::Fault;
use crate::{SealingKeys, Store, StoreError};

const FIND: &str = "
    SELECT organisation, role, sealing_key, hash, proof, coalesce(expires_at <= now(), false) AS is_expired,
           revoked_at IS NOT NULL AS is_revoked,
           coalesce(last_used_at < now() - make_interval(secs => $3), true) AS is_use_news
    FROM api_keys WHERE id = $1 AND mode = $2";

const NOTE_USE: &str = "
    UPDATE api_keys SET last_used_at = now(), sealing_key = $2, hash = $3, proof = $4 WHERE id = $1";

/// Bytes of a proof that the sealing key is the one that was.
const PROOF_BYTES: usize = 16;

/// What became of a key that was shown.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// It is this holder's.
    Known(KeyHolder),
    /// There is no such key, or none that could be judged and opened anything if it could.
    Unknown,
    /// It was right, and has run out.
    Expired,
    /// It was right, and somebody revoked it.
    Revoked,
}

/// Whose a key is, and what it may do.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// What the key is called.
    pub id: ApiKeyId,
    /// The mode it is for.
    pub mode: Mode,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// What it may do.
    pub role: Role,
}

/// What is stored of a key.
pub(super) struct Hashed {
    pub(super) hash: Vec<u8>,
    pub(super) proof: Vec<u8>,
}

impl Store {
    /// Recognises a key, and notes its use at most once a minute.
    ///
    /// # Errors
    /// [`StoreError::SealingKeyUnknown`] or [`StoreError::SealingKeyWrong`] when no key can be judged, otherwise
    /// PostgreSQL's.
    pub async fn authenticate(&self, key: &ApiKey) -> Result<Authentication, StoreError> {
        let find = async |client: &mut Object| {
            let statement = client.prepare_cached(FIND).await?;
            let interval = LAST_USE_INTERVAL.as_secs_f64();
            Ok(client.query_opt(&statement, &[&key.id().as_str(), &key.mode().as_str(), &interval]).await?)
        };
        let sealing = &self.inner.sealing;
        let Some(row) = self.inner.postgres.run(find).await? else {
            // As much work as for a key that exists, though ids are no secret.
            hash(sealing, sealing.current_id(), key)?;
            return Ok(Authentication::Unknown);
        };
        let (authentication, is_note_due) = judge(&row, sealing, key).map_err(|fault| match fault {
            Fault::Store(error) => error,
            Fault::Postgres(_) => StoreError::Corrupt(format!("the key `{}` has a malformed row", key.id())),
        })?;
        if is_note_due {
            self.note_use(key).await;
        }
        Ok(authentication)
    }

    /// A failure costs a figure in a list, and is no reason to refuse the holder.
    async fn note_use(&self, key: &ApiKey) {
        let sealing = &self.inner.sealing;
        let note = async |client: &mut Object| {
            let Hashed { hash, proof } = hash(sealing, sealing.current_id(), key)?;
            client.execute(NOTE_USE, &[&key.id().as_str(), &sealing.current_id(), &hash, &proof]).await?;
            Ok(())
        };
        if let Err(error) = self.inner.postgres.run(note).await {
            tracing::debug!(%error, key.id = %key.id(), "the use of a key was not noted");
        }
    }
}

/// Hashes a key under a sealing key.
pub(super) fn hash(sealing: &SealingKeys, sealing_key: &str, key: &ApiKey) -> Result<Hashed, StoreError> {
    let hashing = sealing.hashing_key(sealing_key)?;
    let hash = hmac::sign(&hashing, &hashed_bytes(key)).as_ref().to_vec();
    Ok(Hashed { hash, proof: proof(&hashing, key.id()) })
}

/// Makes sure that a sealing key is the one under which keys were hashed.
pub(crate) async fn verify_one_key_per_sealing_key(
    client: &impl GenericClient,
    sealing: &SealingKeys,
) -> Result<(), Fault> {
    const ONE_KEY_PER_SEALING_KEY: &str = "
        SELECT DISTINCT ON (sealing_key) id, sealing_key, proof FROM api_keys
        WHERE revoked_at IS NULL AND coalesce(now() < expires_at, true)";
    for row in client.query(ONE_KEY_PER_SEALING_KEY, &[]).await? {
        let id = row.try_get::<_, &str>("id")?.parse();
        let id: ApiKeyId = id.map_err(|_| StoreError::Corrupt("a key has a malformed id".to_owned()))?;
        let sealing_key: &str = row.try_get("sealing_key")?;
        if proof(&sealing.hashing_key(sealing_key)?, &id) != row.try_get::<_, &[u8]>("proof")? {
            return Err(StoreError::SealingKeyWrong { key_id: sealing_key.to_owned() }.into());
        }
    }
    Ok(())
}

/// * returns what became of the key, and whether its use is to be noted.
fn judge(row: &Row, sealing: &SealingKeys, key: &ApiKey) -> Result<(Authentication, bool), Fault> {
    let sealing_key: &str = row.try_get("sealing_key")?;
    let Some(hashing) = hashing_key(row, sealing, key)? else {
        return Ok((Authentication::Unknown, false));
    };
    // In constant time.
    if hmac::verify(&hashing, &hashed_bytes(key), row.try_get("hash")?).is_err() {
        return Ok((Authentication::Unknown, false));
    }
    if row.try_get("is_revoked")? {
        return Ok((Authentication::Revoked, false));
    }
    if row.try_get("is_expired")? {
        return Ok((Authentication::Expired, false));
    }
    let malformed = |_| StoreError::Corrupt(format!("the key `{}` has a malformed row", key.id()));
    let holder = KeyHolder {
        id: key.id().clone(),
        mode: key.mode(),
        organisation: row.try_get::<_, &str>("organisation")?.parse().map_err(|_| malformed(()))?,
        role: row.try_get::<_, &str>("role")?.parse().map_err(|_| malformed(()))?,
    };
    let is_note_due = row.try_get("is_use_news")? || sealing_key != sealing.current_id();
    Ok((Authentication::Known(holder), is_note_due))
}

/// The key under which a row was hashed.
///
/// * returns none when it is gone and nothing hangs on it: a key that opens nothing any more is hashed anew by no use, so a
///   rotation leaves it under the old one, and start-up does not insist on that.
fn hashing_key(row: &Row, sealing: &SealingKeys, key: &ApiKey) -> Result<Option<hmac::Key>, Fault> {
    let sealing_key: &str = row.try_get("sealing_key")?;
    let shown: &[u8] = row.try_get("proof")?;
    let right = |hashing: &hmac::Key| proof(hashing, key.id()) == shown;
    let error = match sealing.hashing_key(sealing_key) {
        Ok(hashing) if right(&hashing) => return Ok(Some(hashing)),
        Ok(_) => StoreError::SealingKeyWrong { key_id: sealing_key.to_owned() },
        Err(error) => error,
    };
    let opens_nothing = row.try_get("is_revoked")? || row.try_get("is_expired")?;
    if opens_nothing { Ok(None) } else { Err(error.into()) }
}

fn hashed_bytes(key: &ApiKey) -> Vec<u8> {
    [b"key\0", key.expose().as_bytes()].concat()
}

fn proof(hashing: &hmac::Key, id: &ApiKeyId) -> Vec<u8> {
    hmac::sign(hashing, &[b"proof\0", id.as_str().as_bytes()].concat()).as_ref()[..PROOF_BYTES].to_vec()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn keys(entries: &[(&str, u8)]) -> SealingKeys {
        let entries: Vec<String> =
            entries.iter().map(|(id, byte)| format!("{id}:{}", STANDARD.encode([*byte; 32]))).collect();
        SealingKeys::parse(&entries.join(",")).expect("valid keys")
    }

    #[test]
    fn a_hash_depends_on_every_part_of_the_key_and_on_the_sealing_key() {
        let key = |mode, id, secret| ApiKey::from_random(mode, &[id; 16], &[secret; 32]);
        let one = hash(&keys(&[("a", 1)]), "a", &key(Mode::Live, 1, 1)).expect("known");
        let others = [
            hash(&keys(&[("a", 1)]), "a", &key(Mode::Test, 1, 1)),
            hash(&keys(&[("a", 1)]), "a", &key(Mode::Live, 2, 1)),
            hash(&keys(&[("a", 1)]), "a", &key(Mode::Live, 1, 2)),
            hash(&keys(&[("a", 2)]), "a", &key(Mode::Live, 1, 1)),
        ];
        for other in others {
            assert_ne!(other.expect("known").hash, one.hash);
        }
        let rotated = hash(&keys(&[("b", 3), ("a", 1)]), "a", &key(Mode::Live, 1, 1)).expect("known");
        assert_eq!((rotated.hash, rotated.proof), (one.hash, one.proof));
        let lost = hash(&keys(&[("b", 3)]), "a", &key(Mode::Live, 1, 1)).err();
        assert!(matches!(lost, Some(StoreError::SealingKeyUnknown { key_id }) if key_id == "a"));
    }

    #[test]
    fn a_proof_tells_another_sealing_key_of_the_same_name() {
        let id = ApiKeyId::from_uuid(&[1; 16]);
        let of = |byte| proof(&keys(&[("a", byte)]).hashing_key("a").expect("known"), &id);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
