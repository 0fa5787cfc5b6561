//! Claiming an attempt, so that one crash does not fork a chain of attempts into two.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellhop_model::limits::DELIVERY_AGE_MAX;
use bellhop_model::{Attempt, CopyToken, DeliveryId, Mode, Series};
use deadpool_redis::Connection;
use redis::{Cmd, FromRedisValue};

use crate::limits::CLAIM_PATIENCE;
use crate::redis::Redis;
use crate::{RedisOptions, Store, StoreError};

/// Whose an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Ours: nobody had claimed it.
    Granted,
    /// Ours already: the same copy of the message claimed it before, and was interrupted or deferred.
    OwnedBySameCopy,
    /// Another copy's: its owner is alive or has sent it.
    OwnedByAnother,
    /// Ours, and what came of the attempt is stored: the broker forgot only the acknowledgement.
    Concluded,
}

/// What follows the copy in a claim whose attempt is concluded; no copy's token contains a dot.
const CONCLUDED: &str = ".concluded";

/// How long a copy's token is: 16 random bytes as hexadecimal digits.
const TOKEN_DIGITS: usize = 32;

/// One attempt of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedAttempt<'a> {
    /// The delivery's mode.
    pub mode: Mode,
    /// The delivery.
    pub delivery: &'a DeliveryId,
    /// The series.
    pub series: Series,
    /// The attempt.
    pub attempt: Attempt,
}

/// Connections for claims, apart from those for reads, which are less patient.
pub(crate) struct Claims {
    redis: Redis,
    timeout: Duration,
    is_failing: AtomicBool,
}

impl Claims {
    /// Prepares connections; none is opened yet.
    pub(crate) fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let timeout = options.timeout;
        let patient = RedisOptions { timeout: timeout.max(CLAIM_PATIENCE), ..options.clone() };
        Ok(Self { redis: Redis::open(&patient)?, timeout, is_failing: AtomicBool::new(false) })
    }

    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let running =
            self.redis.run(async |connection: &mut Connection| command.query_async(connection).await);
        let result = if self.is_failing.load(Ordering::Relaxed) {
            let late = || self.redis.away(format!("no answer within {:?}", self.timeout));
            tokio::time::timeout(self.timeout, running).await.unwrap_or_else(|_| Err(late()))
        } else {
            running.await
        };
        self.is_failing.store(result.is_err(), Ordering::Relaxed);
        result
    }
}

impl Store {
    /// Claims an attempt for a copy of its message, for as long as the delivery can live. Needs Redis 7.0 or later.
    ///
    /// # Errors
    /// Redis's; the caller then sends, because a request repeated is better than one that nobody sends.
    pub async fn claim(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> Result<Claim, StoreError> {
        let mut set = redis::cmd("SET");
        set.arg(self.claim_key(attempt))
            .arg(copy.as_str())
            .arg("NX")
            .arg("GET")
            .arg("EX")
            .arg(DELIVERY_AGE_MAX.as_secs());
        let owner: Option<String> = self.inner.claims.run(&set).await?;
        judge(owner.as_deref(), copy).ok_or_else(|| {
            StoreError::RedisFailed("it names an owner of an attempt that is no copy of a message".to_owned())
        })
    }

    /// Notes that what came of a claimed attempt is stored, so that the same copy, should the broker offer it once more,
    /// is not sent once more.
    ///
    /// # Errors
    /// Redis's; the copy may then be sent again, should it be offered again.
    pub async fn conclude(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> Result<(), StoreError> {
        let mut set = redis::cmd("SET");
        set.arg(self.claim_key(attempt)).arg(format!("{copy}{CONCLUDED}"));
        set.arg("EX").arg(DELIVERY_AGE_MAX.as_secs());
        self.inner.claims.run(&set).await
    }

    fn claim_key(&self, attempt: ClaimedAttempt<'_>) -> String {
        let ClaimedAttempt { mode, delivery, series, attempt } = attempt;
        let prefix = self.inner.cached.key_prefix();
        format!("{prefix}:claim:{mode}:{delivery}:{series}:{attempt}")
    }
}

/// Whose an attempt is, by its owner; `None` when that is no owner at all.
///
/// An attempt that is another's is given up, so that nobody may be taken for its owner who is not: an answer to some other
/// command, or of a server that is no Redis, would otherwise end a delivery that nobody makes.
fn judge(owner: Option<&str>, copy: &CopyToken) -> Option<Claim> {
    let Some(owner) = owner else { return Some(Claim::Granted) };
    let (token, is_concluded) = match owner.strip_suffix(CONCLUDED) {
        Some(token) => (token, true),
        None => (owner, false),
    };
    if token == copy.as_str() {
        return Some(if is_concluded { Claim::Concluded } else { Claim::OwnedBySameCopy });
    }
    let is_copy = token.len() == TOKEN_DIGITS && token.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_copy.then_some(Claim::OwnedByAnother)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_copy_or_nobody() {
        let [ours, other] = [[7; 16], [8; 16]].map(|bytes| CopyToken::from_random(&bytes));
        let judged = |owner: &str| judge(Some(owner), &ours);
        assert_eq!(judge(None, &ours), Some(Claim::Granted));
        assert_eq!(judged(ours.as_str()), Some(Claim::OwnedBySameCopy));
        assert_eq!(judged(&format!("{ours}{CONCLUDED}")), Some(Claim::Concluded));
        assert_eq!(judged(other.as_str()), Some(Claim::OwnedByAnother));
        assert_eq!(judged(&format!("{other}{CONCLUDED}")), Some(Claim::OwnedByAnother));
        for nonsense in ["OK", "0", "", ".concluded", "PONG", &other.as_str()[1..], &format!("{other}0")] {
            assert_eq!(judged(nonsense), None, "`{nonsense}`");
        }
    }
}
