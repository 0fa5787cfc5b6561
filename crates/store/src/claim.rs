//! Claiming an attempt, so that one crash does not fork a chain of attempts into two.

use bellhop_model::limits::DELIVERY_AGE_MAX;
use bellhop_model::{Attempt, CopyToken, DeliveryId, Mode, Series};
use deadpool_redis::Connection;

use crate::{Store, StoreError};

/// Whose an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Ours: nobody had claimed it.
    Granted,
    /// Ours already: the same copy of the message claimed it before, and was interrupted or deferred.
    OwnedBySameCopy,
    /// Another copy's: its owner is alive or has sent it.
    OwnedByAnother,
}

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

impl Store {
    /// Claims an attempt for a copy of its message, for as long as the delivery can live. Needs Redis 7.0 or later.
    ///
    /// # Errors
    /// Redis's; the caller then sends, because a request repeated is better than one that nobody sends.
    pub async fn claim(&self, attempt: ClaimedAttempt<'_>, copy: &CopyToken) -> Result<Claim, StoreError> {
        let ClaimedAttempt { mode, delivery, series, attempt } = attempt;
        let prefix = self.inner.cached.key_prefix();
        let key = format!("{prefix}:claim:{mode}:{delivery}:{series}:{attempt}");
        let mut set = redis::cmd("SET");
        set.arg(key).arg(copy.as_str()).arg("NX").arg("GET").arg("EX").arg(DELIVERY_AGE_MAX.as_secs());
        let redis = self.inner.cached.redis();
        let owner: Option<String> =
            redis.run(async |connection: &mut Connection| set.query_async(connection).await).await?;
        Ok(match owner {
            None => Claim::Granted,
            Some(owner) if owner == copy.as_str() => Claim::OwnedBySameCopy,
            Some(_) => Claim::OwnedByAnother,
        })
    }
}
